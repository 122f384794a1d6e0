import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

private let filters: [(option: Arguments.Option, field: String)] = [
    (.init("line", short: "l", value: "LINE", "of this line"), "line"),
    (.init("event", short: "e", value: "NAME", "of this kind, such as message.received; several with commas"), "event"),
    (.init("to", value: "NUMBER", "of messages to this recipient"), "to"),
    (.init("message", value: "ID", "of this message"), "message"),
]

let tailCommand = Command(
    name: "tail", words: "[-f] [filters]", summary: "what happened, from the oldest event kept; or as it happens",
    options: [.init("follow", short: "f", "go on with what happens; without --after or --cursor from now on")]
        + filters.map(\.option) + [
            .init("after", value: "SEQ", "begin behind this event"),
            .init("cursor", value: "NAME", "begin where this cursor stands, and move it on behind what was printed"),
            .init("keep-cursor", "leave it where it stands: outboxctl cursor set moves it when the work is done"),
        ]
) { arguments, client in
    _ = try words(arguments)
    // A reader that has seen enough ends it.
    signal(SIGPIPE, SIG_IGN)
    var query: [String] = []
    for (option, field) in filters {
        if let value = arguments[option.name] { query.append("\(field)=\(percentEncoded(value))") }
    }
    let start = try client.quietly { try place(arguments, $0) }
    var follower = LogFollower(client, query, after: start.after)
    follower.follows = arguments.has("follow")
    follower.hasConnected = true
    if arguments.has("keep-cursor"), start.cursor == nil {
        throw Arguments.Problem("--keep-cursor belongs to --cursor")
    }
    var cursor = arguments.has("keep-cursor") ? nil : start.cursor
    var output = StandardOutput()
    let table = EventTable()
    let ending = try follower.run { event, line in
        if client.wantsJSON {
            output.add(shown(json: line))
        } else if event["event"]?.string == "log.gap" {
            let (from, to) = (plain(event["data"]?["from"]), plain(event["data"]?["to"]))
            complain("outboxctl: events \(from) to \(to) are no longer kept, or not all of them")
        } else {
            output.add(table.row(event).utf8)
        }
        return true
    } pause: { last in
        guard output.flush() else { return false }
        if let last { try cursor?.move(to: last, client) }
        return true
    }
    if ending == .end, let last = follower.after, try cursor?.isBehind(last, client) ?? false {
        complain("outboxctl: the cursor could not be moved; what was printed will be printed again")
        throw ExitStatus.failed
    }
}

/// Where to begin, and the cursor to be moved.
private func place(_ arguments: Arguments, _ client: Client) throws -> (after: Int64?, cursor: MovedCursor?) {
    var after: Int64?
    if let text = arguments["after"] {
        guard let number = Int64(text), number >= 0 else {
            throw Arguments.Problem("--after must be the seq of an event, or 0")
        }
        after = number
    }
    let name = arguments["cursor"]
    if let after, name == nil { return (after, nil) }
    let answer = try client.whole("GET", "/v1/cursors")
    let beginning = arguments.has("follow") ? answer?["meta"]?["logEnd"]?.integer ?? 0 : nil
    guard let name else { return (beginning, nil) }
    let known = answer?["data"]?.elements.first { $0["cursor"]?.string == name }?["after"]?.integer
    if let known { return (after ?? known, MovedCursor(name: name, position: known)) }
    // A new one stands where it begins before anything is printed: nothing is lost if this ends at once.
    let start = after ?? beginning
    let body = Array(#"{"after":\#(start ?? 0)}"#.utf8)
    _ = try client.call("PUT", "/v1/cursors/\(percentEncoded(name))", body: body)
    return (start, MovedCursor(name: name, position: start ?? 0))
}

/// A cursor that follows what was printed.
private struct MovedCursor {
    let name: String
    var position: Int64

    /// Says that everything up to `last` was printed. When outboxd does not answer, the next time says it too.
    mutating func move(to last: Int64, _ client: Client) throws {
        guard last > position else { return }
        let body = Array(#"{"after":\#(last)}"#.utf8)
        guard
            case .answered(let status, _, let answer) = callAndWait(
                client.request("PUT", "/v1/cursors/\(percentEncoded(name))", body: body))
        else { return }
        switch status {
        case 200...299: position = last
        case 500...599: break
        default: throw client.refused(status, try? JSONParser().parse(answer))
        }
    }

    /// Tries once more.
    mutating func isBehind(_ last: Int64, _ client: Client) throws -> Bool {
        try move(to: last, client)
        return position < last
    }
}

/// One line an event: aligned on a terminal, with tabs and whole ids elsewhere.
struct EventTable {
    private let isTerminal = isatty(STDOUT_FILENO) != 0

    func row(_ event: JSONValue) -> String {
        let data = event["data"]
        let id = data?["messageId"]?.string
        let other = data?["to"] ?? data?["contactReplyTo"]
        var cells = [plain(event["seq"]), plain(event["timestamp"]), plain(data?["messageId"]), plain(data?["line"])]
        cells += [plain(other), plain(event["event"]), plain(data?["status"])]
        if event["event"]?.string == "message.received" {
            cells.append("\(plain(data?["type"])) \(data?["text"]?.string ?? "")")
        } else if id == nil {
            cells.append(plain(data))
        } else if let code = data?["errorCode"]?.string {
            cells.append("\(code) \(data?["errorMessage"]?.string ?? "")")
        }
        cells = cells.map(\.onOneLine)
        guard isTerminal else { return cells.joined(separator: "\t") }
        // The last digits: the first ones are the time, the same for all of a minute.
        if let id { cells[2] = String(id.suffix(8)) }
        let widths = [6, 24, 8, 12, 15, 22, 10]
        return zip(cells, widths + [0]).map { cell, width in
            cell + String(repeating: " ", count: max(0, width - cell.count))
        }.joined(separator: "  ")
    }
}

let cursorListCommand = Command(
    name: "cursor ls", words: "", summary: "cursors in the log: where each stands and how far that is behind",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let cursors = try client.call("GET", "/v1/cursors"), !client.wantsJSON else { return }
    var table = Table(["CURSOR", "AFTER", "BEHIND", "UPDATED"])
    for cursor in cursors.elements { table.add(["cursor", "after", "behind", "updatedAt"].map { plain(cursor[$0]) }) }
    table.show(client)
}

let cursorSetCommand = Command(
    name: "cursor set", words: "NAME SEQ", summary: "everything up to this event is done; never goes back by itself",
    options: [.init("rewind", "go back to it")]
) { arguments, client in
    let words = try words(arguments, "NAME", "SEQ")
    guard let after = Int64(words[1]), after >= 0 else {
        throw Arguments.Problem("\(words[1]): SEQ is the seq of an event, or 0")
    }
    var json = JSONWriter()
    json.object {
        $0.field("after", after)
        if arguments.has("rewind") { $0.field("rewind", true) }
    }
    guard let cursor = try client.call("PUT", "/v1/cursors/\(percentEncoded(words[0]))", body: json.bytes),
        !client.wantsJSON
    else { return }
    show(cursor)
}

let cursorRemoveCommand = Command(name: "cursor rm", words: "NAME", summary: "forget a cursor") { arguments, client in
    _ = try client.call("DELETE", "/v1/cursors/\(percentEncoded(try words(arguments, "NAME")[0]))")
}
