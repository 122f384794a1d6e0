import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// `send --from`: the messages of a file or pipe, one a row or line.
struct SendFile {
    private static let bytesMax = 256 << 20
    /// How long a restart of outboxd is waited for.
    private static let patience = Duration.seconds(60)
    private static let dryRunAtOnce = 1000
    static let formats = ["csv", "ndjson"]

    private let client: Client
    private let arguments: Arguments
    /// Each one message, as JSON without line ends, with the line of the file it stands in.
    private var messages: [(line: Int, json: [UInt8])] = []

    init(_ arguments: Arguments, _ client: Client) throws {
        self.client = client
        self.arguments = arguments
        guard arguments.words.isEmpty else {
            throw Arguments.Problem("with --from no TO and TEXT are given: both stand in the file")
        }
        let ofOne = ["wait", "param", "components", "metadata", "preview-url", "preview", "timeout"]
        for option in ofOne + SendContent.options.map(\.name) where arguments.has(option) {
            throw Arguments.Problem("--\(option) is for a single message; in a file it is a field")
        }
        let file = arguments["from"] ?? "-"
        let text = try readFile(file, bytesMax: Self.bytesMax)
        let defaults = SendDefaults(arguments)
        switch try format(file, text) {
        case "csv": messages = try SendRows(CSV(text), defaults).messages
        default: messages = try SendLines(text, defaults).messages
        }
        guard !messages.isEmpty else { throw Arguments.Problem("there is no message in \(file)") }
    }

    private func format(_ file: String, _ text: String) throws -> String {
        if let format = arguments["format"] {
            guard Self.formats.contains(format) else { throw Arguments.Problem("--format must be csv or ndjson") }
            return format
        }
        for format in Self.formats where file.hasSuffix(".\(format)") { return format }
        return text.first { !$0.isWhitespace } == "{" ? "ndjson" : "csv"
    }

    func run() throws {
        if arguments.has("dry-run") { return try dryRun() }
        let key = arguments["idempotency-key"] ?? "outboxctl-\(UInt64.random(in: 0 ... .max))"
        var body: [UInt8] = []
        var ends: [Int] = []
        for message in messages {
            body += message.json
            body.append(0x0A)
            ends.append(body.count)
        }
        let progress = client.output == .text ? ProgressBar(total: messages.count) : nil
        var request = client.request(
            "POST", "/v1/messages/bulk", headers: ["Idempotency-Key: \(key)"], body: body)
        request.headers[0] = "Content-Type: application/x-ndjson"
        request.timeout = .zero
        // outboxd takes no more than it has put on the disk.
        request.tellsSent = { [ends] sent in progress?.show(ends.partitioningIndex { $0 > sent }) }
        // Whoever breaks it off at a terminal has to know.
        if isatty(STDERR_FILENO) != 0, client.output == .text {
            complain("outboxctl: if this is cut off: \(again(key))")
        }
        let answer: JSONValue
        do {
            answer = try untilAnswered(request, progress)
        } catch {
            complain("outboxctl: \(again(key))")
            throw error
        }
        progress?.end()
        try tell(answer, key)
    }

    /// What was stored before a restart is not stored again: it is the same call with the same key.
    private func untilAnswered(_ request: OutgoingRequest, _ progress: ProgressBar?) throws -> JSONValue {
        var end = ContinuousClock.now + Self.patience
        var hasConnected = false
        while true {
            let began = ContinuousClock.now
            let result = callAndWait(request)
            // One that went on for a while got somewhere: what ended it has just begun.
            if hasConnected == false || ContinuousClock.now - began > .seconds(1) {
                end = ContinuousClock.now + Self.patience
            }
            switch result {
            case .answered(let status, _, let bytes):
                let answer = try? JSONParser().parse(bytes)
                if (200...299).contains(status), let answer {
                    if client.output == .json {
                        print(String(decoding: shown(json: bytes), as: UTF8.self), terminator: "")
                    }
                    return answer
                }
                if status == 503, hasConnected, ContinuousClock.now < end { break }
                progress?.end()
                if let queued = answer?["data"]?["queued"]?.integer, queued > 0 {
                    complain("outboxctl: \(queued) messages are queued already, the others are not")
                }
                throw client.refused(status, answer)
            case .notSent(let text):
                guard hasConnected, ContinuousClock.now < end else { throw client.notRunning(text) }
            case .broken(let text):
                guard ContinuousClock.now < end else { throw client.notRunning(text) }
            }
            hasConnected = true
            usleep(200_000)
        }
    }

