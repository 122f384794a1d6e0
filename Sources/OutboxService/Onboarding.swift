import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Questions about tokens, accounts and numbers that take several calls to Meta, one after the other: somebody connects
/// a number and waits. Holds nothing that a restart could lose.
final class Onboarding: Sendable {
    enum Job: Sendable {
        /// Everything a line needs, looked at piece by piece.
        case verify(line: String)
        /// The accounts and numbers a token may use.
        case numbers(NumbersBody)
        /// An Embedded Signup code for a token, and the line with it. `proves`: only if the token may use the number.
        case exchange(ExchangeBody, proves: Bool)
    }

    /// What it works with; all of it is shared with other threads.
    struct Parts: Sendable {
        var path: String
        var target: @Sendable () -> GraphEndpoint
        var secrets: Secrets
        var answers: @Sendable ([(Exchange, HTTPResponse)]) -> Void
        /// The line an exchange is to make or to change, with its token; or why there is none.
        var exchanged: @Sendable (Exchange, Result<LineBody, APIError>) -> Void
    }

    private enum Mail: Sendable {
        case job(Exchange, Job, account: Int64)
        case end
    }

    /// That wait; more are told to come again.
    private static let waitingMax = 16
    /// For one call.
    static let patience = Duration.seconds(10)
    /// For all calls of a job together.
    static let patienceForAll = Duration.seconds(25)

    private let mailbox: Mailbox<Mail>
    private let thread: Thread
    private let waiting: Lock<Int>
    private let isEnding: Lock<Bool>

