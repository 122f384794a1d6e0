package import OutboxCore
import OutboxJSON

/// What recording an outcome did.
package enum Recorded: Equatable, Sendable {
    case moved(MessageState)
    /// The outcome is unknown now.
    case unknown
    /// Late or repeated: in the log, nothing changed.
    case noted
    /// No such message, or no such attempt of it.
    case nothing
}

extension Failure {
    /// As the event log keeps it.
    var detail: [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("code", code)
            $0.field("message", message)
        }
        return json.bytes
    }
}

extension Queue {
    /// Writes how an attempt ended, if it still holds the message.
    package func record(
        _ outcome: Outcome, message id: MessageID, attempt: Int64, now: Timestamp,
        chance: inout some RandomNumberGenerator
    ) throws -> Recorded {
        guard var record = try load(id) else { return .nothing }
        switch outcome {
        case .accepted(let wamid): return try accepted(&record, attempt, wamid, now)
        case .unknown(let failure): return try unknown(&record, attempt, failure, now)
        case .refused(let failure, let refused):
            return try self.refused(&record, attempt, failure, refused, now, &chance)
        }
    }

    private func accepted(_ record: inout Record, _ attempt: Int64, _ wamid: String, _ now: Timestamp) throws
        -> Recorded
    {
        let detail = wamidDetail(wamid)
        switch record.standing.decide(.accepted(attempt: attempt)) {
        case .move(let state):
            record.enter(state)
            record.wamid = wamid
            record.sentAt = now
            try save(&record, .sent, at: now, detail: detail)
            try applyEarlyStatuses(of: wamid, to: record.id, now)
            return .moved(state)
        case .note:
            // A status that overtook the answer has settled it; what is missing is Meta's id at most.
            if record.wamid == nil { record.wamid = wamid }
            try save(&record, .noted, at: now, detail: detail)
            try applyEarlyStatuses(of: wamid, to: record.id, now)
            return .noted
        case .becomeUnknown, .refuse: return .nothing
        }
    }

    private func refused(
        _ record: inout Record, _ attempt: Int64, _ failure: Failure, _ refused: Refused, _ now: Timestamp,
        _ chance: inout some RandomNumberGenerator
    ) throws -> Recorded {
        var final = true
        var wait = Duration.zero
        var failures = record.failures + 1
        switch refused {
        case .forGood: break
        case .forNow(let askedFor):
            final = failures >= retrySchedule.attemptsMax
            wait = retrySchedule.wait(afterFailures: failures, askedFor: askedFor, chance: &chance)
        case .throttled(let askedFor):
            final = false
            failures -= 1
            let tries = attempt - record.standing.closedAttempt
            wait = retrySchedule.wait(afterFailures: tries, askedFor: askedFor, chance: &chance)
        case .lineLater(let askedFor):
            // The line is held; the message itself need not learn patience.
            final = false
            failures -= 1
            wait = askedFor ?? .zero
        }
        switch record.standing.decide(.refused(attempt: attempt, final: final)) {
        case .move(let state):
            record.failures = failures
            try giveUpOrWait(&record, state, failure, .ours, until: now + wait, now)
            return .moved(state)
        case .note:
            try save(&record, .noted, at: now, detail: failure.detail)
            return .noted
        case .becomeUnknown, .refuse: return .nothing
        }
    }

    /// Enters `failed`, or `retrying` until a moment.
    func giveUpOrWait(
        _ record: inout Record, _ state: MessageState, _ failure: Failure, _ origin: FailureOrigin,
        until due: Timestamp, _ now: Timestamp
    ) throws {
        record.enter(state)
        record.failure = failure
        if state == .failed {
            record.standing.failedBy = origin
            record.failedAt = now
        } else {
            record.dueAt = due
        }
        try save(&record, state == .failed ? .failed : .retrying, at: now, detail: failure.detail)
    }

    // MARK: Unknown outcomes

    private func unknown(_ record: inout Record, _ attempt: Int64, _ failure: Failure, _ now: Timestamp) throws
        -> Recorded
    {
        switch record.standing.decide(.outcomeUnknown(attempt: attempt)) {
        case .becomeUnknown:
            record.standing.outcomeUnknown = true
            record.graceUntil = graceUntil(line: record.line, now)
            record.failure = failure
            try save(&record, .outcomeUnknown, at: now, detail: failure.detail)
            return .unknown
        case .note:
            try save(&record, .noted, at: now, detail: failure.detail)
            return .noted
        case .move, .refuse: return .nothing
        }
    }

    func graceUntil(line: Int64, _ now: Timestamp) -> Timestamp? {
        guard let settings = memory.lines[line]?.settings, settings.unknownPolicy != .hold else { return nil }
        return now + settings.unknownGrace
    }

    /// Every attempt found at the start may have left: the process that made it is gone. Answers how many.
    package func recoverClaimed(now: Timestamp) throws -> Int {
        let failure = Failure(
            code: "OUTCOME_UNKNOWN", message: "outboxd ended while this attempt was on its way; it may have arrived")
        let ids = try statements.claimed.all { MessageID(rawValue: $0.integer(0)) }
        for id in ids {
            guard var record = try load(id) else { continue }
            _ = try unknown(&record, record.standing.attempt, failure, now)
        }
        return ids.count
    }

    /// The grace time is over: the line's policy decides.
    func settleUnknown(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id) else { return }
        let policy = memory.lines[record.line]?.settings.unknownPolicy ?? .hold
        if policy == .hold {
            record.graceUntil = nil
            try save(&record, .noted, at: now)
            return
        }
        let spent = record.failures + 1 >= retrySchedule.attemptsMax
        let resend = policy == .resend && !spent
        guard case .move(let state) = record.standing.decide(.settled(resend: resend)) else { return }
        record.failures += 1
        let failure = Failure(
            code: "OUTCOME_UNKNOWN",
            message: resend
                ? "no answer and no status within the grace time: sent again, as the line's policy says"
                : "no answer and no status within the grace time: it may have arrived")
        try giveUpOrWait(&record, state, failure, .ours, until: now, now)
    }
}

func wamidDetail(_ wamid: String) -> [UInt8] {
    var json = JSONWriter()
    json.object { $0.field("wamid", wamid) }
    return json.bytes
}