    private func tell(_ answer: JSONValue, _ key: String) throws {
        let data = answer["data"]
        for error in data?["errors"]?.elements.map({ $0 }) ?? [] { tell(error: error) }
        let failed = data?["failedCount"]?.integer ?? 0
        let batch = data?["batchId"]?.string
        switch client.output {
        case .json: break
        case .id: if let batch { try printIDs(of: batch) }
        case .text:
            print("queued \(plain(data?["queued"])) of \(plain(data?["totalMessages"])), batch \(batch ?? "-")")
            if let by = data?["estimate"]?["leavesBy"]?.string { print("what is due will have left by \(by)") }
        }
        if failed > 0 {
            complain(
                "outboxctl: \(failed) of \(messages.count) were refused; mend their lines, then \(again(key))")
            throw ExitStatus.refused
        }
    }

    private func again(_ key: String) -> String {
        "send the file again with --idempotency-key \(key): what is queued is not queued twice"
    }

    /// `{"index":3,"error":{...}}`
    private func tell(error entry: JSONValue) {
        let index = entry["index"]?.integer.map(Int.init) ?? 0
        let place = messages.indices.contains(index) ? "line \(messages[index].line)" : "item \(index + 1)"
        let error = entry["error"]
        let details = error?["details"]?.elements.map { "\(plain($0["field"])) \(plain($0["message"]))" } ?? []
        let text = details.isEmpty ? plain(error?["message"]) : details.joined(separator: "; ")
        complain("\(place): \(text.onOneLine)")
    }

    private func printIDs(of batch: String) throws {
        var ids: [String] = []
        try client.quietly { client in
            try eachMessage(client, ["batchId=\(percentEncoded(batch))"]) { ids.append(plain($0["id"])) }
        }
        for id in ids.reversed() { print(id) }
    }

    private func dryRun() throws {
        var queued: Int64 = 0
        var failed: Int64 = 0
        var leavesBy: String?
        for start in stride(from: 0, to: messages.count, by: Self.dryRunAtOnce) {
            let some = messages[start..<min(start + Self.dryRunAtOnce, messages.count)]
            var json = JSONWriter()
            json.object {
                $0.field("dryRun", true)
                $0.array("messages") { for message in some { $0.value(raw: message.json) } }
            }
            let data = try client.call("POST", "/v1/messages/bulk", body: json.bytes)
            queued += data?["queued"]?.integer ?? 0
            failed += data?["failedCount"]?.integer ?? 0
            leavesBy = data?["estimate"]?["leavesBy"]?.string ?? leavesBy
            for error in data?["errors"]?.elements.map({ $0 }) ?? [] {
                let index = error["index"]?.integer.map(Int.init) ?? 0
                let line = some.dropFirst(index).first?.line ?? 0
                let details = error["error"]?["details"]?.elements.map {
                    "\(plain($0["field"])) \(plain($0["message"]))"
                }
                complain(
                    "line \(line): \((details ?? []).joined(separator: "; ").onOneLine)")
            }
        }
        if client.output == .text {
            print(
                "would queue \(queued) of \(messages.count)\(leavesBy.map { ", all would have left by \($0)" } ?? "")")
        }
        if failed > 0 { throw ExitStatus.refused }
    }
}

extension [Int] {
    /// How many at the beginning do not fulfil it; all that fulfil it stand behind them.
    fileprivate func partitioningIndex(_ isBehind: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// How far it is, on a terminal alone.
final class ProgressBar: @unchecked Sendable {
    private let total: Int
    private var shownPercent = -1
    private let isShown = isatty(STDERR_FILENO) != 0

    init(total: Int) { self.total = total }

    func show(_ done: Int) {
        let percent = total == 0 ? 100 : done * 100 / total
        guard isShown, percent != shownPercent else { return }
        shownPercent = percent
        let filled = percent * 30 / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        writeToTerminal("\r[\(bar)] \(percent) %  \(done) of \(total)")
    }

    func end() {
        guard isShown, shownPercent >= 0 else { return }
        writeToTerminal("\r\u{1B}[K")
        shownPercent = -1
    }

    private func writeToTerminal(_ text: String) {
        let bytes = Array(text.utf8)
        // A terminal that has gone takes nothing.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
