import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

/// `line add NAME --wizard`: asks for what a line needs, step by step, and checks each answer with Meta at once. Broken
/// off, it leaves what is done; run again, it goes on from there.
struct LineWizard {
    private let name: String
    private let client: Client

    private struct Choice {
        var phoneNumberID: String
        var wabaID: String
    }

    init(_ name: String, _ arguments: Arguments, _ client: Client) throws {
        guard Prompt.isThere else {
            throw Arguments.Problem(
                "--wizard asks on a terminal; programs give --phone-number-id, --waba-id and --token -")
        }
        guard client.output == .text else { throw Arguments.Problem("--wizard talks to a person: no --json") }
        let others = (textFields.map(\.0) + numberFields.map(\.0) + ["token", "pair-limit", "bot", "auto-reply"])
            .filter(arguments.has)
        guard others.isEmpty else {
            throw Arguments.Problem("--wizard asks for all it needs: give --\(others[0]) afterwards, without it")
        }
        self.name = name
        self.client = client
    }

    func run() throws {
        do {
            try steps()
        } catch is Prompt.BrokenOff {
            print("\nBroken off. What was done stays; go on with outboxctl line add \(name) --wizard")
            throw ExitStatus.failed
        }
    }

    private func steps() throws {
        print("A line sends from one WhatsApp number. This asks for Meta's access token, then for the number.")
        print("Nothing is stored before the number is chosen; ^C breaks off.\n")
        let before = try client.call("GET", "/v1/lines")?.elements.first { $0["line"]?.string == name }
        let (token, found) = try token(before)
        showToken(found?["meta"]?["token"])
        let choice = try number(found, before, token)
        try store(choice, token, before)
        print("\nThe line \(name) is stored. Meta is asked for all it needs:")
        try mend()
        try offerTest()
        print("\nMeta's webhooks come by the reverse proxy to /webhooks/default; see outboxd(8), WEBHOOKS.")
    }

    /// Answers nil for what Meta or outboxd refused, which stands on standard error then.
    private func tried<Value>(_ body: () throws -> Value) throws -> Value? {
        do {
            return try body()
        } catch let status as ExitStatus where status != .notRunning {
            return nil
        }
    }

    // MARK: Token

    /// The new token, nil for the line's own, and the numbers it may use.
    private func token(_ before: JSONValue?) throws -> (String?, JSONValue?) {
        if before != nil, try Prompt.confirm("The line \(name) has a token. Keep it?", usual: true) {
            if let found = try tried({ try numbers(token: nil, line: name, wabaID: nil, client) }) {
                return (nil, found)
            }
            print("Meta does not take it: give a new one.")
        } else {
            print("Make one for a system user with whatsapp_business_messaging and whatsapp_business_management:")
            print("https://business.facebook.com/settings/system-users")
        }
        while true {
            let token = try Prompt.hidden("Access token (not shown): ")
            if token.isEmpty { continue }
            if let found = try tried({ try numbers(token: token, line: nil, wabaID: nil, client) }) {
                return (token, found)
            }
            print("Try once more.")
        }
    }

    private func showToken(_ token: JSONValue?) {
        let end = token?["expiresAt"]?.string.map { "ends at \($0)" } ?? "does not expire"
        let app = token?["appName"]?.string.map { " of the app \($0)" } ?? ""
        print("Meta takes the token\(app); it \(end).")
        if token?["expiresAt"]?.string != nil {
            print(
                Terminal.paint("A system user's token can live for ever; this one will have to be replaced.", .yellow))
        }
        let missing = token?["missingScopes"]?.elements.compactMap(\.string) ?? []
        if !missing.isEmpty {
            print(Terminal.paint("It lacks \(missing.joined(separator: ", ")): some of what follows will fail.", .red))
        }
    }

    // MARK: Number

    private func choices(_ found: JSONValue?) -> [(choice: Choice, words: String)] {
        var all: [(choice: Choice, words: String)] = []
        for account in found?["data"]?.elements.map({ $0 }) ?? [] {
            for number in account["numbers"]?.elements.map({ $0 }) ?? [] {
                guard let id = number["phoneNumberId"]?.string, let waba = account["wabaId"]?.string else { continue }
                let line = number["line"]?.string.map { ", the line \($0)" } ?? ""
                let words =
                    "\(plain(number["displayPhoneNumber"])) \(plain(number["verifiedName"])), \(plain(number["status"])), "
                    + "quality \(plain(number["qualityRating"])); id \(id) of account \(waba)\(line)"
                all.append((Choice(phoneNumberID: id, wabaID: waba), words))
            }
        }
        return all
    }

