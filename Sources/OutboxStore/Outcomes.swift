package import OutboxCore
import OutboxJSON

/// What recording an outcome did.
package enum Recorded: Equatable, Sendable {
    case moved(MessageState)
    /// The outcome is unknown now.
    case unknown
    /// Late or repeated: in the log, nothing changed.
    case noted
    /// A second copy got there: another attempt has settled the message.
    case duplicate
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
        _ outcome: Outcome, _ attempt: Attempt, now: Timestamp, chance: inout some RandomNumberGenerator
    ) throws -> Recorded {
        guard var record = try load(attempt.message) else { return .nothing }
        try countEnd(of: attempt, record)
        switch outcome {
        case .accepted(let wamid, let person):
            if let person, person != record.person {
                try learn(attempt.to, is: person, account: record.account, now: now)
                // Under another name now, like whoever waits behind it.
                guard let renamed = try load(attempt.message) else { return .nothing }
                record = renamed
            }
            if attempt.answersAd { try answered(record.line, record.person) }
            if let media = attempt.media {
                memory.reuploads[attempt.message] = nil
                try accepted(media, line: attempt.line)
            }
            return try accepted(&record, attempt.number, wamid, now)
        case .unknown(let failure): return try unknown(&record, attempt.number, failure, now)
        case .refused(let failure, let refused):
            if let slot = attempt.slot { try giveBack(slot) }
            try giveBackMarketing(record, attempt: attempt.number)
            if let media = attempt.media, failure.saysMediaIsUnknown, mayReupload(attempt.message),
                try isForgotten(media, line: attempt.line, failure, now)
            {
                // It goes again with a new upload, and the try does not count.
                return try self.refused(&record, attempt.number, failure, .throttled(askedFor: nil), now, &chance)
            }
            try hold(record, failure, refused, now)
            return try self.refused(&record, attempt.number, failure, refused, now, &chance)
        }
    }

    /// Meta may have counted the message as late as now.
    private func countEnd(of attempt: Attempt, _ record: Record) throws {
        guard memory.lines[record.line]?.settings.pairLimit ?? false,
            limitsNow - PairLimit.slack > attempt.claimedAt
        else { return }
        let underWay =
            try pairs.isAlone(record.id, record.line, record.person)
            ? 1 : limits.underWay.first(.integer(record.line), .text(record.person)) { $0.integer(0) } ?? 1
        try change(record.line, record.person) {
            let corrected = PairLimit.ended(
                fullAt: $0.pairFullAt, claimed: attempt.claimedAt, underWay: underWay, now: limitsNow)
            if let corrected { $0.pairFullAt = corrected }
        }
    }

    /// What a refusal says of the person or the template, not of the message alone.
    func hold(_ record: Record, _ failure: Failure, _ refused: Refused, _ now: Timestamp) throws {
        switch (failure.code, refused) {
        case (_, .throttled(let askedFor)) where TemplateHold.codes.contains(failure.code):
            try holdTemplate(record, failure, askedFor, now)
        case ("131056", .throttled(let askedFor)):
            let until = limitsNow + max(askedFor ?? .zero, PairLimit.interval)
            try change(record.line, record.person) { $0.quietUntil = max($0.quietUntil ?? until, until) }
        case ("131049", _): try holdMarketing(record)
        case (optedOutCode, _): try optOutByCode(record, now)
        default: break
        }
    }

    /// Meta chose not to deliver marketing to this person; to try within 24 hours is itself held against the sender.
    func holdMarketing(_ record: Record) throws {
        let until = limitsNow + .seconds(86_400)
        try change(record.line, record.person) { $0.noMarketingUntil = max($0.noMarketingUntil ?? until, until) }
        memory.clockUsed = true
    }

    /// Meta says that the person has stopped marketing.
    func optOutByCode(_ record: Record, _ now: Timestamp) throws {
        _ = try optOut(
            record.person, source: .code, reason: nil, line: record.line, account: record.account, now: now)
    }

    private func accepted(_ record: inout Record, _ attempt: Int64, _ wamid: String, _ now: Timestamp) throws
        -> Recorded
    {
        let detail = wamidDetail(wamid)
        let decision = record.standing.decide(.accepted(attempt: attempt))
        if record.isCopy(wamid, of: attempt), decision != .refuse(.notClaimable) {
            try noteCopy(&record, attempt, wamid, now)
            return .duplicate
        }
        switch decision {
        case .move(let state):
            record.sentAt = nil
            enterSent(&record, at: now)
            record.take(wamid, of: attempt)
            try save(&record, .sent, at: now, detail: detail)
            try applyEarlyStatuses(of: wamid, to: record.id, attempt: attempt, now)
            return .moved(state)
        case .note:
            // A status that overtook the answer has settled it; what is missing is Meta's id at most.
            if record.wamid == nil || record.wamidAttempt == attempt { record.take(wamid, of: attempt) }
            if record.standing.state == .failed, attempt == record.standing.attempt, record.sentAt == nil {
                record.sentAt = now
            }
            try save(&record, .noted, at: now, detail: detail)
            try applyEarlyStatuses(of: wamid, to: record.id, attempt: attempt, now)
            return .noted
        case .becomeUnknown, .refuse: return .nothing
        }
    }

    private func refused(
        _ record: inout Record, _ attempt: Int64, _ failure: Failure, _ refused: Refused, _ now: Timestamp,
        _ chance: inout some RandomNumberGenerator
    ) throws -> Recorded {
        let schedule = schedule(of: record.line)
        var final = true
        var wait = Duration.zero
        var failures = record.failures + 1
        switch refused {
        case .forGood: break
        case .forNow(let askedFor):
            final = failures >= schedule.attemptsMax
            wait = schedule.wait(afterFailures: failures, askedFor: askedFor, chance: &chance)
        case .throttled where record.template != nil && TemplateHold.codes.contains(failure.code):
            // The template is held; the message waits at its gate, where it is in nobody's way.
            final = false
            failures -= 1
        case .throttled(let askedFor):
            final = false
            failures -= 1
            let tries = attempt - record.standing.closedAttempt
            wait = schedule.wait(afterFailures: tries, askedFor: askedFor, chance: &chance)
        case .lineLater(let askedFor):
            // The line is held; the message itself need not learn patience. With a new token it goes at once.
            final = false
            failures -= 1
            wait = TokenHealth.refusals.contains(failure.code) ? .zero : askedFor ?? .zero
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

    func schedule(of line: Int64) -> RetrySchedule { memory.lines[line]?.settings.retry ?? RetrySchedule() }
}

func wamidDetail(_ wamid: String) -> [UInt8] {
    var json = JSONWriter()
    json.object { $0.field("wamid", wamid) }
    return json.bytes
}
