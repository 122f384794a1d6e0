import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

private let settings: [Arguments.Option] = [
    .init("line", short: "l", value: "NAME", "events of this line alone; * for all (default)"),
    .init("events", value: "NAMES", "with commas, such as message.status_updated; * for all (default)"),
    .init("active", value: "YES", "yes (default) or no"),
    .init("format", value: "FORMAT", "in whose words: outboxd (default), aircall or organization"),
    .init("events-per-call", value: "N", "so many events in one call at most, up to 100 (default: 1, each alone)"),
]

let webhookListCommand = Command(
    name: "webhook ls", words: "", summary: "subscriptions: who is told of events, and how that goes",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let all = try client.call("GET", "/v1/subscriptions"), !client.wantsJSON else { return }
    var table = Table(["ID", "URL", "LINE", "EVENTS", "ACTIVE", "BEHIND", "WAITING", "GIVEN UP", "ERROR"])
    for one in all.elements {
        let events = one["events"]?.elements.compactMap(\.string).joined(separator: ",") ?? ""
        let error = one["inactiveReason"]?.string ?? one["lastError"]?.string ?? ""
        table.add(
            [plain(one["id"]), plain(one["url"]), one["line"]?.string ?? "*", events.isEmpty ? "*" : events]
                + ["active", "behind", "waiting", "givenUp"].map { plain(one[$0]) } + [error])
    }
    table.show(client)
}

let webhookAddCommand = Command(
    name: "webhook add", words: "URL", summary: "tell a web server of events; prints the secret that signs, once",
    options: settings + [
        .init("secret", value: "-", "read the secret from standard input: whsec_ and Base64 (default: one is made)"),
        .init("after", value: "SEQ", "begin behind this event (default: with the next one)"),
    ]
) { arguments, client in
    let url = try words(arguments, "URL")[0]
    let secret = try secret(arguments)
    let after = try arguments.integer("after", in: 0...Int.max)
    var json = JSONWriter()
    try json.object {
        try write(arguments, url: url, before: nil, to: &$0)
        if let secret { $0.field("secret", secret) }
        if let after { $0.field("after", after) }
    }
    guard let made = try client.call("POST", "/v1/subscriptions", body: json.bytes), !client.wantsJSON else { return }
    print("subscription \(plain(made["id"])) begins behind event \(plain(made["cursor"]))")
    print(plain(made["secret"]))
}

let webhookSetCommand = Command(
    name: "webhook set", words: "ID",
    summary: "change what is given of a subscription; one that is inactive and is set active goes on where it stood",
    options: [.init("url", value: "URL", "where to")] + settings
) { arguments, client in
    let path = "/v1/subscriptions/\(percentEncoded(try words(arguments, "ID")[0]))"
    guard let before = try client.quietly({ try $0.call("GET", path) }) else { return }
    var json = JSONWriter()
    try json.object {
        try write(arguments, url: arguments["url"] ?? plain(before["url"]), before: before, to: &$0)
    }
    guard let after = try client.call("PUT", path, body: json.bytes), !client.wantsJSON else { return }
    show(after)
}

/// What is not given stays as it was.
private func write(_ arguments: Arguments, url: String, before: JSONValue?, to json: inout JSONWriter) throws {
    json.field("url", url)
    let line = arguments["line"] ?? before?["line"]?.string
    json.field("line", line == "*" ? nil : line)
    if let events = arguments["events"] {
        if events != "*" {
            json.array("events") { for name in events.split(separator: ",") { $0.value(String(name)) } }
        }
    } else if let events = before?["events"] {
        json.field("events", raw: events.raw)
    }
    if let format = arguments["format"] ?? before?["format"]?.string { json.field("format", format) }
    let perCall = try arguments.integer("events-per-call", in: 1...100).map(Int64.init)
    if let number = perCall ?? before?["eventsPerCall"]?.integer { json.field("eventsPerCall", number) }
    switch arguments["active"] {
    case nil: json.field("active", before?["active"]?.bool ?? true)
    case "yes": json.field("active", true)
    case "no": json.field("active", false)
    default: throw Arguments.Problem("--active must be yes or no")
    }
}

