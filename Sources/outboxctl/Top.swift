import CLinux
import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

let topCommand = Command(
    name: "top", words: "", summary: "a live screen: lines, rates, gates, the oldest; q ends it",
    options: [
        .init("interval", short: "i", value: "SECONDS", "how often it is looked at (default: 2)"),
        .init("once", "one picture, without taking over the terminal"),
    ]
) { arguments, client in
    _ = try words(arguments)
    let interval = try arguments.integer("interval", in: 1...3600) ?? 2
    guard !client.wantsJSON else { throw Arguments.Problem("top is to be looked at; for programs: /metrics or queue") }
    var top = Top(client)
    if arguments.has("once") || !Terminal.isThere {
        try top.look()
        for line in top.picture(width: Terminal.isThere ? Terminal.width : 120) { print(line) }
        return
    }
    try top.look()
    let screen = Screen()
    defer { screen.leave() }
    while true {
        let size = Terminal.size
        screen.show(top.picture(width: size.columns), rows: size.rows)
        guard screen.wait(seconds: interval) else { return }
        do {
            try top.look()
        } catch is ExitStatus {
            // Shown instead of the figures, until it is back.
        }
    }
}

/// What is asked for a picture, and what the picture before knew.
private struct Top {
    private struct Look {
        var at: ContinuousClock.Instant
        var status: JSONValue
        var shape: JSONValue
        var pauses: [JSONValue]
    }

    private let client: Client
    private var last: Look?
    private var before: Look?
    private var problem: String?

    init(_ client: Client) { self.client = client }

    mutating func look() throws {
        func ask(_ path: String) throws -> JSONValue {
            var request = client.request("GET", path)
            request.timeout = .seconds(10)
            switch callAndWait(request) {
            case .notSent(let text), .broken(let text):
                guard last != nil else { throw client.notRunning(text) }
                throw ExitStatus.notRunning
            case .answered(200, _, let bytes):
                guard let answer = try? JSONParser().parse(bytes), let data = answer["data"] else {
                    throw ExitStatus.failed
                }
                return data
            case .answered(let status, _, let bytes):
                guard last != nil else { throw client.refused(status, try? JSONParser().parse(bytes)) }
                throw ExitStatus.refused
            }
        }
        do {
            let look = Look(
                at: .now, status: try ask("/v1/status"), shape: try ask("/v1/queue"),
                pauses: try ask("/v1/pauses").elements.map { $0 })
            (before, last) = (last, look)
            problem = nil
        } catch {
            problem = "outboxd does not answer; these figures are old"
            throw error
        }
    }

    func picture(width: Int) -> [String] {
        guard let last else { return [] }
        var lines = ["outboxd \(plain(last.status["version"]))  \(plain(last.shape["at"]))"]
        if let problem { lines.append(problem) }
        let messages = last.status["messages"]
        lines.append(
            ["scheduled", "queued", "processing", "retrying", "sent", "delivered", "read", "failed"].map {
                "\($0) \(plain(messages?[$0]))"
            }.joined(separator: "  "))
        if let unknown = last.status["unknownOutcomes"]?.integer, unknown > 0 {
            lines.append("\(unknown) outcomes unknown: outboxctl unknown ls")
        }
        for pause in last.pauses {
            lines.append("paused: \(words(of: pause)) by \(plain(pause["pausedBy"])): \(plain(pause["reason"]))")
        }
        lines.append("")
        var table = Table(["LINE", "WAITING", "READY", "UNDER WAY", "SENT/S", "FAILED/S", "OLDEST", "GATES"])
        for name in names(last) { table.add(row(name, last)) }
        lines += table.lines(width: width)
        return lines.map { String($0.onOneLine.prefix(width)) }
    }

    private func names(_ look: Look) -> [String] {
        let ofStatus = look.status["lines"]?.elements.compactMap { $0["line"]?.string } ?? []
        let ofQueue = look.shape["rows"]?.elements.compactMap { $0["line"]?.string } ?? []
        return Set(ofStatus + ofQueue).sorted()
    }

    private func row(_ name: String, _ look: Look) -> [String] {
        let rows = look.shape["rows"]?.elements.filter { $0["line"]?.string == name } ?? []
        func total(_ gate: String) -> Int64 {
            rows.filter { $0["gate"]?.string == gate }.reduce(0) { $0 + ($1["total"]?.integer ?? 0) }
        }
        let gates = rows.filter { !["ready", "under_way"].contains($0["gate"]?.string ?? "") }
        let all = rows.reduce(0) { $0 + ($1["total"]?.integer ?? 0) }
        let oldest = rows.compactMap { $0["oldestAt"]?.string }.compactMap(Timestamp.init(rfc3339:)).min()
        let now = look.shape["at"]?.string.flatMap { Timestamp(rfc3339: $0) }
        return [
            name, String(all - total("under_way")), String(total("ready")), String(total("under_way")),
            rate(name, ["sent", "delivered", "read"]), rate(name, ["failed"]),
            oldest.flatMap { oldest in now.map { age($0, since: oldest) } } ?? "-",
            gates.map { "\(plain($0["gate"])) \(plain($0["total"]))" }.joined(separator: ", "),
        ]
    }

    /// In the largest unit of which there is one: `45s`, `12m`, `3h`, `2d`.
    private func age(_ now: Timestamp, since moment: Timestamp) -> String {
        let seconds = max(0, now.milliseconds - moment.milliseconds) / 1000
        for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)] where seconds >= length {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }

    /// How many messages a second came into these states; what is pruned meanwhile is no message less.
    private func rate(_ line: String, _ states: [String]) -> String {
        guard let last, let before else { return "-" }
        func count(_ look: Look) -> Int64 {
            let entry = look.status["lines"]?.elements.first { $0["line"]?.string == line }
            return states.reduce(0) { $0 + (entry?[$1]?.integer ?? 0) }
        }
        let (seconds, attoseconds) = (last.at - before.at).components
        let span = Double(seconds) + Double(attoseconds) / 1e18
        guard span > 0 else { return "-" }
        let tenths = Int64((Double(max(0, count(last) - count(before))) / span * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// The whole terminal, given back as it was.
private final class Screen {
    private var settings = termios()
    private let hasKeys: Bool
    private var signals = sigset_t()

    init() {
        hasKeys = tcgetattr(STDIN_FILENO, &settings) == 0
        // The terminal is given back before the end, whoever asks for it.
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        if hasKeys {
            var raw = settings
            // Keys come at once and unseen.
            // A stopped program would leave its screen behind: Ctrl-Z is a key as others.
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        Terminal.write("\u{1B}[?1049h\u{1B}[?25l")
    }

    func leave() {
        Terminal.write("\u{1B}[?25h\u{1B}[?1049l")
        if hasKeys { tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    func show(_ lines: [String], rows: Int) {
        let picture = lines.prefix(max(1, rows - 1)).map { "\($0)\u{1B}[K\r\n" }.joined()
        Terminal.write("\u{1B}[H\(picture)\u{1B}[J")
    }

    /// False when it is to end: by q, Ctrl-C or a signal. Another key shows the next picture at once.
    func wait(seconds: Int) -> Bool {
        for _ in 0..<(seconds * 10) {
            var now = timespec()
            if sigtimedwait(&signals, nil, &now) > 0 { return false }
            var keys = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&keys, hasKeys ? 1 : 0, 100) > 0 else { continue }
            var key: UInt8 = 0
            guard read(STDIN_FILENO, &key, 1) == 1 else { return false }
            return ![UInt8(ascii: "q"), UInt8(ascii: "Q"), 3, 4, 0x1B].contains(key)
        }
        return true
    }
}
