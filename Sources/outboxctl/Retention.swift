import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let retentionListCommand = Command(
    name: "retention ls", words: "", summary: "how long what has ended is kept",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let rules = try client.call("GET", "/v1/retention"), !client.wantsJSON else { return }
    var table = Table(["KIND", "MAX AGE S", "MAX COUNT"])
    for rule in rules.elements { table.add(["kind", "maxAgeSeconds", "maxCount"].map { plain(rule[$0]) }) }
    table.show(client)
}

let retentionSetCommand = Command(
    name: "retention set", words: "KIND",
    summary: "say how long read, delivered, sent, failed, cancelled, webhooks, events or received is kept",
    options: [
        .init("max-age", value: "SPAN", "since its end: 90s, 30m, 2h, 90d"),
        .init("max-count", value: "N", "the newest N"),
        .init("for-ever", "without a bound"),
    ]
) { arguments, client in
    let kind = try words(arguments, "KIND")[0]
    let count = try arguments.integer("max-count", in: 0...1_000_000_000_000)
    guard arguments.has("for-ever") != (arguments.has("max-age") || count != nil) else {
        throw Arguments.Problem("give --max-age, --max-count or both, or --for-ever alone")
    }
    var json = JSONWriter()
    try json.object {
        if let age = arguments["max-age"] { $0.field("maxAgeSeconds", try seconds(age)) }
        if let count { $0.field("maxCount", count) }
    }
    guard let rule = try client.call("PUT", "/v1/retention/\(percentEncoded(kind))", body: json.bytes),
        !client.wantsJSON
    else { return }
    show(rule)
}
