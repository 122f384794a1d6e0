import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// The running machine: every part made, wired, started, watched, and stopped in order.
package final class Daemon: Sendable {
    private let load: @Sendable () throws -> Settings
    private let settings: Settings
    private let journal: Journal
    private let secrets: Secrets
    private let inbox = WriterInbox()
    private let frontBell: Bell
    private let frontMail: Mailbox<Frontend.Mail>
    private let sender: Sender
    private let caller: Caller
    private let writer: WriterThread
    private let reader: ReaderThread
    private let events: EventsThread
    private let calls: GraphCalls
    private let backups: BackupThread
    private let door: Doorkeeper
    private let rateLimit: Lock<Int>
    private let front: Thread
    private let pulse = Lock(Pulse())

    private struct Pulse {
        var asked: UInt64 = 0
        var writer = WriterPong(number: 0, waiting: 0, underWay: 0)
        var front: UInt64 = 0
        var sender: UInt64 = 0
    }

    /// Opens the queue, takes up what the last end left behind, and serves when it returns.
    ///
    /// `load` reads the settings, now and at every reload.
    package init(journal: Journal, load: @escaping @Sendable () throws -> Settings) throws {
        let settings = try load()
        self.load = load
        self.settings = settings
        self.journal = journal
        journal.set(level: settings.logLevel, masksNumbers: settings.maskNumbers)
        let access = Access(settings)
        for problem in access.problems { journal.write(LogLine(.warning, .sendGroupMissing, problem)) }
        umask(0o077)
        let directory = try StateDirectory(path: settings.stateDirectory)
        secrets = try Secrets(credentials: environment("CREDENTIALS_DIRECTORY"), folder: directory.secrets)
        try secrets.checkCredentials()
        for problem in secrets.problems() { journal.write(LogLine(.error, .secretMissing, problem)) }
        let queue = try directory.opening {
            try Queue(
                path: directory.database,
                reading: LimitClock.Reading(
                    boot: bootName(), tick: steadyNanoseconds(), wall: Timestamp(milliseconds: wallClockMilliseconds()),
                    isSynchronised: wallClockIsSynchronised()),
                attemptMax: settings.attemptMax,
                keysKept: .seconds(settings.idempotencyHours * 3600))
        }
        let step = Handover(
            try directory.opening {
                try WriterStep(
                    queue: queue, slotsMax: settings.connections, chance: SystemRandomNumberGenerator(),
                    shown: { journal.shown($0) }, writes: { journal.writes($0) }, limits: IntakeLimits(settings),
                    room: { DiskRoom.free(beside: directory.path) })
            })
        let away = try directory.opening {
            let away = try Absence(queue)
            try takeUp(step.value, journal)
            return away
        }
        let subscriptionSecrets = SubscriptionSecrets(files: secrets) { journal.write($0) }
        subscriptionSecrets.sweep(inUse: try directory.opening { try queue.secretsInUse() })
        let listeners = try openListeners(settings)
        let needsKeys = listeners.contains { $0.tag == Door.keyed.rawValue }
        let known = try queue.accessDirectory()
        if needsKeys, known.keys.isEmpty { throw NoKeys() }
        let rateLimit = Lock(settings.rateLimit)
        self.rateLimit = rateLimit
        frontBell = Bell()
        let frontMail = Mailbox<Frontend.Mail>(bell: frontBell)
        self.frontMail = frontMail
        let door = Doorkeeper(access, known) { frontMail.post(.accessChanged) }
        self.door = door

        let inbox = inbox
        let sender = Sender(
            target: Sender.Target(endpoint: settings.graph, timeout: settings.requestTimeout),
            connections: settings.connections, secrets: secrets, journal: journal
        ) { inbox.post($0.map(WriterInput.outcome)) }
        self.sender = sender
        let refresher = Refresher(
            target: { sender.endpoint }, secrets: secrets, news: { inbox.post(.lineNews($0)) })
        let caller = try Caller(
            path: directory.database, secrets: secrets, allowsHTTP: settings.allowsHTTPCallbacks, journal: journal,
            outlets: Caller.Outlets(
                reports: { inbox.post($0.map(WriterInput.callbacks)) }, answers: { frontMail.post(.answers($0)) }))
        self.caller = caller
        let pulse = pulse
        let calls = GraphCalls(
            target: { sender.endpoint }, secrets: secrets, writer: inbox, answers: { frontMail.post(.answers($0)) })
        self.calls = calls
        let catchUp = try CatchUp(
            CatchUp.Parts(
                path: directory.database, target: { sender.endpoint }, secrets: secrets, journal: journal,
                writer: inbox, answers: { frontMail.post(.answers($0)) }))
        away.askAbout(with: catchUp, journal)
        reader = try ReaderThread(
            path: directory.database, clock: queue.clock, deadline: queue.attemptMax, journal: journal,
            askers: Askers(calls: calls, catchUp: catchUp) { inbox.post(.asked($0, .changed($1))) }
        ) { frontMail.post(.answers($0)) }
        let events = try EventsThread(path: directory.database, journal: journal) { frontMail.post(.streams($0)) }
        self.events = events
        let backups = BackupThread(
            path: directory.database,
            examination: Examination(
                path: directory.database, settings: settings, secrets: secrets, graph: { sender.endpoint }),
            journal: journal, orders: { frontMail.post(.streams($0)) }, answers: { frontMail.post(.answers($0)) })
        self.backups = backups
        front = startFront(
            listeners: listeners, bell: frontBell, mailbox: frontMail,
            limits: httpLimits(settings, sockets: listeners.count, journal),
            Frontend.Parts(
                writer: inbox, reader: reader, events: events, caller: caller, backups: backups, secrets: secrets,
                subscriptionSecrets: subscriptionSecrets, journal: journal,
                idKey: queue.idKey,
                clock: queue.clock,
                door: door, needsKeys: needsKeys, limits: rateLimit,
                pong: { number in pulse.withLock { $0.front = number } },
                reload: { [secrets] who in
                    try reloadParts(
                        load, settings, Reloaded(secrets, sender, caller, inbox, door, rateLimit), journal, by: who)
                }))
        writer = WriterThread(
            inbox: inbox, start: { step.value }, journal: journal,
            outlets: WriterThread.Outlets(
                replies: { frontMail.post(.replies($0)) },
                attempts: { sender.send($0) },
                refresh: { refresher.ask($0) },
                subscriptions: { caller.subscriptions(changed: $0, recorded: $1) },
                logged: {
                    events.logged($0)
                    caller.logged()
                },
                pong: { pong in pulse.withLock { $0.writer = pong } },
                fatal: { endAtOnce($0, journal) }))
    }

    // MARK: Life

    /// Serves until SIGTERM or SIGINT, which `blockSignals` has put aside for this.
    package func run() {
        journal.write(LogLine(.notice, .started, "serving", [(.peer, settings.socket)]))
        Systemd.notify("READY=1\nSTATUS=serving")
        var signals = sigset_t()
        fillSignals(&signals)
        let interval = Systemd.watchdogInterval()
        while true {
            switch waitForSignal(&signals, interval) {
            case SIGTERM, SIGINT: return stop()
            case SIGHUP: reloadOnSignal()
            default: beat()
            }
        }
    }

    /// The watchdog hears of us only while every thread that messages pass through goes on.
    private func beat() {
        let (asked, pulse) = pulse.withLock { pulse in
            defer { pulse.asked += 1 }
            return (pulse.asked, pulse)
        }
        if pulse.writer.number == asked, pulse.front == asked, pulse.sender == asked {
            Systemd.notify(
                "WATCHDOG=1\nSTATUS=\(pulse.writer.waiting) messages wait, \(pulse.writer.underWay) are on their way")
        }
        inbox.post(.ping(asked + 1))
        frontMail.post(.ping(asked + 1))
        sender.call { [weak self] in self?.pulse.withLock { $0.sender = asked + 1 } }
    }

    private func reloadOnSignal() {
        do {
            try reloadParts(
                load, settings, Reloaded(secrets, sender, caller, inbox, door, rateLimit), journal, by: "SIGHUP")
        } catch {
            journal.write(LogLine(.error, .reloadFailed, "nothing was reloaded: \(error)"))
        }
    }

    /// Takes no more, claims no more, lets sends under way end, records them, and leaves a clean file.
    private func stop() {
        // The unit's own time to stop is measured for the default.
        let patience = (settings.stopTimeout.components.seconds + 40) * 1_000_000
        Systemd.notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(patience)\nSTATUS=waiting for sends under way")
        journal.write(LogLine(.notice, .stopping, "stopping: no new work, sends under way may end"))
        frontMail.post(.drain)
        inbox.post(.stopClaiming)
        caller.stop()
        backups.stop()
        let end = steadyNanoseconds() + UInt64(settings.stopTimeout.components.seconds) * 1_000_000_000
        waitForWriter()
        sender.finish(within: settings.stopTimeout)
        calls.finish(within: .nanoseconds(end - min(end, steadyNanoseconds())))
        caller.finish(within: .nanoseconds(end - min(end, steadyNanoseconds())))
        // The writer still answers whoever has asked.
        front.join()
        waitForWriter()
        writer.finish()
        reader.finish()
        events.finish()
        backups.finish()
        journal.write(LogLine(.notice, .stopped, "stopped"))
    }
}