    private func number(_ found: JSONValue?, _ before: JSONValue?, _ token: String?) throws -> Choice {
        let all = choices(found)
        guard !all.isEmpty else { return try typedNumber(before, token) }
        print("\nNumbers this token may use:")
        for (index, entry) in all.enumerated() { print("  \(index + 1)  \(entry.words)") }
        let own = all.firstIndex { $0.choice.phoneNumberID == before?["phoneNumberId"]?.string }
        while true {
            let usual = own.map { String($0 + 1) } ?? (all.count == 1 ? "1" : nil)
            let answer = try Prompt.ask("Which one? Its place or its id", usual: usual)
            if let place = Int(answer), all.indices.contains(place - 1) { return all[place - 1].choice }
            if let entry = all.first(where: { $0.choice.phoneNumberID == answer }) { return entry.choice }
            print("There is no such number; answer 1 to \(all.count), or one of the ids.")
        }
    }

    /// The token does not tell which accounts it is for.
    private func typedNumber(_ before: JSONValue?, _ token: String?) throws -> Choice {
        print("\nMeta does not list this token's accounts. Both ids stand in Meta's WhatsApp Manager, API setup.")
        while true {
            let waba = try Prompt.ask("WhatsApp business account id", usual: before?["wabaId"]?.string)
            if waba.isEmpty { continue }
            let line = token == nil ? name : nil
            guard let found = try tried({ try numbers(token: token, line: line, wabaID: waba, client) }) else {
                continue
            }
            if choices(found).isEmpty {
                print("This account has no numbers.")
                continue
            }
            return try number(found, before, token)
        }
    }

    // MARK: Line

    private func store(_ choice: Choice, _ token: String?, _ before: JSONValue?) throws {
        var json = JSONWriter()
        json.object {
            $0.field("phoneNumberId", choice.phoneNumberID)
            $0.field("wabaId", choice.wabaID)
            if let token { $0.field("token", token) }
            for (_, field) in textFields where field != "phoneNumberId" && field != "wabaId" {
                if field == "tokenSecret", token != nil { continue }
                if let kept = before?[field]?.string { $0.field(field, kept) }
            }
            for (_, field, _) in numberFields {
                if let kept = before?[field]?.integer { $0.field(field, kept) }
            }
            if let kept = before?["pairLimit"]?.bool { $0.field("pairLimit", kept) }
            if let kept = before?["bot"]?.integer { $0.field("bot", kept) }
            writeAutoReply(to: &$0, nil, before)
        }
        _ = try client.call("PUT", "/v1/lines/\(percentEncoded(name))", body: json.bytes)
    }

    /// Looks at all, and offers what can be mended from here.
    private func mend() throws {
        var offered: Set<String> = []
        while true {
            guard
                let found = try tried({
                    try client.call("POST", "/v1/lines/\(percentEncoded(name))/verify", takesLong: true)
                }) ?? nil
            else { return }
            showChecks(found)
            let problems = Set(
                found["checks"]?.elements.filter { $0["verdict"]?.string == "problem" }
                    .compactMap { check in
                        check["remedy"]?.string?.contains("line register") ?? false
                            ? "register" : check["check"]?.string
                    } ?? [])
            if problems.contains("register"), offered.insert("register").inserted {
                guard try offerRegistration() else { continue }
            } else if problems.contains("subscription"), offered.insert("subscribe").inserted {
                guard try Prompt.confirm("Have Meta tell this app of the account by webhook?", usual: true) else {
                    return
                }
                _ = try tried {
                    try client.call("POST", "/v1/lines/\(percentEncoded(name))/subscribe", takesLong: true)
                }
            } else {
                return
            }
            print("")
        }
    }

    private func offerRegistration() throws -> Bool {
        guard try Prompt.confirm("Register the number now?", usual: true) else { return false }
        while true {
            let pin = try Prompt.hidden("PIN of six digits, a new one if it has none (not shown; empty: not now): ")
            if pin.isEmpty { return false }
            if try tried({ try register(name, pin, client) }) != nil { return true }
        }
    }

    // MARK: Test

    private func offerTest() throws {
        let to = try Prompt.ask("\nSend hello_world to a phone of yours? Its number, or empty for no")
        guard !to.isEmpty else { return }
        var json = JSONWriter()
        json.object {
            $0.field("line", name)
            $0.field("to", to)
            $0.object("template") {
                $0.field("name", "hello_world")
                $0.field("language", "en_US")
            }
        }
        guard let sent = try tried({ try client.call("POST", "/v1/messages", body: json.bytes) }) ?? nil,
            let id = sent["id"]?.string
        else { return }
        var status = ""
        for _ in 0..<60 {
            let message = try client.call("GET", "/v1/messages/\(id)")
            status = message?["status"]?.string ?? ""
            if ["sent", "delivered", "read", "failed"].contains(status) {
                let reason = message?["errorMessage"]?.string.map { ": \($0)" } ?? ""
                print("The message \(id) is \(status)\(reason)")
                return
            }
            sleep(1)
        }
        print("The message \(id) is still \(status): outboxctl why \(id)")
    }
}
