import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// What Meta said of some messages, and how far the line has got.
struct CatchUpNews: Sendable {
    var state: CatchUpState
    var reports: [StatusReport]
}

/// Asks Meta, message by message and slowly, what became of those whose statuses may have been lost while nobody
/// listened. What it learns goes to the writer as statuses like a webhook's; how far it is lies in the database, where
/// the next start takes it up.
final class CatchUp: Sendable {
    /// After an absence this long messages are asked about at the start.
    static let absence = Duration.seconds(3600)
    /// Sent this long ago at most.
    static let reach = Duration.seconds(7 * 86_400)
    /// Between two questions about messages of one line.
    private static let rest: UInt64 = 250_000_000
    private static let patience = Duration.seconds(10)
    private static let messagesAtOnce = 100
    private static let pagesMax = 10
    /// Questions without an answer, one after the other, after which a line is given up.
    private static let failuresMax = 20

    private enum Mail: Sendable {
        case start(Exchange?, Line, since: Timestamp)
        case resume([CatchUpState])
    }

    /// What it works with; all of it is shared with other threads.
    struct Parts: Sendable {
        var path: String
        var target: @Sendable () -> GraphEndpoint
        var secrets: Secrets
        var journal: Journal
        var writer: WriterInbox
        var answers: @Sendable ([(Exchange, HTTPResponse)]) -> Void
    }

    /// One line's.
    private struct Job {
        var state: CatchUpState
        /// Of one look at the database; the place to go on from stands behind them.
        var messages: ArraySlice<SentMessage> = []
        var end: MessageID
        var failures = 0
        /// Of the steady clock.
        var nextAt: UInt64 = 0

        init(_ state: CatchUpState) {
            self.state = state
            end = state.place
        }
    }

    private let mailbox: Mailbox<Mail>
    private let thread: Thread

    init(_ parts: Parts) throws {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        let reader = Handover(try QueueReader(path: parts.path))
        thread = Thread("catch-up") {
            let worker = Worker(parts, reader: reader.value)
            while true {
                for mail in mailbox.take() { worker.take(mail) }
                _ = bell.wait(milliseconds: worker.askDue())
                bell.clear()
            }
        }
    }

    /// With an exchange the answer tells how many messages will be asked about. One that is under way begins afresh.
    func start(_ exchange: Exchange?, _ line: Line, since: Timestamp) {
        mailbox.post(.start(exchange, line, since: since))
    }

    /// Goes on where the last process ended.
    func resume(_ states: [CatchUpState]) { mailbox.post(.resume(states)) }

    private final class Worker {
        private let parts: Parts
        private let reader: QueueReader
        private let parser = JSONParser()
        private var jobs: [Int64: Job] = [:]

        init(_ parts: Parts, reader: QueueReader) {
            self.parts = parts
            self.reader = reader
        }

        func take(_ mail: Mail) {
            switch mail {
            case .resume(let states): for state in states { jobs[state.line] = Job(state) }
            case .start(let exchange, let line, let since):
                do {
                    try start(exchange, line, since: since)
                } catch {
                    unreadable(error, line.name)
                    let refusal = APIError(.internalError, "the database could not be read; the journal says why")
                    if let exchange { parts.answers([(exchange, .error(refusal))]) }
                }
            }
        }

        private func unreadable(_ error: any Error, _ line: String) {
            parts.journal.write(LogLine(.error, .readFailed, "catching up came to an end: \(error)", [(.line, line)]))
        }

        private func start(_ exchange: Exchange?, _ line: Line, since: Timestamp) throws {
            var state = try reader.beginCatchUp(
                line.id, since: since, now: Timestamp(milliseconds: wallClockMilliseconds()))
            if state.total == 0 { state.finishedAt = state.startedAt }
            if let exchange { parts.answers([(exchange, answer(line, state))]) }
            // A start that finds nothing to ask leaves no trace.
            guard state.total > 0 || exchange != nil else { return }
            jobs[line.id] = state.total > 0 ? Job(state) : nil
            parts.writer.post(.caughtUp(CatchUpNews(state: state, reports: [])))
            parts.journal.write(
                LogLine(
                    .notice, .catchUp,
                    "Meta is asked what became of \(state.total) messages sent since "
                        + since.rfc3339, [(.line, line.name)]))
        }

        private func answer(_ line: Line, _ state: CatchUpState) -> HTTPResponse {
            .json(202) {
                $0.object("data") {
                    $0.field("line", line.name)
                    $0.field("since", state.since.rfc3339)
                    $0.field("asking", state.total)
                }
            }
        }

