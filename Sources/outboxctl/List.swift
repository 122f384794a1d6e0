import OutboxCommandLine
import OutboxJSON

private let filters: [(option: Arguments.Option, field: String)] = [
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
    (.init("cursor", value: "CURSOR", "go on where a page ended"), "cursor"),
]

let listCommand = Command(
    name: "ls", words: "[filters]", summary: "messages, newest first",
    options: filters.map(\.option) + [.init("limit", short: "n", value: "N", "how many (default: 20, at most 200)")]
) { arguments, client in
    _ = try words(arguments)
    var query: [String] = []
    for (option, field) in filters {
        if let value = arguments[option.name] { query.append("\(field)=\(escaped(value))") }
    }
    let limit = try arguments.integer("limit", in: 1...200) ?? 20
    var table = Table(["ID", "STATUS", "LINE", "TO", "CREATED", "ATTEMPTS", "ERROR"])
    var shown = 0
    var cursor: String?
    // A filter that matches little gets short pages; they are joined here.
    repeat {
        let page = (query + ["limit=\(limit - shown)"] + (cursor.map { ["cursor=\(escaped($0))"] } ?? []))
            .joined(separator: "&")
        guard let answer = try client.whole("GET", "/v1/messages?\(page)"), !client.wantsJSON else { return }
        for message in answer["data"]?.elements.map({ $0 }) ?? [] {
            table.add(
                ["id", "status", "line", "to", "createdAt", "attempts", "errorCode"].map { plain(message[$0]) })
            shown += 1
        }
        query.removeAll { $0.hasPrefix("cursor=") }
        cursor = answer["meta"]?["pagination"]?["cursor"]?.string
    } while cursor != nil && shown < limit
    table.show()
    if let cursor { complain("more: --cursor \(cursor)") }
}
