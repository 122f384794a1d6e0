import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let unknownListCommand = Command(
    name: "unknown ls", words: "", summary: "messages nobody knows the outcome of, newest first",
    options: [.init("line", short: "l", value: "LINE", "of this line")] + pageOptions,
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page(
        "/v1/messages", arguments, client, filters: [("line", "line")], always: ["gate=outcome_unknown"],
        ["ID", "LINE", "TO", "ATTEMPT", "POLICY", "WHY"]
    ) { message in
        ["id", "line", "to", "attempts", "onUnknown", "errorMessage"].map { plain(message[$0]) }
    }
}

let unknownResolveCommand = Command(
    name: "unknown resolve", words: "[ID...]",
    summary: "say what became of messages with an unknown outcome, by id (- reads ids)",
    options: [
        .init("as", value: "WHAT", "sent: it got there; failed: it did not and shall not; resend: once more"),
        .init("wamid", value: "ID", "with sent: Meta's id of the message, so that its statuses find it"),
        .init("all", "every one, of --line if given"),
        .init("line", short: "l", value: "LINE", "with --all: of this line"),
    ],
    printsIDs: true
) { arguments, client in
    guard let what = arguments["as"] else { throw Arguments.Problem("--as is missing: sent, failed or resend") }
    guard arguments.has("all") != !arguments.words.isEmpty else {
        throw Arguments.Problem("say which: IDs, or --all; see outboxctl unknown ls")
    }
    if arguments.has("line"), !arguments.has("all") { throw Arguments.Problem("--line belongs to --all") }
    if arguments.has("wamid"), arguments.words.count != 1 || arguments.words == ["-"] {
        throw Arguments.Problem("--wamid is of one message: give one ID")
    }
    var json = JSONWriter()
    json.object {
        $0.field("as", what)
        if let wamid = arguments["wamid"] { $0.field("whatsappMessageId", wamid) }
    }
    guard arguments.has("all") else { return try each(nil, arguments, client, "resolve", body: json.bytes) }
    var cursor: String?
    repeat {
        let page = try client.quietly { try unknowns($0, arguments["line"], cursor: cursor) }
        let ids = page.messages.compactMap { $0["id"]?.string }
        if !ids.isEmpty { try each(ids, arguments, client, "resolve", body: json.bytes) }
        cursor = page.cursor
    } while cursor != nil
}

/// As many as one page takes.
private func unknowns(_ client: Client, _ line: String?, cursor: String?) throws -> (
    messages: [JSONValue], cursor: String?
) {
    var query = "gate=outcome_unknown&limit=200"
    if let line { query += "&line=\(percentEncoded(line))" }
    if let cursor { query += "&cursor=\(percentEncoded(cursor))" }
    let answer = try client.whole("GET", "/v1/messages?\(query)")
    return (answer?["data"]?.elements.map { $0 } ?? [], answer?["meta"]?["pagination"]?["cursor"]?.string)
}