private func secret(_ arguments: Arguments) throws -> String? {
    guard let given = arguments["secret"] else { return nil }
    // A command line can be read by everybody on the machine.
    guard given == "-" else {
        throw Arguments.Problem("--secret takes - alone: the secret comes from standard input")
    }
    let text = try readStandardInput(bytesMax: 1024)
    return text.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
}

let webhookRemoveCommand = Command(
    name: "webhook rm", words: "ID", summary: "remove a subscription, its secret and its deliveries"
) { arguments, client in
    _ = try client.call("DELETE", "/v1/subscriptions/\(percentEncoded(try words(arguments, "ID")[0]))")
}

let webhookTestCommand = Command(
    name: "webhook test", words: "ID", summary: "call the endpoint now with a test event; exits 5 when it is not taken"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let result = try client.call("POST", "/v1/subscriptions/\(percentEncoded(id))/test") else { return }
    let taken = result["delivered"]?.bool ?? false
    if !client.wantsJSON {
        let what = taken ? "taken: HTTP \(plain(result["httpStatus"]))" : "not taken: \(plain(result["error"]))"
        print("\(what), \(plain(result["milliseconds"])) ms")
    }
    if !taken { throw ExitStatus.refused }
}

let webhookRotateCommand = Command(
    name: "webhook rotate", words: "ID",
    summary: "a new secret, printed once; the old one signs beside it until --end-old",
    options: [
        .init("secret", value: "-", "read the new secret from standard input (default: one is made)"),
        .init("end-old", "the endpoint knows the new secret: the old one signs no more"),
    ]
) { arguments, client in
    let path = "/v1/subscriptions/\(percentEncoded(try words(arguments, "ID")[0]))"
    if arguments.has("end-old") {
        guard !arguments.has("secret") else { throw Arguments.Problem("--end-old and --secret exclude each other") }
        _ = try client.call("DELETE", "\(path)/old-secret")
        return
    }
    var json = JSONWriter()
    let given = try secret(arguments)
    json.object { if let given { $0.field("secret", given) } }
    guard let made = try client.call("POST", "\(path)/rotate", body: json.bytes), !client.wantsJSON else { return }
    print(plain(made["secret"]))
}

let webhookDeliveriesCommand = Command(
    name: "webhook deliveries", words: "ID", summary: "how telling a subscription of events went, newest first",
    options: [.init("status", value: "STATUS", "waiting, delivered or failed (given up)")] + pageOptions
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    try page(
        "/v1/subscriptions/\(percentEncoded(id))/deliveries", arguments, client, filters: [("status", "status")],
        ["SEQ", "STATUS", "TRIES", "HTTP", "NEXT TRY", "ENDED", "MESSAGE", "ERROR"]
    ) { delivery in
        ["seq", "status", "attempts", "httpStatus", "nextAttemptAt", "endedAt", "messageId", "error"].map {
            plain(delivery[$0])
        }
    }
}

let webhookReplayCommand = Command(
    name: "webhook replay", words: "ID", summary: "tell a subscription of events again, each by the id it had",
    options: [
        .init("failed", "those that were given up"),
        .init("event", value: "SEQ", "this one"),
        .init("from", value: "SEQ", "from this one on"),
        .init("to", value: "SEQ", "up to this one (default: the last)"),
    ]
) { arguments, client in
    let path = "/v1/subscriptions/\(percentEncoded(try words(arguments, "ID")[0]))/replay"
    var from = try arguments.integer("from", in: 1...Int.max)
    let to = try arguments.integer("to", in: 1...Int.max)
    let event = try arguments.integer("event", in: 1...Int.max)
    var count: Int64 = 0
    // One call takes a slice of the log.
    repeat {
        var json = JSONWriter()
        json.object {
            if let event { $0.field("event", event) }
            if arguments.has("failed") { $0.field("failed", true) }
            if let from { $0.field("from", from) }
            if let to { $0.field("to", to) }
        }
        guard let answer = try client.call("POST", path, body: json.bytes) else { return }
        count += answer["replayed"]?.integer ?? 0
        from = answer["next"]?.integer.map { Int($0) }
    } while from != nil
    if !client.wantsJSON { print("\(count) event\(count == 1 ? "" : "s") will be told again") }
}