extension Daemon {
    /// Until the writer has done, and answered, everything posted so far; on a disk that stalls, as long as systemd
    /// lets us.
    private func waitForWriter() {
        let reached = Bell()
        inbox.post(.barrier { reached.ring() })
        _ = reached.wait()
    }
}

/// What the last process left: attempts nobody knows the outcome of, and webhooks not applied.
private func takeUp(_ step: WriterStep<SystemRandomNumberGenerator>, _ journal: Journal) throws {
    if let upgrade = step.queue.upgrade {
        journal.write(
            LogLine(
                .notice, .upgraded,
                "the database was of an earlier outboxd (schema version \(upgrade.from)) and was brought up to date; as it "
                    + "was before it is kept in \(upgrade.backup): remove that when all is well"))
    }
    let left = try step.takeUp(now: Timestamp(milliseconds: wallClockMilliseconds()))
    if left.unknown + left.webhooks > 0 {
        journal.write(
            LogLine(
                .warning, .recovered,
                "the last process did not end by itself: \(left.unknown) attempts with unknown outcome, "
                    + "\(left.webhooks) webhooks to apply"))
    }
}

/// The time nobody listened, and what it left undone.
private struct Absence {
    private let since: Timestamp?
    private let now = Timestamp(milliseconds: wallClockMilliseconds())
    private let lines: [Line]
    private let unfinished: [CatchUpState]

