import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// The thread that tells the log to its followers, from a connection of its own.
final class EventsThread: Sendable {
    private enum Mail: Sendable {
        case input(EventFeed.Input)
        case end
    }

    private let mailbox: Mailbox<Mail>
    /// Somebody follows, or is about to.
    private let isHeard: Lock<Bool>
    private let told: Lock<Int>
    private let thread: Thread

    init(path: String, journal: Journal, orders: @escaping @Sendable ([StreamOrder]) -> Void) throws {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        let isHeard = Lock(false)
        self.isHeard = isHeard
        let told = Lock(0)
        self.told = told
        let feed = Handover(try EventFeed(QueueReader(path: path)))
        thread = Thread("events") { Self.run(feed.value, bell, mailbox, isHeard, told, journal, orders) }
    }

    func post(_ input: EventFeed.Input) { mailbox.post(.input(input)) }

    /// The log has grown to `end`. Wakes nobody while nobody follows: who comes later reads where it ends.
    func logged(_ end: Int64) {
        if isHeard.withLock({ $0 }) { post(.grown(end)) }
    }

    /// Callers who read or follow the log now.
    var followers: Int { told.withLock { $0 } }

    func finish() {
        mailbox.post(.end)
        thread.join()
    }

    private static func run(
        _ feed: EventFeed, _ bell: Bell, _ mailbox: Mailbox<Mail>, _ isHeard: Lock<Bool>, _ told: Lock<Int>,
        _ journal: Journal, _ orders: ([StreamOrder]) -> Void
    ) {
        while true {
            var inputs: [EventFeed.Input] = []
            for mail in mailbox.take() {
                guard case .input(let input) = mail else { return }
                if case .follow = input { isHeard.withLock { $0 = true } }
                inputs.append(input)
            }
            let outputs = feed.turn(inputs, tick: steadyNanoseconds())
            told.withLock { $0 = feed.followerCount }
            if !feed.hasFollowers { isHeard.withLock { $0 = false } }
            if !outputs.orders.isEmpty { orders(outputs.orders) }
            if let problem = outputs.problem { journal.write(LogLine(.error, .readFailed, problem)) }
            if outputs.goOn { continue }
            _ = bell.wait(milliseconds: outputs.wakeTick.map { pollTimeout(untilTick: $0) } ?? -1)
            bell.clear()
        }
    }
}
