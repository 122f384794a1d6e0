import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem

/// What the last process left: attempts nobody knows the outcome of, and webhooks not applied.
func takeUp(_ step: WriterStep<SystemRandomNumberGenerator>, _ journal: Journal) throws {
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
struct Absence {
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

func openListeners(_ settings: Settings) throws -> [Listener] {
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
    // The proxy in front of it may be elsewhere, too.
    var pages = (given["pages"] ?? []).map { Listener(descriptor: $0, tag: Door.pages.rawValue) }
    if pages.isEmpty, let address = settings.pages { pages = [try .tcp(address, tag: Door.pages.rawValue)] }
    return try listeners("api", .api, settings.socket)
        + listeners("webhook", .webhook, settings.webhookSocket) + metrics + keyed + pages
}

/// Each socket has its share of the descriptors, so that a crowd on one keeps nobody from the other, and enough is
/// left for calls and files.
func httpLimits(_ settings: Settings, sockets: Int, _ journal: Journal) -> HTTPLimits {
    var limits = HTTPLimits()
    // Whoever waits for what Meta or an endpoint says gets to hear it, as long as those are waited for.
    limits.drainSeconds += Double(settings.stopTimeout.components.seconds)
    let own =
        settings.connections + CallerStep<Dice>.callsMax + GraphCalls.connections + Descriptors.ownFiles
        + Descriptors.mediaFiles
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

func startFront(
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
