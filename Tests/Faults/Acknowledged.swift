import OutboxCore
import OutboxStore

/// What was told to somebody: it stays so, whatever happens.
struct Acknowledged {
    struct Standing: Equatable {
        var state: MessageState
        var attempt: Int64

        /// A state that may follow upon this one, or is this one.
        func allows(_ later: Standing) -> Bool {
            guard later.attempt >= attempt else { return false }
            if later == self { return true }
            // Another attempt: an explicit retry or a settled unknown began it.
            let isNew = later.attempt > attempt
            return switch state {
            case .scheduled: true
            case .queued: later.state != .scheduled
            case .processing, .retrying: later.state != .scheduled
            case .sent: isNew || [.sent, .delivered, .read, .failed].contains(later.state)
            case .delivered: isNew || [.delivered, .read].contains(later.state)
            case .read: later.state == .read
            // Asked for again and taken back in one transaction that nobody was told of: a kill may leave it.
            case .failed: later.state != .scheduled
            case .cancelled: later.state == .cancelled
            }
        }

        /// It may have been removed since, by rules as short as the loads'.
        var mayBeGone: Bool { [.sent, .delivered, .read, .failed, .cancelled].contains(state) }
    }

    var messages: [MessageID: Standing] = [:]
    var keys: [String: (key: IdempotencyKey, submitted: Submitted)] = [:]
    /// Attempts that left.
    var attempts: [MessageID: Int64] = [:]
    var cursors: [String: Int64] = [:]
    /// Nothing else is stored: everybody else was told so.
    var isAll = false
    /// Told by webhooks that were answered with 200: applied, or on disk to be applied.
    var reports: [StatusReport] = []

    var subscriptions: [Int64: Subscribed] = [:]
    /// What people wrote, by Meta's ids.
    var received: Set<String> = []
    /// Meta took the mark, and we acknowledged it.
    var marked: Set<MessageID> = []

    enum Fact {
        case message(MessageID, Standing)
        case key(IdempotencyKey, Submitted)
        case attempt(MessageID, Int64)
        case cursor(String, Int64)
        case call(CallFact)
    }

    mutating func note(_ fact: Fact) {
        switch fact {
        case .message(let id, let standing): messages[id] = standing
        case .key(let key, let submitted): keys[key.text] = (key, submitted)
        case .attempt(let id, let number): attempts[id] = number
        case .cursor(let name, let position): cursors[name] = position
        case .call(let fact): note(fact)
        }
    }

    /// What a queue opened anew does not say as it was told.
    func missing(in queue: Queue, path: String, now: Timestamp, only sample: Set<MessageID>? = nil) throws -> [String] {
        var problems = try queue.disagreements()
        let reader = try QueueReader(path: path)
        for (id, standing) in messages where sample?.contains(id) ?? true {
            guard let found = try reader.message(id, account: 1) else {
                if !standing.mayBeGone { problems.append("message \(id.rawValue), \(standing), is gone") }
                continue
            }
            let now = Standing(state: found.state, attempt: found.attempts)
            if !standing.allows(now) { problems.append("message \(id.rawValue) went from \(standing) to \(now)") }
            if let number = attempts[id], number > found.attempts {
                problems.append("attempt \(number) of message \(id.rawValue) is forgotten: \(now)")
            }
        }
        let count = try reader.counts(account: 1).reduce(0) { $0 + $1.count }
        if isAll, count != messages.count { problems.append("\(count) messages are stored, not \(messages.count)") }
        for (text, entry) in keys {
            let earlier = try queue.earlierCall(entry.key, account: 1, now: now)
            if earlier != .submitted(entry.submitted) {
                problems.append("key \(text) stands for \(String(describing: earlier)), not \(entry.submitted)")
            }
        }
        for (name, position) in cursors {
            let found = try reader.cursor(name, account: 1)?.position ?? -1
            if found < position { problems.append("cursor \(name) went back from \(position) to \(found)") }
        }
        if sample == nil { problems += try missingCalls(reader) + missingReceived(queue, reader) }
        return try problems + missingReports(queue, reader)
    }

    private func missingReports(_ queue: Queue, _ reader: QueueReader) throws -> [String] {
        let unread = try queue.unappliedWebhooks(after: 0, limit: 1000).map { String(decoding: $0.body, as: UTF8.self) }
        return try reports.compactMap { report in
            guard let opaque = report.opaque, let id = queue.codec.id(String(opaque.prefix { $0 != "." })),
                let found = try reader.message(id, account: 1)
            else { return "status \(report) is of no message" }
            let applied: [MessageState] = report.report == .read ? [.read] : [.delivered, .read]
            if applied.contains(found.state) || unread.contains(where: { $0.contains(opaque) }) { return nil }
            return "status \(report.report) of message \(id.rawValue) is lost: \(found.state)"
        }
    }

    /// A queue opened anew goes on: it takes, claims and records, and gives no attempt's number out again.
    func goesOn(_ queue: Queue, now: Timestamp) throws -> [String] {
        var problems: [String] = []
        queue.set(tick: ticks(now), wall: now, isSynchronised: true)
        try together(queue) { _ = try queue.recoverClaimed(now: now) }
        if queue.line(named: "main", account: 1) == nil {
            try together(queue) { _ = try queue.put(lineSettings, account: 1, now: now) }
        }
        try together(queue) { _ = try queue.submit(try textDraft(number: 1), account: 1, batch: nil, now: now) }
        var claimed = Claimed()
        try together(queue) { claimed = try queue.claim(slots: 8, now: now) }
        for attempt in claimed.attempts {
            if let number = attempts[attempt.message], attempt.number <= number {
                problems.append("attempt \(number) of message \(attempt.message.rawValue) was given out again")
            }
            var dice = Dice(seed: 1)
            var recorded = Recorded.nothing
            try together(queue) {
                recorded = try queue.record(
                    .accepted(wamid: "wamid.again.\(attempt.opaque)"), attempt, now: now, chance: &dice)
            }
            if recorded == .nothing { problems.append("an outcome changed nothing") }
        }
        problems += try callsGoOn(queue, now: now)
        return try problems + queue.disagreements()
    }
}

struct Unexpected: Error {}

func ticks(_ now: Timestamp) -> UInt64 { UInt64(now.milliseconds) * 1_000_000 }

func reading(_ now: Timestamp) -> LimitClock.Reading {
    LimitClock.Reading(boot: "faults", tick: ticks(now), wall: now, isSynchronised: true)
}

var lineSettings: LineSettings {
    var settings = LineSettings(
        name: "main", phoneNumberID: "106", wabaID: nil, credential: "c", messagesPerSecond: 10_000)
    settings.closedWindow = .leave
    settings.unknownPolicy = .resend
    settings.unknownGrace = .seconds(60)
    return settings
}

func textDraft(number: Int, bytes: Int = 20) throws -> Draft {
    guard let to = Recipient("1415555\(1000 + number)") else { throw Unexpected() }
    let text = String(repeating: "x", count: bytes)
    return Draft(line: "main", to: to, type: "text", content: Array(#"{"body":"\#(text)"}"#.utf8))
}