    init(_ parts: Parts) throws {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        let waiting = Lock(0)
        self.mailbox = mailbox
        self.waiting = waiting
        let isEnding = Lock(false)
        self.isEnding = isEnding
        let reader = Handover(try QueueReader(path: parts.path))
        thread = Thread("onboarding") {
            let worker = OnboardingWorker(parts, reader: reader.value) { isEnding.withLock { $0 } }
            while true {
                for mail in mailbox.take() {
                    guard case .job(let exchange, let job, let account) = mail else { return }
                    worker.run(job, exchange, account)
                    waiting.withLock { $0 -= 1 }
                }
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    func run(_ exchange: Exchange, _ job: Job, account: Int64) throws(APIError) {
        let isTaken = waiting.withLock { waiting in
            guard waiting < Self.waitingMax else { return false }
            waiting += 1
            return true
        }
        guard isTaken else {
            throw APIError(.unavailable, "others connect numbers just now: try again in a moment", retryAfter: 2)
        }
        mailbox.post(.job(exchange, job, account: account))
    }

    /// Nothing more is asked of Meta; a call that is under way ends within its time.
    func stop() { isEnding.withLock { $0 = true } }

    func finish() {
        stop()
        mailbox.post(.end)
        thread.join()
    }
}

/// Belongs to the thread of `Onboarding`.
final class OnboardingWorker {
    let parts: Onboarding.Parts
    let reader: QueueReader
    let parser = JSONParser()
    /// Of the steady clock: no call begins later.
    private var until: UInt64 = 0
    private let isEnding: () -> Bool

    init(_ parts: Onboarding.Parts, reader: QueueReader, isEnding: @escaping () -> Bool) {
        self.parts = parts
        self.isEnding = isEnding
        self.reader = reader
    }

    var endpoint: GraphEndpoint { parts.target() }

    func run(_ job: Onboarding.Job, _ exchange: Exchange, _ account: Int64) {
        until = steadyNanoseconds() + UInt64(Onboarding.patienceForAll.components.seconds) * 1_000_000_000
        do {
            switch job {
            case .verify(let name): parts.answers([(exchange, try verify(try line(name, account)))])
            case .numbers(let body): parts.answers([(exchange, try numbers(body, account))])
            case .exchange(let body, let proves):
                parts.exchanged(exchange, .success(try exchanged(body, account, proves: proves)))
            }
        } catch {
            let refusal =
                error as? APIError ?? APIError(.internalError, "the database could not be read; the journal says why")
            if case .exchange = job { return parts.exchanged(exchange, .failure(refusal)) }
            parts.answers([(exchange, .error(refusal))])
        }
    }

    func line(_ name: String, _ account: Int64) throws -> Line {
        guard let line = try reader.lines(account: account).first(where: { $0.name == name }) else {
            throw APIError(.notFound, "there is no line \(name)")
        }
        return line
    }

    func token(of line: Line) throws -> String {
        guard let token = parts.secrets.value(line.settings.credential) else {
            throw APIError(
                .conflict,
                "the secret \(line.settings.credential) holds no access token: give the line one with "
                    + "outboxctl line add \(line.name) --token -")
        }
        return token
    }

    /// Once the time for all is over nothing more is asked.
    func call(_ request: OutgoingRequest) -> HTTPResult {
        if isEnding() { return .notSent("outboxd is stopping") }
        return steadyNanoseconds() < until ? callAndWait(request) : .notSent("Meta has taken too long to answer before")
    }

    func need<Value>(_ reading: Reading<Value>, _ deed: String) throws -> Value {
        switch reading {
        case .read(let value): return value
        case .failed(let failure):
            throw CallEnd(failure).error(deed) ?? APIError(.internalError, deed)
        }
    }

    // MARK: Numbers

    private func numbers(_ body: NumbersBody, _ account: Int64) throws -> HTTPResponse {
        let token: String
        switch body.source {
        case .token(let given): token = given
        case .line(let name): token = try self.token(of: try line(name, account))
        }
        let facts = try need(
            tokenFacts(of: call(endpoint.debugToken(token, timeout: Onboarding.patience)), parser: parser),
            "the token could not be looked at")
        guard facts.isValid else {
            let why = facts.problem.map { ": \($0)" } ?? ""
            throw APIError(
                .metaRefused, "Meta does not take the token\(why)",
                [FieldError("errorCode", "190"), FieldError("remedy", "make a new token of a system user")])
        }
        let accounts = try accounts(body.wabaID, facts, token)
        let ours = try reader.lines(account: account)
        var listed: [(NamedNode, [ListedNumber])] = []
        for node in accounts { listed.append((node, try numbers(of: node.id, token))) }
        return .json(200) { json in
            json.array("data") {
                for (node, numbers) in listed {
                    $0.object {
                        $0.field("wabaId", node.id)
                        $0.field("name", node.name)
                        $0.array("numbers") {
                            for number in numbers {
                                let line = ours.first { $0.settings.phoneNumberID == number.id }
                                number.write(to: &$0, line: line?.name)
                            }
                        }
                    }
                }
            }
            json.object("meta") { facts.write(to: &$0) }
        }
    }

    /// Accounts shown at most: a token of a partner's may see very many.
    private static let accountsMax = 50
    private static let pagesMax = 20

    /// The one that was named; those the token is for; else those of its user's portfolios.
    private func accounts(_ given: String?, _ facts: TokenFacts, _ token: String) throws -> [NamedNode] {
        let ids = given.map { [$0] } ?? facts.wabaIDs
        if !ids.isEmpty {
            return try ids.prefix(Self.accountsMax).map { id in
                try need(
                    node(
                        of: call(endpoint.account(wabaID: id, token: token, timeout: Onboarding.patience)),
                        parser: parser),
                    "the account \(id) could not be read")
            }
        }
        let businesses = try need(
            nodes(of: call(endpoint.businesses(token: token, timeout: Onboarding.patience)), parser: parser),
            "the token's businesses could not be read")
        var found: [NamedNode] = []
        for business in businesses {
            for clients in [false, true] {
                let request = endpoint.accounts(
                    ofBusiness: business.id, clients: clients, token: token, timeout: Onboarding.patience)
                // A business that has no clients says no to the question.
                guard case .read(let accounts) = nodes(of: call(request), parser: parser) else { continue }
                for account in accounts where !found.contains(where: { $0.id == account.id }) { found.append(account) }
            }
        }
        return Array(found.prefix(Self.accountsMax))
    }

    func numbers(of wabaID: String, _ token: String) throws -> [ListedNumber] {
        var numbers: [ListedNumber] = []
        var after: String?
        for _ in 0..<Self.pagesMax {
            let request = endpoint.phoneNumbers(
                wabaID: wabaID, token: token, after: after, timeout: Onboarding.patience)
            let page = try need(
                numberPage(of: call(request), parser: parser), "the numbers of the account \(wabaID) could not be read")
            numbers += page.numbers
            after = page.after
            if after == nil { break }
        }
        return numbers
    }

    // MARK: Embedded Signup

    private func exchanged(_ body: ExchangeBody, _ account: Int64, proves: Bool) throws -> LineBody {
        let name = "app.\(body.app).secret"
        guard let secret = parts.secrets.value(name) else {
            throw APIError(
                .conflict, "there is no secret \(name): give the App Secret of Meta's dashboard as one, see outboxd(8)")
        }
        guard let appID = body.appID ?? parts.secrets.value("app.\(body.app).id") else {
            throw APIError.validation([
                FieldError(
                    "appId", "is missing: give Meta's id of the app, or keep it as the secret app.\(body.app).id")
            ])
        }
        let request = endpoint.exchange(
            code: body.code, appID: appID, secret: secret, redirectURI: body.redirectURI,
            timeout: Onboarding.patience)
        let token = try need(
            exchangedToken(of: call(request), parser: parser), "the code was not exchanged; a code lives 30 seconds")
        let waba = try body.wabaID ?? self.account(having: body.phoneNumberID, token)
        if proves, try !numbers(of: waba, token).contains(where: { $0.id == body.phoneNumberID }) {
            throw APIError(
                .forbidden, "the account \(waba) has no number \(body.phoneNumberID), as far as Meta tells")
        }
        let before = try reader.lines(account: account).first { $0.name == body.line }
        if proves, let before, before.settings.phoneNumberID != body.phoneNumberID {
            throw APIError(.conflict, "the line \(body.line) has another number by now: try once more")
        }
        var settings =
            before?.settings
            ?? LineSettings(
                name: body.line, phoneNumberID: body.phoneNumberID, wabaID: waba, credential: "",
                unknownPolicy: .byKind, unknownGrace: LineSettings.unknownGraceDefault, messagesPerSecond: nil)
        settings.phoneNumberID = body.phoneNumberID
        settings.wabaID = waba
        settings.credential = LineBody.tokenSecretName(line: body.line)
        return LineBody(settings: settings, token: token)
    }

    private func account(having number: String, _ token: String) throws -> String {
        let facts = try need(
            tokenFacts(of: call(endpoint.debugToken(token, timeout: Onboarding.patience)), parser: parser),
            "the token could not be looked at")
        for node in try accounts(nil, facts, token)
        where try numbers(of: node.id, token).contains(where: { $0.id == number }) {
            return node.id
        }
        throw APIError(
            .metaRefused, "none of the token's accounts has the number \(number): give its wabaId",
            [FieldError("remedy", "begin Embedded Signup anew: the code has been used")])
    }
}

extension ListedNumber {
    func write(to json: inout JSONWriter, line: String?) {
        json.object {
            $0.field("phoneNumberId", id)
            $0.field("displayPhoneNumber", displayPhoneNumber)
            $0.field("verifiedName", verifiedName)
            $0.field("status", status.name)
            $0.field("qualityRating", quality.name)
            $0.field("nameStatus", nameStatus)
            $0.field("messagingLimitTier", tier?.name)
            $0.field("line", line)
        }
    }
}

extension TokenFacts {
    func write(to json: inout JSONWriter) {
        json.object("token") {
            $0.field("type", type)
            $0.field("appId", appID)
            $0.field("appName", appName)
            $0.field("expiresAt", expiresAt?.rfc3339)
            $0.array("missingScopes") { for scope in missingScopes { $0.value(scope) } }
        }
    }

    var missingScopes: [String] { Self.needed.filter { !scopes.contains($0) } }
}
