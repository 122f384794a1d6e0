import CLinux
import CSystemd
import Glibc
import OutboxCore
import OutboxSystem

/// One fact for the journal. Never a body, a whole phone number or a secret.
package struct LogLine: Sendable {
    package enum Field: String, CaseIterable, Sendable {
        case message = "OUTBOXD_MESSAGE"
        case line = "OUTBOXD_LINE"
        case attempt = "OUTBOXD_ATTEMPT"
        case code = "OUTBOXD_CODE"
        case to = "OUTBOXD_TO"
        case peer = "OUTBOXD_PEER"
        /// Who asked for it.
        case actor = "OUTBOXD_ACTOR"
        /// What a message waits on, by the name it has in `outboxctl why`.
        case gate = "OUTBOXD_GATE"
        case subscription = "OUTBOXD_SUBSCRIPTION"
        case campaign = "OUTBOXD_CAMPAIGN"
    }

    package var level: LogLevel
    package var kind: LogKind
    package var text: String
    package var fields: [(Field, String)]

    package init(_ level: LogLevel, _ kind: LogKind, _ text: String, _ fields: [(Field, String)] = []) {
        self.level = level
        self.kind = kind
        self.text = text
        self.fields = fields
    }
}

extension LogLine {
    /// Characters of a text that came from elsewhere, at most.
    private static let textMax = 4000

    /// The same where words of others cannot begin a line of their own or speak to a terminal.
    var printable: LogLine {
        var line = self
        line.text = String(text.prefix(Self.textMax)).onOneLine
        line.fields = fields.map { ($0.0, String($0.1.prefix(Self.textMax)).onOneLine) }
        return line
    }
}

/// Writes facts to the journal, or as plain lines to a terminal, on a thread of its own.
///
/// A journal that does not keep up costs lines, said and counted, never time of the worker.
package final class Journal: @unchecked Sendable {
    private static let waitingMax = 50_000

    private struct State {
        var level: LogLevel
        var masksNumbers: Bool
        var lines: [LogLine] = []
        var lost = 0
        var ended = false
    }
    /// Microseconds.
    private static let attributionPatience: UInt32 = 300_000

    private let state: Lock<State>
    private let bell = Bell()
    private let native: Bool
    private var thread: Thread?

    package init(level: LogLevel = .info, masksNumbers: Bool = true) {
        state = Lock(State(level: level, masksNumbers: masksNumbers))
        native = isJournal(STDERR_FILENO)
        thread = Thread("journal") { [unowned self] in run() }
    }

    /// Whether a line of that level would be written: for lines that are many.
    package func writes(_ level: LogLevel) -> Bool { state.withLock { level <= $0.level } }

    package func set(level: LogLevel, masksNumbers: Bool) {
        state.withLock {
            $0.level = level
            $0.masksNumbers = masksNumbers
        }
    }

    package func write(_ line: LogLine) {
        let first = state.withLock { state in
            guard line.level <= state.level, !state.ended else { return false }
            guard state.lines.count < Self.waitingMax else {
                state.lost += 1
                return false
            }
            state.lines.append(line)
            return state.lines.count == 1
        }
        if first { bell.ring() }
    }

    /// A phone number as the journal may show it.
    package func shown(_ digits: String) -> String {
        state.withLock { $0.masksNumbers } ? maskedNumber(digits) : digits
    }

    /// Writes what waits and ends. `lastWords`: this process ends of what it said last. journald finds out whose a line is
    /// when it reads it: of a process that is gone it no longer can, and `journalctl -u` would not show why it failed.
    package func close(lastWords: Bool = false) {
        state.withLock { $0.ended = true }
        bell.ring()
        thread?.join()
        if lastWords, native { usleep(Self.attributionPatience) }
    }

    private func run() {
        while true {
            let (lines, lost, ended) = state.withLock { state in
                defer {
                    state.lines = []
                    state.lost = 0
                }
                return (state.lines, state.lost, state.ended)
            }
            for line in lines { emit(line) }
            if lost > 0 {
                emit(LogLine(.warning, .journalBehind, "\(lost) lines are missing here: the journal did not keep up"))
            }
            if ended { return }
            if lines.isEmpty {
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    private func emit(_ line: LogLine) {
        let line = line.printable
        if native { sendToJournal(line) } else { sendToStandardError(line) }
    }

    private func sendToStandardError(_ line: LogLine) {
        let time = Timestamp(milliseconds: wallClockMilliseconds()).rfc3339
        let fields = line.fields.map { " \($0.0.rawValue.dropFirst(8).lowercased())=\($0.1)" }.joined()
        let text = Array("\(time) \(line.level) \(line.text)\(fields)\n".utf8)
        // A closed terminal takes nothing; there is nobody else to tell.
        _ = Glibc.write(STDERR_FILENO, text, text.count)
    }
}

/// systemd's word: $JOURNAL_STREAM names device and inode of the descriptor it connected to the journal.
private func isJournal(_ descriptor: Int32) -> Bool {
    var info = stat()
    guard let stream = environment("JOURNAL_STREAM"), fstat(descriptor, &info) == 0 else { return false }
    return stream == "\(info.st_dev):\(info.st_ino)"
}

private func sendToJournal(_ line: LogLine) {
    var texts = [
        "MESSAGE=\(line.text)", "PRIORITY=\(line.level.rawValue)", "MESSAGE_ID=\(line.kind.rawValue)",
        "SYSLOG_IDENTIFIER=outboxd",
    ]
    texts += line.fields.map { "\($0.0.rawValue)=\($0.1)" }
    let lengths = texts.map(\.utf8.count)
    var bytes = texts.flatMap { Array($0.utf8) }
    bytes.withUnsafeMutableBytes { buffer in
        var vectors: [iovec] = []
        var at = 0
        for length in lengths {
            vectors.append(iovec(iov_base: buffer.baseAddress.map { $0 + at }, iov_len: length))
            at += length
        }
        // A journal that is away takes nothing; there is nobody else to tell.
        sd_journal_sendv(vectors, Int32(vectors.count))
    }
}