        /// Asks about one message of each line whose turn it is; answers in how many milliseconds the next is, -1: never.
        func askDue() -> Int32 {
            for (line, job) in jobs where job.nextAt <= steadyNanoseconds() {
                do {
                    jobs[line] = try step(job)
                } catch {
                    // The next start takes it up.
                    jobs[line] = nil
                    unreadable(error, "")
                }
            }
            return jobs.values.map(\.nextAt).min().map { pollTimeout(untilTick: $0) } ?? -1
        }

        /// Nil when the line is done.
        private func step(_ job: Job) throws -> Job? {
            var job = job
            guard let line = try reader.line(job.state.line) else {
                return finish(job, "the line was removed", "")
            }
            if job.messages.isEmpty {
                job.state.place = job.end
                guard job.state.place < job.state.last else { return finish(job, nil, line.name) }
                let (messages, end) = try reader.toAsk(job.state, limit: messagesAtOnce)
                (job.messages, job.end) = (messages[...], end)
                if messages.isEmpty { return job }
            }
            guard let message = job.messages.first else { return job }
            guard let token = parts.secrets.value(line.settings.credential) else {
                return finish(job, "the secret \(line.settings.credential) holds no access token", line.name)
            }
            job.nextAt = steadyNanoseconds() + rest
            switch ask(message, line, token) {
            case .read(let reports):
                job.failures = 0
                job.messages = job.messages.dropFirst()
                job.state.asked += 1
                job.state.place = message.id
                parts.writer.post(.caughtUp(CatchUpNews(state: job.state, reports: reports)))
            case .failed(let failure):
                job.failures += 1
                guard isPassing(failure), job.failures < failuresMax else {
                    return finish(job, "\(failure.code): \(failure.message)", line.name)
                }
                job.nextAt += UInt64(min(60, 1 << min(job.failures, 6))) * 1_000_000_000
            }
            return job
        }

        private func finish(_ job: Job, _ problem: String?, _ line: String) -> Job? {
            var state = job.state
            state.problem = problem
            state.finishedAt = Timestamp(milliseconds: wallClockMilliseconds())
            parts.writer.post(.caughtUp(CatchUpNews(state: state, reports: [])))
            let words = "\(state.asked) of \(state.total) messages were asked about"
            parts.journal.write(
                problem.map {
                    LogLine(
                        .warning, .catchUpFailed,
                        "catching up is given up, lost statuses stay lost: \($0); \(words)", [(.line, line)])
                } ?? LogLine(.notice, .catchUp, "caught up: \(words)", [(.line, line)]))
            return nil
        }

        /// Meta or the way to it had a bad moment; everything else it will say again.
        private func isPassing(_ failure: Failure) -> Bool {
            guard let code = Int64(failure.code) else {
                return failure.code == "NOT_CONNECTED" || failure.code == "NO_ANSWER"
                    || failure.code.hasPrefix("HTTP_5") || failure.code == "HTTP_429"
            }
            switch MetaError.of(code)?.errorClass {
            case .messageLater, .lineLater, .businessLater: return true
            default: return false
            }
        }

        /// What is new of a message, in the order it happened.
        private func ask(_ message: SentMessage, _ line: Line, _ token: String) -> Reading<[StatusReport]> {
            var events: [HistoryPage.Event] = []
            var after: String?
            for _ in 0..<pagesMax {
                let request = parts.target().messageHistory(
                    phoneNumberID: line.settings.phoneNumberID, wamid: message.wamid, token: token, after: after,
                    timeout: patience)
                switch historyPage(of: callAndWait(request), parser: parser) {
                case .failed(let failure): return .failed(failure)
                case .read(let page):
                    events += page.events
                    after = page.after
                }
                if after == nil { break }
            }
            return .read(
                CatchUp.news(events, of: message.state).map { event in
                    StatusReport(
                        phoneNumberID: line.settings.phoneNumberID, wamid: message.wamid, opaque: message.opaque,
                        report: event.report, at: event.at, failure: event.failure)
                })
        }
    }

    /// Of each report the first, without those that a message in that state has had; several apps may have been told.
    static func news(_ events: [HistoryPage.Event], of state: MessageState) -> [HistoryPage.Event] {
        let order: [Report] = [.failed, .delivered, .read]
        return order.compactMap { report in
            if report == .delivered, state != .sent { return nil }
            return events.filter { $0.report == report }.min { $0.at < $1.at }
        }
    }
}
