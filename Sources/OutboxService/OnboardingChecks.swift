import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem

/// What a line needs to send and to hear, each looked at by asking Meta.
extension OnboardingWorker {
    func verify(_ line: Line) throws -> HTTPResponse {
        let findings = checks(of: line, now: Timestamp(milliseconds: wallClockMilliseconds()))
        return .json(200) { json in
            json.object("data") {
                $0.field("line", line.name)
                $0.field("ready", !findings.contains { $0.verdict == .problem })
                $0.array("checks") {
                    for finding in findings { finding.write(to: &$0) }
                }
            }
        }
    }

    private func checks(of line: Line, now: Timestamp) -> [Finding] {
        guard let token = parts.secrets.value(line.settings.credential) else {
            return [
                Finding(
                    check: "token", verdict: .problem, text: "there is no secret \(line.settings.credential)",
                    remedy: "outboxctl line add \(line.name) --token -")
            ]
        }
        let facts = tokenFacts(of: call(endpoint.debugToken(token, timeout: Onboarding.patience)), parser: parser)
        var findings = self.token(facts, line, now)
        findings.append(number(line, token, now))
        findings += account(line, token, facts)
        findings.append(webhookSecret())
        return findings
    }

    private func newToken(_ line: Line) -> String {
        "make a token of a system user, outboxctl line add \(line.name) --token -"
    }

    private func token(_ facts: Reading<TokenFacts>, _ line: Line, _ now: Timestamp) -> [Finding] {
        switch facts {
        case .failed(let failure) where TokenHealth.refusals.contains(failure.code):
            return [
                Finding(
                    check: "token", verdict: .problem, text: "Meta does not take it: \(failure.message)",
                    remedy: newToken(line))
            ]
        case .failed(let failure):
            // Meta lets some tokens not ask about themselves; what they can do is seen below.
            return [
                Finding(
                    check: "token", verdict: .warning,
                    text: "Meta did not tell of it: \(failure.code) \(failure.message)",
                    remedy: "look at it with Meta's Access Token Debugger")
            ]
        case .read(let facts) where !facts.isValid:
            let why = facts.problem.map { ": \($0)" } ?? ""
            return [
                Finding(check: "token", verdict: .problem, text: "Meta does not take it\(why)", remedy: newToken(line))
            ]
        case .read(let facts):
            let health = TokenHealth(expiresAt: facts.expiresAt, now: now)
            let app = (facts.appName ?? facts.appID).map { ", of the app \($0)" } ?? ""
            let end = facts.expiresAt.map { "lives until \($0.rfc3339)" } ?? "does not expire"
            let good = Finding(check: "token", verdict: .ok, text: "\(facts.type ?? "valid")\(app); \(end)")
            let ending = Finding(
                check: "token", verdict: health.state.isOver ? .problem : .warning, text: "\(end)\(app)",
                remedy: newToken(line))
            let missing = facts.missingScopes
            let scopes = Finding(
                check: "permissions", verdict: missing.isEmpty ? .ok : .problem,
                text: missing.isEmpty
                    ? TokenFacts.needed.joined(separator: ", ") : "lacks \(missing.joined(separator: ", "))",
                remedy: missing.isEmpty ? nil : "give the token these permissions: \(newToken(line))")
            return [health.state == .valid ? good : ending, scopes]
        }
    }

    private func number(_ line: Line, _ token: String, _ now: Timestamp) -> Finding {
        let request = endpoint.phoneNumber(
            phoneNumberID: line.settings.phoneNumberID, token: token, timeout: Onboarding.patience)
        switch lineHealth(of: call(request), parser: parser, now: now) {
        case .failed(let failure):
            return Finding(
                check: "number", verdict: .problem, text: "Meta did not tell of it: \(failure.code) \(failure.message)",
                remedy: Int64(failure.code).flatMap(MetaError.of)?.remedy
                    ?? "see whether the phone number id is right: outboxctl line numbers --line \(line.name)")
        case .read(let health) where health.status == .notRegistered:
            return Finding(
                check: "number", verdict: .problem, text: "it is not registered with the Cloud API",
                remedy: "outboxctl line register \(line.name), with the number's PIN of six digits")
        case .read(let health):
            guard let stop = health.stop else {
                let tier = health.tier.map { ", \($0.name)" } ?? ""
                return Finding(
                    check: "number", verdict: .ok, text: "it can send, quality \(health.quality.name)\(tier)")
            }
            return Finding(
                check: "number", verdict: .problem, text: stop,
                remedy: "see its page in Meta's WhatsApp Manager; outboxctl line health \(line.name)")
        }
    }

    private func account(_ line: Line, _ token: String, _ facts: Reading<TokenFacts>) -> [Finding] {
        guard let waba = line.settings.wabaID else {
            return [
                Finding(
                    check: "account", verdict: .warning, text: "the line has no wabaId: templates are not checked",
                    remedy: "outboxctl line add \(line.name) --waba-id ID")
            ]
        }
        let listed: [ListedNumber]
        do {
            listed = try numbers(of: waba, token)
        } catch {
            let text = (error as? APIError)?.message ?? "its numbers could not be read"
            return [
                Finding(
                    check: "account", verdict: .problem, text: text,
                    remedy: "see whether the WABA id is right, and the token for this account")
            ]
        }
        let isThere = listed.contains { $0.id == line.settings.phoneNumberID }
        let belongs = Finding(
            check: "account", verdict: isThere ? .ok : .problem,
            text: isThere
                ? "\(waba) has the number" : "\(waba) has no number \(line.settings.phoneNumberID)",
            remedy: isThere ? nil : "outboxctl line numbers --line \(line.name) lists accounts with their numbers")
        return [belongs, subscription(line, waba, token, facts)]
    }

    private func subscription(
        _ line: Line, _ waba: String, _ token: String, _ facts: Reading<TokenFacts>
    ) -> Finding {
        let remedy = "outboxctl line subscribe \(line.name)"
        let request = endpoint.subscribedApps(wabaID: waba, token: token, timeout: Onboarding.patience)
        switch nodes(of: call(request), parser: parser) {
        case .failed(let failure):
            return Finding(
                check: "subscription", verdict: .warning,
                text: "Meta did not tell which apps hear of the account: \(failure.code) \(failure.message)")
        case .read(let apps) where apps.isEmpty:
            return Finding(
                check: "subscription", verdict: .problem, text: "no app hears of the account by webhook", remedy: remedy
            )
        case .read(let apps):
            var own: String?
            if case .read(let facts) = facts { own = facts.appID }
            let names = apps.map { $0.name ?? $0.id }.joined(separator: ", ")
            guard let own, !apps.contains(where: { $0.id == own }) else {
                return Finding(check: "subscription", verdict: .ok, text: "by webhook hears \(names)")
            }
            return Finding(
                check: "subscription", verdict: .problem,
                text: "the token's app hears nothing by webhook; \(names) does",
                remedy: remedy)
        }
    }

    private func webhookSecret() -> Finding {
        let names = ["app.default.secret", "app.default.verify-token"].filter { parts.secrets.value($0) == nil }
        guard !names.isEmpty else {
            return Finding(check: "webhook secret", verdict: .ok, text: "app.default has its secret and verify token")
        }
        return Finding(
            check: "webhook secret", verdict: .warning, text: "there is no secret \(names.joined(separator: ", "))",
            remedy: "give it as a file in secrets/ or as a credential, see outboxd(8), unless another app's is used")
    }
}
