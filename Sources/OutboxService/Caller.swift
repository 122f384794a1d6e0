import Glibc
import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// Calls the endpoints of subscriptions: a thread that reads the log and decides, and an HTTP client of its own.
final class Caller: Sendable {
    struct Outlets: Sendable {
        var reports: @Sendable ([CallbackReport]) -> Void
        var answers: @Sendable ([(Exchange, HTTPResponse)]) -> Void
    }

    private let mailbox: Mailbox<CallerMail>
    private let client: HTTPClient<CallbackCall>
    private let thread: Thread
    private let listens: Lock<Bool>
    private let allowsHTTP: Lock<Bool>
    private let gauges: Lock<[CallbackGauge]>

    /// `path` is the database's.
    init(path: String, secrets: Secrets, allowsHTTP: Bool, journal: Journal, outlets: Outlets) throws {
        let bell = Bell()
        let mailbox = Mailbox<CallerMail>(bell: bell)
        let listens = Lock(true)
        let allowed = Lock(allowsHTTP)
        self.mailbox = mailbox
        self.listens = listens
        self.allowsHTTP = allowed
        let gauges = Lock<[CallbackGauge]>([])
        self.gauges = gauges
        let client = HTTPClient<CallbackCall>(name: "callback calls", connectionsMax: CallerStep<Dice>.callsMax) {
            ends in
            let at = steadyNanoseconds()
            mailbox.post(ends.map { .ended($0.context, $0.result, at: at) })
        }
        self.client = client
        let step = Handover(
            try CallerStep(
                QueueReader(path: path), chance: SystemRandomNumberGenerator(), secret: { secrets.value($0) },
                allowsHTTP: { allowed.withLock { $0 } }))
        thread = Thread("callbacks") {
            Self.run(step.value, bell, mailbox, client, listens, gauges, journal, outlets)
        }
    }

    /// Called on the writer's thread. While nobody is subscribed nobody is woken.
    func logged() { if listens.withLock({ $0 }) { mailbox.post(.logged) } }

    /// Called on the writer's thread.
    func subscriptions(changed: [Int64], recorded: [Int64: Int]) {
        if !recorded.isEmpty { mailbox.post(.recorded(recorded)) }
        if !changed.isEmpty { mailbox.post(.changed(changed)) }
    }

    func test(_ exchange: Exchange, _ id: Int64, account: Int64) {
        mailbox.post(.test(exchange, id, account: account))
    }

    /// How each active subscription stands.
    var standing: [CallbackGauge] { gauges.withLock { $0 } }

    var takesHTTP: Bool { allowsHTTP.withLock { $0 } }

    func reload(allowsHTTP: Bool) {
        self.allowsHTTP.withLock { $0 = allowsHTTP }
        mailbox.post(.secretsReloaded)
    }

    /// Begins no more calls.
    func stop() { mailbox.post(.stop) }

    /// Lets calls under way end; what takes longer is broken off and made again after the next start.
    func finish(within patience: Duration) {
        mailbox.post(.stop)
        client.finish(within: patience)
        mailbox.post(.end)
        thread.join()
    }

    private static func run(
        _ step: CallerStep<SystemRandomNumberGenerator>, _ bell: Bell, _ mailbox: Mailbox<CallerMail>,
        _ client: HTTPClient<CallbackCall>, _ listens: Lock<Bool>, _ gauges: Lock<[CallbackGauge]>,
        _ journal: Journal, _ outlets: Outlets
    ) {
        let timer = WallTimer()
        while true {
            let mail = mailbox.take()
            var ending = false
            for case .end in mail { ending = true }
            let now = Timestamp(milliseconds: wallClockMilliseconds())
            let outputs = step.turn(mail, now: now, tick: steadyNanoseconds())
            if !outputs.calls.isEmpty { client.send(outputs.calls) }
            if !outputs.reports.isEmpty { outlets.reports(outputs.reports) }
            if !outputs.answers.isEmpty { outlets.answers(outputs.answers) }
            for line in outputs.log { journal.write(line) }
            let standing = step.gauges
            gauges.withLock { $0 = standing }
            listens.withLock { $0 = step.listens }
            if ending { return }
            if outputs.goOn { continue }
            timer.set(outputs.wake?.milliseconds)
            var waits = [
                pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: timer.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&waits, 2, -1)
            bell.clear()
            timer.clear()
        }
    }
}