    /// Before anything is written.
    init(_ queue: Queue) throws {
        since = try queue.lastAlive()
        lines = queue.allLines
        unfinished = try queue.unfinishedCatchUps()
    }

    /// After a long one lost statuses are looked for, of messages sent up to seven days before its end.
    func askAbout(with catchUp: CatchUp, _ journal: Journal) {
        catchUp.resume(unfinished)
        guard let since, since + CatchUp.absence < now else { return }
        journal.write(
            LogLine(.notice, .catchUp, "nobody listened to Meta since \(since.rfc3339): lost statuses are looked for"))
        for line in lines { catchUp.start(nil, line, since: now - CatchUp.reach) }
    }
}

private func openListeners(_ settings: Settings) throws -> [Listener] {
    let given = Systemd.sockets()
    func listeners(_ name: String, _ door: Door, _ path: String) throws -> [Listener] {
        if let descriptors = given[name] { return descriptors.map { Listener(descriptor: $0, tag: door.rawValue) } }
        return [try .unix(path: path, mode: 0o666, tag: door.rawValue)]
    }
    // Somebody asked for it with a unit of its own.
    let metrics = (given["metrics"] ?? []).map { Listener(descriptor: $0, tag: Door.metrics.rawValue) }
    // An administrator who has systemd hold it says where others may connect.
    var keyed = (given["keyed"] ?? []).map { Listener(descriptor: $0, tag: Door.keyed.rawValue) }
    if keyed.isEmpty, let address = settings.listen { keyed = [try .tcp(address, tag: Door.keyed.rawValue)] }
    return try listeners("api", .api, settings.socket)
        + listeners("webhook", .webhook, settings.webhookSocket) + metrics + keyed
}

