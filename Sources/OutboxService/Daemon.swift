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
    private let onboarding: Onboarding
    private let media: MediaStore
    private let uploader: MediaUploader
    private let door: Doorkeeper
    private let rateLimit: Lock<Int>
    private let rates: Rates
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
        rates = try Rates(settings.rates)
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
        let links = try directory.opening { try queue.linkDirectory() }
        let pages = PageSettings(settings, isOpen: listeners.contains { $0.tag == Door.pages.rawValue })
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
            path: directory.database, clock: queue.clock, deadline: queue.attemptMax, journal: journal, rates: rates,
            askers: Askers(calls: calls, catchUp: catchUp, refresher: refresher) {
                inbox.post(.asked($0, .changed($1)))
            }
        ) { frontMail.post(.answers($0)) }
        let onboarding = try Onboarding(
            Onboarding.Parts(
                path: directory.database, target: { sender.endpoint }, secrets: secrets,
                answers: { frontMail.post(.answers($0)) }, exchanged: { frontMail.post(.exchanged($0, $1)) }))
        self.onboarding = onboarding
        let events = try EventsThread(path: directory.database, journal: journal) { frontMail.post(.streams($0)) }
        self.events = events
        let backups = BackupThread(
            path: directory.database,
            examination: Examination(
                path: directory.database, settings: settings, secrets: secrets, graph: { sender.endpoint }),
            journal: journal, orders: { frontMail.post(.streams($0)) }, answers: { frontMail.post(.answers($0)) })
        self.backups = backups
        let media = try MediaStore(
            MediaStore.Parts(
                folder: directory.media, path: directory.database, idKey: queue.idKey, writer: inbox, journal: journal,
                fetcher: MediaFetcher(
                    target: { sender.endpoint }, secrets: secrets, orders: { frontMail.post(.streams($0)) }),
                orders: { frontMail.post(.streams($0)) }, answers: { frontMail.post(.answers($0)) },
                resume: { frontMail.post(.resume($0)) }),
            freeDiskMin: IntakeLimits(settings).freeDiskMin)
        self.media = media
        let uploader = MediaUploader(
            folder: directory.media, target: { sender.endpoint }, secrets: secrets,
            ended: { inbox.post($0.map(WriterInput.uploadEnded)) })
        self.uploader = uploader
        front = startFront(
            listeners: listeners, bell: frontBell, mailbox: frontMail,
            limits: httpLimits(settings, sockets: listeners.count, journal),
            Frontend.Parts(
                writer: inbox, reader: reader, events: events, caller: caller, backups: backups,
                onboarding: onboarding, media: media, secrets: secrets,
                subscriptionSecrets: subscriptionSecrets, journal: journal,
                idKey: queue.idKey,
                clock: queue.clock,
                door: door, needsKeys: needsKeys, limits: rateLimit, pages: pages, links: links,
                pong: { number in pulse.withLock { $0.front = number } },
                reload: { [secrets, rates] who in
                    try reloadParts(
                        load, settings, Reloaded(secrets, sender, caller, inbox, door, rateLimit, rates, media),
                        journal,
                        by: who)
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
                uploads: { uploader.upload($0) },
                removedFiles: { media.remove($0) },
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
                load, settings, Reloaded(secrets, sender, caller, inbox, door, rateLimit, rates, media), journal,
                by: "SIGHUP")
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
        onboarding.stop()
        media.stop()
        let end = steadyNanoseconds() + UInt64(settings.stopTimeout.components.seconds) * 1_000_000_000
        waitForWriter()
        sender.finish(within: settings.stopTimeout)
        calls.finish(within: .nanoseconds(end - min(end, steadyNanoseconds())))
        caller.finish(within: .nanoseconds(end - min(end, steadyNanoseconds())))
        // Made again after the next start.
        uploader.finish(within: .zero)
        // The writer still answers whoever has asked.
        front.join()
        waitForWriter()
        writer.finish()
        reader.finish()
        events.finish()
        backups.finish()
        onboarding.finish()
        media.finish()
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

/// EX_IOERR. Ending is safe: what was acknowledged is on disk, and the next start reads it afresh.
private func endAtOnce(_ error: StoreError, _ journal: Journal) {
    journal.write(LogLine(.error, .storage, "the database can no longer be trusted to keep what it is given: \(error)"))
    journal.close(lastWords: true)
    _exit(74)
}
