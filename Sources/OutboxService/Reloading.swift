import OutboxSystem

/// What a reload reaches.
struct Reloaded {
    let secrets: Secrets
    let sender: Sender
    let caller: Caller
    let inbox: WriterInbox
    let door: Doorkeeper
    let rateLimit: Lock<Int>
    let rates: Rates
    let media: MediaStore

    init(
        _ secrets: Secrets, _ sender: Sender, _ caller: Caller, _ inbox: WriterInbox, _ door: Doorkeeper,
        _ rateLimit: Lock<Int>, _ rates: Rates, _ media: MediaStore
    ) {
        self.rates = rates
        self.secrets = secrets
        self.sender = sender
        self.caller = caller
        self.inbox = inbox
        self.door = door
        self.rateLimit = rateLimit
        self.media = media
    }
}

func reloadParts(
    _ load: () throws -> Settings, _ atStart: Settings, _ parts: Reloaded, _ journal: Journal, by who: String
) throws {
    let settings = try load()
    let rates = try Rates.read(settings.rates)
    let access = Access(settings)
    for problem in access.problems { journal.write(LogLine(.warning, .sendGroupMissing, problem)) }
    parts.door.set(access)
    parts.rates.set(rates)
    parts.rateLimit.withLock { $0 = settings.rateLimit }
    parts.inbox.post(.limitIntake(IntakeLimits(settings)))
    parts.media.set(freeDiskMin: IntakeLimits(settings).freeDiskMin)
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
