import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let lineShowCommand = Command(
    name: "line show", words: "NAME", summary: "one line: its settings, how its number and its access token stand"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    guard let line = try client.call("GET", "/v1/lines/\(percentEncoded(name))"), !client.wantsJSON else { return }
    show(line)
    guard let health = try client.call("GET", "/v1/lines/\(percentEncoded(name))/health") else { return }
    print("")
    for field in ["status", "canSendMessage", "qualityRating", "messagingLimitTier", "readAt", "problem"] {
        if let value = health[field], !value.isNull {
            print("\(field)\(String(repeating: " ", count: max(1, 20 - field.count)))\(plain(value))")
        }
    }
    showToken(health["token"], name)
}

/// Loudly when something is wrong with it.
private func showToken(_ token: JSONValue?, _ line: String) {
    guard let token, let state = token["state"]?.string else { return }
    let end = token["expiresAt"]?.string.map { ", until \($0)" } ?? ", does not expire"
    print("token               \(state)\(state == "refused" ? "" : end)")
    guard state != "valid" else { return }
    let reason = token["reason"]?.string.map { " (\($0))" } ?? ""
    print(
        Terminal.paint(
            "The access token needs an operator's hand\(reason): outboxctl line add \(line) --token -", .red))
}

let lineVerifyCommand = Command(
    name: "line verify", words: "NAME",
    summary: "ask Meta for all that a line needs: token, permissions, number, account, webhooks; exits 8 on a problem"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    let found = try client.call("POST", "/v1/lines/\(percentEncoded(name))/verify", takesLong: true)
    if !client.wantsJSON { showChecks(found) }
    if found?["ready"]?.bool != true { throw ExitStatus.unhealthy }
}

func showChecks(_ found: JSONValue?) {
    for check in found?["checks"]?.elements.map({ $0 }) ?? [] {
        let verdict = check["verdict"]?.string ?? "?"
        let colour: Terminal.Colour = verdict == "ok" ? .green : verdict == "warning" ? .yellow : .red
        print(
            "\(Terminal.paint(verdict, colour))\(String(repeating: " ", count: max(1, 9 - verdict.count)))"
                + "\(plain(check["check"])): \(plain(check["text"]))")
        if let remedy = check["remedy"]?.string { print("         \(remedy)") }
    }
}

let lineRegisterCommand = Command(
    name: "line register", words: "NAME",
    summary: "register a line's number with the Cloud API; its PIN of six digits is asked, or read from standard input"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    let pin = Prompt.isThere ? try Prompt.hidden("PIN: ") : trimmed(try readStandardInput(bytesMax: 64))
    try register(name, pin, client)
    if !client.wantsJSON { print("the number of \(name) is registered") }
}

func register(_ line: String, _ pin: String, _ client: Client) throws {
    var json = JSONWriter()
    json.object { $0.field("pin", pin) }
    _ = try client.call("POST", "/v1/lines/\(percentEncoded(line))/register", body: json.bytes, takesLong: true)
}

let lineSubscribeCommand = Command(
    name: "line subscribe", words: "NAME", summary: "have Meta tell the token's app of the line's account by webhook"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    _ = try client.call("POST", "/v1/lines/\(percentEncoded(name))/subscribe", takesLong: true)
    if !client.wantsJSON { print("Meta tells the app of the account of \(name)") }
}

let lineNumbersCommand = Command(
    name: "line numbers", words: "", summary: "the accounts and numbers that a token may use, and how they do",
    options: [
        .init("line", value: "LINE", "with the token of this line"),
        .init("token", value: "-", "with a token read from standard input; never give it on the command line"),
        .init("waba-id", value: "ID", "of this account alone"),
    ],
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard arguments.has("line") != arguments.has("token") else {
        throw Arguments.Problem("give --line LINE or --token -")
    }
    if let given = arguments["token"], given != "-" {
        throw Arguments.Problem("--token takes - alone: the token comes from standard input")
    }
    let token = arguments.has("token") ? trimmed(try readStandardInput(bytesMax: 8192)) : nil
    let found = try numbers(token: token, line: arguments["line"], wabaID: arguments["waba-id"], client)
    guard !client.wantsJSON else { return }
    var table = Table(["PHONE NUMBER ID", "WABA ID", "NUMBER", "NAME", "STATUS", "QUALITY", "TIER", "LINE"])
    for account in found?["data"]?.elements.map({ $0 }) ?? [] {
        for number in account["numbers"]?.elements.map({ $0 }) ?? [] {
            let fields = [
                "displayPhoneNumber", "verifiedName", "status", "qualityRating", "messagingLimitTier", "line",
            ]
            table.add([plain(number["phoneNumberId"]), plain(account["wabaId"])] + fields.map { plain(number[$0]) })
        }
    }
    table.show(client)
}

/// The whole answer.
func numbers(token: String?, line: String?, wabaID: String?, _ client: Client) throws -> JSONValue? {
    var json = JSONWriter()
    json.object {
        if let token { $0.field("token", token) }
        if let line { $0.field("line", line) }
        if let wabaID { $0.field("wabaId", wabaID) }
    }
    return try client.whole("POST", "/v1/onboarding/numbers", body: json.bytes, takesLong: true)
}

let lineExchangeCommand = Command(
    name: "line exchange", words: "NAME",
    summary: "make a line with what Embedded Signup handed over; the code is read from standard input within 30 s",
    options: [
        .init("app-id", value: "ID", "Meta's id of the app"),
        .init("app", value: "NAME", "whose secret app.NAME.secret is taken (default: default)"),
        .init("phone-number-id", value: "ID", "from the session event"),
        .init("waba-id", value: "ID", "from the session event"),
        .init("redirect-uri", value: "URI", "the one the code was asked for with, where there was one"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    let code = trimmed(try readStandardInput(bytesMax: 8192))
    var json = JSONWriter()
    json.object {
        $0.field("line", name)
        $0.field("code", code)
        for (option, field) in [
            ("app-id", "appId"), ("app", "app"), ("phone-number-id", "phoneNumberId"), ("waba-id", "wabaId"),
            ("redirect-uri", "redirectUri"),
        ] {
            if let value = arguments[option] { $0.field(field, value) }
        }
    }
    let line = try client.call("POST", "/v1/onboarding/exchange", body: json.bytes, takesLong: true)
    if !client.wantsJSON {
        print("line \(plain(line?["line"])) has its token; see outboxctl line verify \(name)")
    }
}
