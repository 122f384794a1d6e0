import CSystemd
import Glibc
import OutboxCore
import OutboxSystem

/// syslog's levels, as far as they are used here.
package enum LogLevel: Int, Comparable, Sendable {
    /// A person must act.
    case error = 3
    /// outboxd does something else than it should, and says what.
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

    package init?(name: String) {
        switch name {
        case "error": self = .error
        case "warning": self = .warning
        case "notice": self = .notice
        case "info": self = .info
        case "debug": self = .debug
        default: return nil
        }
    }
}

/// Kinds of lines; the journal's MESSAGE_ID. `journalctl MESSAGE_ID=…` finds all of a kind.
package enum LogKind: String, Sendable {
    case started = "7f427fd8adc0a3540612b7550e41b18a"
    case stopping = "90377902b4c6b744d5b89e1017a969fe"
    case stopped = "b50499780c3ee30311a6353e67f6b8a4"
    case reloaded = "ed5c939e79243696d59980a2bb777a59"
    case upgraded = "6c0e6f0b1f6f4f0e9a5d3c1b7a28e94d"
    case recovered = "5e1114d26d390f7d783f294afcafdb3f"
    case startFailed = "e91c056c57677b537f42ca798eb785aa"
    case storage = "4155fc4e32fbb8c6454e09b95d564b73"
    case messageAccepted = "c21541b4dfb72ddae1cae8274e0fc0b3"
    case messageSent = "a643ed0a21778ecc48640de6dcf97a22"
    case messageDelivered = "98f2ad1ab526bdb0cb8c2ab11ffcf3f3"
    case messageRead = "f7a8af1fd875ce7d5d2edb66c1147a32"
    case messageFailed = "bbb0efcd8cf8db93e1789218facf4dc5"
    case messageRetrying = "c5f510ebed63be2c87d6a96d1b76bdf1"
    case messageCancelled = "836cfc6e11a7870f0a231e7f7d9a5afa"
    case outcomeUnknown = "a9449d2026aab7c3a57b8ea25af91168"
    case outcomeResolved = "c7a6b6a5c9d54d0f8e0e8f9e1f2a7b31"
    case messageDuplicate = "5d0b1c3e7f7a4a52b86c1be0c6b0d9f4"
    case retentionChanged = "2f0c9a7de3b14c0b9a1cf4be0d6a5c1e"
    case pruned = "8be1c0f4a76d4d5e9b2a3c7f1e60d482"
    case messageReceived = "3f0a9c1c5d8e4b7f9a2361f0c4be7d15"
    case catchUp = "8c5b2e07d4f94a6db1e63a70529cf318"
    case messageNoted = "b9d6e0d3625ca9124c0457fe8779bf58"
    case messageRequeued = "b3664b86010ce223f952a9b00697bac7"
    case lineChanged = "d8e77f66b6cef1c96590cf42ef03c2f8"
    case lineHeld = "34fbf449f545c61b0392993bd88e75f9"
    case lineReleased = "c480eb96ff1ef1813a1054891f7e2926"
    case lineNotRead = "02159c6000da56f06dfc5ce0872639bc"
    case accountNews = "160be3ca71fb0dda5dd3ade5c9fa0dde"
    case metaHeld = "7bc4e3d9666c83bc4b5d4bc495b6ad2a"
    case metaReleased = "d7e800180fc67d2817c19283f8d8ce38"
    case paused = "343c015c9417fdd96d3cf2ee37d7fa24"
    case resumed = "e98b792373948d4ccdf69ca974ce8b9c"
    case poolChanged = "6919fbf7b33b7af7ca5c1f404a282a80"
    case secretMissing = "72382e9187c0af59044b911a53cbb7b9"
    case webhookRefused = "66f785960fb7562a9ec0eabbee96517d"
    case webhookKept = "eb1e9b74851b5063aa482f7e8fe84d3d"
    case subscriptionChanged = "3bdf3ed485ad26a148ef286c90a3c3b5"
    case subscriptionDisabled = "fc67ffad329d6638ca8a8716fccb90d3"
    case endpointHeld = "bd0497c0ab1372e467428ed719a96e47"
    case endpointReleased = "d56ad61b5f16ffd8ad4a9ab08ab42423"
    case eventGivenUp = "aa1f978c5e5e6f28f50ca5e9b77755ad"
    case callerRefused = "621231c942acc80c97c305374d4dbd0a"
}

/// One fact for the journal. Never a body, a whole phone number or a secret.
package struct LogLine: Sendable {
    package enum Field: String, Sendable {
        case message = "OUTBOXD_MESSAGE"
        case line = "OUTBOXD_LINE"
        case attempt = "OUTBOXD_ATTEMPT"
        case code = "OUTBOXD_CODE"
        case to = "OUTBOXD_TO"
        case peer = "OUTBOXD_PEER"
        case subscription = "OUTBOXD_SUBSCRIPTION"
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

    /// Writes what waits and ends.
    package func close() {
        state.withLock { $0.ended = true }
        bell.ring()
        thread?.join()
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
                emit(LogLine(.warning, .storage, "\(lost) lines are missing here: the journal did not keep up"))
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
