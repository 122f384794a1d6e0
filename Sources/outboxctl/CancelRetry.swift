import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

private let selectionOptions =
    messageFilters.map(\.option) + [
        .init("all", "every one it can be done to"),
        .init("dry-run", "only count them, by line, status and gate; change nothing"),
    ]

let cancelCommand = Command(
    name: "cancel", words: "[ID...]",
    summary: "take back messages that have not left, by id (- reads ids) or by filter",
    options: selectionOptions, printsIDs: true
) { arguments, client in
    try Selection(arguments, client, verb: "cancel", states: "scheduled,queued,retrying").run()
}

let retryCommand = Command(
    name: "retry", words: "[ID...]", summary: "queue failed messages again, by id (- reads ids) or by filter",
    options: selectionOptions, printsIDs: true
) { arguments, client in
    try Selection(arguments, client, verb: "retry", states: "failed").run()
}

let moveCommand = Command(
    name: "move", words: "[ID...]",
    summary: "send waiting messages from another line, by id (- reads ids) or by filter",
    options: [.init("line-to", value: "NAME", "the line they shall go to")] + selectionOptions, printsIDs: true
) { arguments, client in
    guard let line = arguments["line-to"] else { throw Arguments.Problem("--line-to is missing: the line to move to") }
    var json = JSONWriter()
    json.object { $0.field("line", line) }
    try Selection(
        arguments, client, verb: "move", states: "scheduled,queued,retrying", body: json.bytes, notOfLine: line
    ).run()
}

/// Messages something is done to: by their ids, or all that filters find.
private struct Selection {
    let arguments: Arguments
    let client: Client
    let verb: String
    /// Those it can be done to.
    let states: String
    let body: [UInt8]
    /// Messages of this line are passed over.
    let notOfLine: String?

    init(
        _ arguments: Arguments, _ client: Client, verb: String, states: String, body: [UInt8] = [],
        notOfLine: String? = nil
    ) throws {
        self.arguments = arguments
        self.client = client
        self.verb = verb
        self.states = states
        self.body = body
        self.notOfLine = notOfLine
        let isFiltered = !messageQuery(arguments).isEmpty
        guard [!arguments.words.isEmpty, isFiltered || arguments.has("all")].count(where: { $0 }) == 1 else {
            throw Arguments.Problem(
                arguments.words.isEmpty
                    ? "say which: IDs, filters as of ls, or --all; see --help" : "IDs and filters exclude each other")
        }
        if arguments.has("dry-run"), !arguments.words.isEmpty {
            throw Arguments.Problem("--dry-run is for filters; outboxctl show ID tells of one message")
        }
    }

    func run() throws {
        if !arguments.words.isEmpty { return try each(nil, arguments, client, verb, body: body) }
        // Looked for first: what is done changes what the filters find.
        var ids: [String] = []
        var counts: [[String]: Int] = [:]
        let query = messageQuery(arguments) + (arguments.has("status") ? [] : ["status=\(states)"])
        try client.quietly { client in
            try eachMessage(client, query) { message in
                guard notOfLine == nil || message["line"]?.string != notOfLine else { return }
                ids.append(plain(message["id"]))
                counts[["line", "status", "gate"].map { plain(message[$0]) }, default: 0] += 1
            }
        }
        if arguments.has("dry-run") { return showCounts(counts, ids) }
        try carryOut(ids)
    }

    private func showCounts(_ counts: [[String]: Int], _ ids: [String]) {
        let sorted = counts.sorted { $0.key.joined(separator: "\0") < $1.key.joined(separator: "\0") }
        switch client.output {
        case .id: for id in ids { print(id) }
        case .json:
            var json = JSONWriter()
            json.object {
                $0.object("data") {
                    $0.field("dryRun", true)
                    $0.field("total", ids.count)
                    $0.array("counts") {
                        for (names, count) in sorted {
                            $0.object {
                                $0.field("line", names[0])
                                $0.field("status", names[1])
                                $0.field("gate", names[2] == "-" ? nil : names[2])
                                $0.field("count", count)
                            }
                        }
                    }
                }
            }
            print(String(decoding: json.bytes, as: UTF8.self))
        case .text:
            var table = Table(["LINE", "STATUS", "GATE", "MESSAGES"])
            for (names, count) in sorted { table.add(names + [String(count)]) }
            table.show(client)
            print("\(ids.count) messages in all; nothing was changed")
        }
    }

    /// Some may have moved on since: that is counted, and no reason to stop.
    private func carryOut(_ ids: [String]) throws {
        let progress = client.output == .text ? ProgressBar(total: ids.count) : nil
        var done: [String] = []
        var refused: [String: Int] = [:]
        for (index, id) in ids.enumerated() {
            switch client.patiently(client.request("POST", "/v1/messages/\(percentEncoded(id))/\(verb)", body: body)) {
            case .answered(200...299, _, _): done.append(id)
            case .answered(let status, _, let bytes):
                let answer = try? JSONParser().parse(bytes)
                guard [400, 404, 409].contains(status) else {
                    progress?.end()
                    complain("outboxctl: \(done.count) of \(ids.count) were done before")
                    throw client.refused(status, answer)
                }
                refused[answer?["error"]?["message"]?.string ?? "HTTP \(status)", default: 0] += 1
            case .notSent(let text), .broken(let text):
                progress?.end()
                complain("outboxctl: \(done.count) of \(ids.count) were done before")
                throw client.notRunning(text)
            }
            progress?.show(index + 1)
        }
        progress?.end()
        show(done, refused)
        if !refused.isEmpty { throw ExitStatus.refused }
    }

    private func show(_ done: [String], _ refused: [String: Int]) {
        switch client.output {
        case .id: for id in done { print(id) }
        case .json:
            var json = JSONWriter()
            json.object {
                $0.object("data") {
                    $0.field("done", done.count)
                    $0.field("refused", refused.values.reduce(0, +))
                }
            }
            print(String(decoding: json.bytes, as: UTF8.self))
        case .text: print("\(verb): \(done.count) done\(refused.isEmpty ? "" : ", the rest refused")")
        }
        for (reason, count) in refused.sorted(by: { $0.key < $1.key }) { complain("\(count) refused: \(reason)") }
    }
}

/// Does it to every id; the last refusal decides the exit status.
func each(
    _ ids: [String]?, _ arguments: Arguments, _ client: Client, _ verb: String, body: [UInt8] = []
) throws {
    let ids = try ids ?? namedIDs(arguments)
    guard !ids.isEmpty else { throw Arguments.Problem("\(verb) takes the id of a message; see --help") }
    var refusal: ExitStatus?
    for id in ids {
        do {
            let data = try client.call("POST", "/v1/messages/\(percentEncoded(id))/\(verb)", body: body)
            switch client.output {
            case .text: print("\(id)\t\(plain(data?["status"]))")
            case .id: print(id)
            case .json: break
            }
        } catch let status as ExitStatus {
            if status == .notRunning { throw status }
            complain("  that was \(id)")
            refusal = status
        }
    }
    if let refusal { throw refusal }
}

/// Those on the command line; for `-` those that come in, with white space between them.
private func namedIDs(_ arguments: Arguments) throws -> [String] {
    guard arguments.words == ["-"] else { return arguments.words }
    return try readStandardInput(bytesMax: 64 << 20).split(whereSeparator: \.isWhitespace).map(String.init)
}
