import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

/// What chooses messages, as an option and as a parameter of the socket.
let messageFilters: [(option: Arguments.Option, field: String)] = [
    (
        .init(
            "status", value: "STATE",
            "scheduled, queued, processing, retrying, sent, delivered, read, failed, cancelled; several with commas"),
        "status"
    ),
    (
        .init(
            "gate", value: "GATE",
            "waiting for this: due_time, backoff, outcome_unknown, order, pair, tier, template, pause or person"),
        "gate"
    ),
    (.init("line", short: "l", value: "LINE", "of this line"), "line"),
    (.init("to", value: "NUMBER", "to this recipient"), "to"),
    (.init("batch", value: "ID", "submitted together in this batch"), "batchId"),
    (.init("since", value: "TIME", "accepted then or later, RFC 3339 with offset"), "since"),
    (.init("until", value: "TIME", "accepted before then"), "until"),
]

/// The filters given, as parameters.
func messageQuery(_ arguments: Arguments) -> [String] {
    messageFilters.compactMap { option, field in arguments[option.name].map { "\(field)=\(percentEncoded($0))" } }
}

let listCommand = Command(
    name: "ls", words: "[filters]", summary: "messages, newest first",
    options: messageFilters.map(\.option) + [
        .init("cursor", value: "CURSOR", "go on where a page ended"),
        .init("limit", short: "n", value: "N", "how many (default: 20, at most 200)"),
        .init("all", "all of them, however many"), .init("long", "more columns: gate, priority, batch, type"),
    ],
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    if arguments.has("all"), arguments.has("limit") { throw Arguments.Problem("--all and --limit exclude each other") }
    if arguments.has("all"), client.wantsJSON {
        throw Arguments.Problem("--all prints no JSON: outboxd answers in pages; take --cursor, or the log (tail)")
    }
    let query = messageQuery(arguments)
    let limit = arguments.has("all") ? Int.max : try arguments.integer("limit", in: 1...200) ?? 20
    let columns = arguments.has("long") ? longColumns : shortColumns
    var table = Table(columns.map(\.heading))
    var shown = 0
    var cursor = arguments["cursor"]
    // A filter that matches little gets short pages; they are joined here.
    repeat {
        let page =
            query + ["limit=\(min(limit - shown, 200))"] + (cursor.map { ["cursor=\(percentEncoded($0))"] } ?? [])
        let answer = try client.whole("GET", "/v1/messages?\(page.joined(separator: "&"))")
        guard let answer, !client.wantsJSON else { return }
        for message in answer["data"]?.elements.map({ $0 }) ?? [] {
            table.add(columns.map { plain(message[$0.field]) })
            shown += 1
        }
        cursor = answer["meta"]?["pagination"]?["cursor"]?.string
    } while cursor != nil && shown < limit
    table.show(client)
    if let cursor { complain("more: --cursor \(cursor)") }
}

private let shortColumns: [(heading: String, field: String)] = [
    ("ID", "id"), ("STATUS", "status"), ("LINE", "line"), ("TO", "to"), ("CREATED", "createdAt"),
    ("ATTEMPTS", "attempts"), ("ERROR", "errorCode"),
]

private let longColumns: [(heading: String, field: String)] = [
    ("ID", "id"), ("STATUS", "status"), ("GATE", "gate"), ("LINE", "line"), ("TO", "to"),
    ("PRIORITY", "priority"), ("CREATED", "createdAt"), ("DUE", "scheduledFor"), ("NEXT TRY", "nextAttemptAt"),
    ("ATTEMPTS", "attempts"), ("ERROR", "errorCode"), ("REASON", "errorMessage"), ("BATCH", "batchId"),
]

/// Every message a query finds, newest first, page by page.
func eachMessage(_ client: Client, _ query: [String], _ body: (JSONValue) throws -> Void) throws {
    var cursor: String?
    repeat {
        let page = query + ["limit=200"] + (cursor.map { ["cursor=\(percentEncoded($0))"] } ?? [])
        let answer = try client.whole("GET", "/v1/messages?\(page.joined(separator: "&"))")
        for message in answer?["data"]?.elements.map({ $0 }) ?? [] { try body(message) }
        cursor = answer?["meta"]?["pagination"]?["cursor"]?.string
    } while cursor != nil
}
