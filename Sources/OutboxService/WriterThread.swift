import Glibc
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// Where everybody puts what the writer shall do.
struct WriterInbox: Sendable {
    fileprivate enum Mail: Sendable {
        case input(WriterInput)
        case end
    }

    let bell: Bell
    fileprivate let mailbox: Mailbox<Mail>

    init() {
        bell = Bell()
        mailbox = Mailbox(bell: bell)
    }

    func post(_ input: WriterInput) { mailbox.post(.input(input)) }

    func post(_ inputs: [WriterInput]) { mailbox.post(inputs.map(Mail.input)) }
}

/// The thread that owns the queue: takes everything that waits, runs one turn, hands on what came of it.
final class WriterThread: Sendable {
    /// Where a turn's outputs go. Called on the writer's thread.
    struct Outlets: Sendable {
        var replies: @Sendable ([(Exchange, WriterReply)]) -> Void
        var attempts: @Sendable ([Attempt]) -> Void
        var refresh: @Sendable ([Refresher.Subject]) -> Void
        /// Before the replies.
        var subscriptions: @Sendable (_ changed: [Int64], _ recorded: [Int64: Int]) -> Void
        /// The log has grown to here.
        var logged: @Sendable (Int64) -> Void
        var pong: @Sendable (WriterPong) -> Void
        var uploads: @Sendable ([UploadTask]) -> Void
        /// SHA-256 of files no row names any more.
        var removedFiles: @Sendable ([[UInt8]]) -> Void
        var fatal: @Sendable (StoreError) -> Void
    }

    private let inbox: WriterInbox
    private let thread: Thread

    /// `start` runs on the new thread and makes what only that thread may touch.
    init(
        inbox: WriterInbox, start: @escaping @Sendable () -> WriterStep<SystemRandomNumberGenerator>, journal: Journal,
        outlets: Outlets
    ) {
        self.inbox = inbox
        thread = Thread("writer") { Self.run(start(), inbox, journal, outlets) }
    }

    /// Works off what was posted before, empties the log into the file, and ends.
    func finish() {
        inbox.mailbox.post(.end)
        thread.join()
    }

    private static func run(
        _ step: WriterStep<SystemRandomNumberGenerator>, _ inbox: WriterInbox, _ journal: Journal, _ outlets: Outlets
    ) {
        let timer = WallTimer()
        var ending = false
        var goOn = true
        var wakeTick: UInt64?
        let gathering = Gathering()
        while true {
            if !goOn { sleep(inbox, timer, until: wakeTick) }
            let mail = TurnMail(inbox, gathering)
            let inputs = mail.first()
            var replied = 0
            let outputs = step.turn(
                inputs, now: Timestamp(milliseconds: wallClockMilliseconds()), tick: steadyNanoseconds(),
                isSynchronised: wallClockIsSynchronised(), more: mail.more
            ) { outputs in
                // Sends first: they take longest.
                if !outputs.attempts.isEmpty { outlets.attempts(outputs.attempts) }
                if !outputs.changedSubscriptions.isEmpty || !outputs.recordedReports.isEmpty {
                    outlets.subscriptions(outputs.changedSubscriptions, outputs.recordedReports)
                }
                if !outputs.replies.isEmpty { outlets.replies(outputs.replies) }
                replied = outputs.replies.count
            }
            if outputs.replies.count > replied { outlets.replies(Array(outputs.replies[replied...])) }
            if mail.gathers { gathering.gathered() }
            if mail.hasCome {
                let connections = outputs.replies.lazy.map(\.0.connection)
                gathering.ended(connections, at: steadyNanoseconds(), took: mail.worked())
            }
            if let end = outputs.logEnd { outlets.logged(end) }
            for line in outputs.log { journal.write(line) }
            if !outputs.refresh.isEmpty { outlets.refresh(outputs.refresh) }
            if let pong = outputs.pong { outlets.pong(pong) }
            if !outputs.uploads.isEmpty { outlets.uploads(outputs.uploads) }
            if !outputs.removedFiles.isEmpty { outlets.removedFiles(outputs.removedFiles) }
            if let error = outputs.fatal { return outlets.fatal(error) }
            for reached in outputs.barriers { reached() }
            timer.set(outputs.wake?.milliseconds)
            goOn = outputs.goOn
            wakeTick = outputs.wakeTick
            ending = ending || mail.isLast
            if ending, !goOn { break }
        }
        do {
            try step.close()
        } catch {
            journal.write(LogLine(.warning, .logNotEmptied, "the log could not be emptied into the database: \(error)"))
        }
    }

    /// Until there is mail, until the timer's moment, or until that one.
    static func sleep(_ inbox: WriterInbox, _ timer: WallTimer, until tick: UInt64?) {
        var waits = [
            pollfd(fd: inbox.bell.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: timer.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // The bell alone does not tell: the last turn may have taken the mail it rang for, or heard it and left the mail.
        while inbox.mailbox.isEmpty {
            let ready = poll(&waits, 2, tick.map { pollTimeout(untilTick: $0) } ?? -1)
            inbox.bell.clear()
            if ready <= 0 || waits[1].revents != 0 { break }
        }
        timer.clear()
    }
}

/// What one turn finds in the inbox: at first, and while it works off that.
private final class TurnMail {
    private let inbox: WriterInbox
    private let gathering: Gathering
    private let began = steadyNanoseconds()
    private var patience: UInt64?
    /// Nanoseconds in which there was nothing to do.
    private var waited: UInt64 = 0
    private(set) var hasCome = false
    /// None is to come any more.
    private(set) var isLast = false

    init(_ inbox: WriterInbox, _ gathering: Gathering) { (self.inbox, self.gathering) = (inbox, gathering) }

    var gathers: Bool { patience != nil }

    func first() -> [WriterInput] {
        let inputs = take()
        patience = hasCome ? gathering.patience(at: began) : nil
        return inputs
    }

    /// What comes until those who are expected to ask again are all there; none: they are, or it was waited long enough.
    func more() -> [WriterInput] {
        guard let patience else { return [] }
        while !gathering.isComplete, steadyNanoseconds() < began + Gathering.turnMax {
            let inputs = take()
            if !inputs.isEmpty { return inputs }
            if waited >= patience { break }
            let from = steadyNanoseconds()
            inbox.bell.wait(nanoseconds: patience - waited)
            inbox.bell.clear()
            waited += steadyNanoseconds() - from
        }
        return []
    }

    /// Nanoseconds of work since it began.
    func worked() -> UInt64 { steadyNanoseconds() - began - waited }

    private func take() -> [WriterInput] {
        let mails = inbox.mailbox.take()
        hasCome = hasCome || !mails.isEmpty
        return mails.compactMap { mail in
            guard case .input(let input) = mail else {
                isLast = true
                return nil
            }
            if let connection = input.exchange?.connection { gathering.came(connection) }
            return input
        }
    }
}