/// Each socket has its share of the descriptors, so that a crowd on one keeps nobody from the other, and enough is
/// left for calls and files.
private func httpLimits(_ settings: Settings, sockets: Int, _ journal: Journal) -> HTTPLimits {
    var limits = HTTPLimits()
    // Whoever waits for what Meta or an endpoint says gets to hear it, as long as those are waited for.
    limits.drainSeconds += Double(settings.stopTimeout.components.seconds)
    let own = settings.connections + CallerStep<Dice>.callsMax + GraphCalls.connections + Descriptors.ownFiles
    let most = Descriptors.raiseMax()
    let share = (most - own) / sockets
    limits.connectionsMax = min(limits.connectionsMax, max(Descriptors.connectionsMin, share))
    if share < Descriptors.connectionsMin {
        let text =
            "there are only \(most) file descriptors, and \(own) of them may be needed for calls and files: "
            + "raise LimitNOFILE= or ulimit -n"
        journal.write(LogLine(.warning, .started, text))
    }
    return limits
}

private func startFront(
    listeners: [Listener], bell: Bell, mailbox: Mailbox<Frontend.Mail>, limits: HTTPLimits, _ parts: Frontend.Parts
) -> Thread {
    Thread("sockets") {
        let server = HTTPServer(listeners: listeners, bell: bell, limits: limits)
        server.run(Frontend(server: server, mailbox: mailbox, parts))
    }
}

/// TCP knows no users: whoever reached it would be let in, or nobody.
struct NoKeys: Error, CustomStringConvertible {
    var description: String {
        "the setting listen (or a socket unit named keyed) opens a TCP socket, which needs keys, and there is none: start "
            + "without it, make one with outboxctl key add, then start with it again"
    }
}

/// What a reload reaches.
private struct Reloaded {
    let secrets: Secrets
    let sender: Sender
    let caller: Caller
    let inbox: WriterInbox
    let door: Doorkeeper
    let rateLimit: Lock<Int>

    init(
        _ secrets: Secrets, _ sender: Sender, _ caller: Caller, _ inbox: WriterInbox, _ door: Doorkeeper,
        _ rateLimit: Lock<Int>
    ) {
        self.secrets = secrets
        self.sender = sender
        self.caller = caller
        self.inbox = inbox
        self.door = door
        self.rateLimit = rateLimit
    }
}

private func reloadParts(
    _ load: () throws -> Settings, _ atStart: Settings, _ parts: Reloaded, _ journal: Journal, by who: String
) throws {
    let settings = try load()
    let access = Access(settings)
    for problem in access.problems { journal.write(LogLine(.warning, .sendGroupMissing, problem)) }
    parts.door.set(access)
    parts.rateLimit.withLock { $0 = settings.rateLimit }
    parts.inbox.post(.limitIntake(IntakeLimits(settings)))
    parts.secrets.reload()
    for problem in parts.secrets.problems() { journal.write(LogLine(.error, .secretMissing, problem)) }
    parts.caller.reload(allowsHTTP: settings.allowsHTTPCallbacks)
    parts.sender.set(Sender.Target(endpoint: settings.graph, timeout: atStart.requestTimeout))
    journal.set(level: settings.logLevel, masksNumbers: settings.maskNumbers)
    parts.inbox.post(.releaseLines)
    let waiting = atStart.needsRestart(for: settings)
    if !waiting.isEmpty {
        let text = "changed, and counts after a restart: \(waiting.joined(separator: ", "))"
        journal.write(LogLine(.warning, .restartNeeded, text))
    }
    journal.write(LogLine(.notice, .reloaded, "settings and secrets were read again", [(.actor, who)]))
}

/// EX_IOERR. Ending is safe: what was acknowledged is on disk, and the next start reads it afresh.
private func endAtOnce(_ error: StoreError, _ journal: Journal) {
    journal.write(LogLine(.error, .storage, "the database can no longer be trusted to keep what it is given: \(error)"))
    journal.close()
    _exit(74)
}

// MARK: Signals

/// Before any thread starts, so that all inherit it.
package func blockSignals() {
    var signals = sigset_t()
    fillSignals(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    // A file as long as the limit allows is an error of the write, not the end.
    signal(SIGXFSZ, SIG_IGN)
}

private func fillSignals(_ signals: inout sigset_t) {
    sigemptyset(&signals)
    for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, number) }
}

/// The signal that came, or 0 when it is time for a heartbeat.
private func waitForSignal(_ signals: inout sigset_t, _ interval: Duration?) -> Int32 {
    guard let interval else {
        var number: Int32 = 0
        return sigwait(&signals, &number) == 0 ? number : 0
    }
    let (seconds, attoseconds) = interval.components
    var patience = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    return max(sigtimedwait(&signals, nil, &patience), 0)
}
