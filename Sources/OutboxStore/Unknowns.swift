package import OutboxCore
import OutboxJSON

/// Attempts that nobody answered, and what becomes of them.
extension Queue {
    /// How soon an attempt is looked at again while webhooks lie on the disk unread.
    private static let afterWebhooks = Duration.seconds(1)
    /// Meta repeats a webhook for seven days at most: what was not heard of by then is not heard of any more.
    private static let evidenceMax = Duration.seconds(7 * 86_400)

    func unknown(_ record: inout Record, _ attempt: Int64, _ failure: Failure, _ now: Timestamp) throws -> Recorded {
        switch record.standing.decide(.outcomeUnknown(attempt: attempt)) {
        case .becomeUnknown:
            record.standing.outcomeUnknown = true
            record.graceUntil = graceUntil(record, now)
            record.failure = failure
            try save(&record, .outcomeUnknown, at: now, detail: failure.detail)
            try applyEarlyFailure(to: record, now)
            return .unknown
        case .note:
            try save(&record, .noted, at: now, detail: failure.detail)
            return .noted
        case .move, .refuse: return .nothing
        }
    }

    private func graceUntil(_ record: Record, _ now: Timestamp) -> Timestamp? {
        guard let settings = memory.lines[record.line]?.settings, policy(for: record) != .hold else { return nil }
        return now + settings.unknownGrace
    }

    /// What its own policy, or its line's, comes to for a message.
    private func policy(for record: Record) -> UnknownPolicy {
        (record.onUnknown ?? memory.lines[record.line]?.settings.unknownPolicy ?? .hold)
            .settled(for: kind(of: record))
    }

    func kind(of record: Record) -> MessageKind {
        let standing = record.template.flatMap { memory.templates[record.line]?[$0] }
        return MessageKind(template: record.template, standing, record.priority)
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

    // MARK: After the grace time

    /// The grace time is over: the policy decides.
    func settleUnknown(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id) else { return }
        switch policy(for: record) {
        case .hold, .byKind: try look(at: record, again: nil)
        case .resend: try settle(&record, resend: true, "no answer and no status within the grace time", now)
        case .fail: try settle(&record, resend: false, "no answer and no status within the grace time", now)
        case .evidence: try weigh(&record, now)
        }
    }

    /// Sent again once webhooks of enough later attempts are there, and none of its own lies unread.
    private func weigh(_ record: inout Record, _ now: Timestamp) throws {
        guard memory.webhooksUnread == 0 else { return try look(at: record, again: now + Self.afterWebhooks) }
        let grace = memory.lines[record.line]?.settings.unknownGrace ?? LineSettings.unknownGraceDefault
        // Its line's policy, or what is known of its template, may be another one than it was.
        watchEvidence(record)
        if let complete = memory.evidence[record.line]?[record.id]?.isCompleteSince(grace: grace) {
            guard complete <= now else { return try look(at: record, again: complete) }
            let words = "Meta told of \(Evidence.enough) later messages of the line and not of this one"
            return try settle(&record, resend: true, words, now)
        }
        let claimedAt = record.claimedAt ?? now
        try look(at: record, again: now > claimedAt + Self.evidenceMax ? nil : now + grace)
    }

    private func look(at record: Record, again moment: Timestamp?) throws {
        try statements.saveGrace.run(.optional(moment?.milliseconds), .integer(record.id.rawValue))
        records.forget(record.id)
        if let moment { memory.alarms.set(.grace, moment) }
    }

    private func settle(_ record: inout Record, resend: Bool, _ reason: String, _ now: Timestamp) throws {
        let spent = record.failures + 1 >= schedule(of: record.line).attemptsMax
        let resend = resend && !spent
        guard case .move(let state) = record.standing.decide(.settled(resend: resend)) else { return }
        record.failures += 1
        let failure = Failure(
            code: "OUTCOME_UNKNOWN",
            message: resend ? "\(reason): sent again, it may arrive twice" : "\(reason): it may have arrived")
        try giveUpOrWait(&record, state, failure, .ours, until: now, now)
    }

    // MARK: Evidence

    /// From now on the webhooks of later attempts count for it, or no longer.
    func watchEvidence(_ record: Record) {
        guard record.standing.outcomeUnknown, let claimedAt = record.claimedAt, policy(for: record) == .evidence else {
            memory.evidence[record.line]?.forget(record.id)
            return
        }
        memory.evidence[record.line, default: EvidenceBook()].watch(record.id, claimedAt: claimedAt)
    }

    /// A webhook spoke of a message's last attempt.
    func heard(of record: Record) {
        guard let moment = record.claimedAt, memory.evidence[record.line]?.isGathering ?? false else { return }
        memory.evidence[record.line]?.heard(of: record.id, claimedAt: moment)
    }

    /// Unknown when the file was opened: evidence is gathered anew.
    func rememberUnknown() throws {
        let ids = try database.prepare("SELECT id FROM message WHERE unknown = 1")
            .all { MessageID(rawValue: $0.integer(0)) }
        for id in ids {
            guard let record = try load(id) else { continue }
            memory.unknown[record.line, default: 0] += 1
            watchEvidence(record)
        }
    }

    // MARK: Failed statuses without our opaque id

    /// The message a `failed` status of an unknown wamid speaks of, when exactly one open attempt fits.
    func openAttempt(for status: StatusReport) throws -> Record? {
        guard status.report == .failed, status.opaque == nil, let address = status.person ?? status.userID else {
            return nil
        }
        let open = try lines(ofNumber: status.phoneNumberID).flatMap { line in
            guard let account = memory.lines[line]?.account else { return [OpenAttempt]() }
            return try openAttempts(line, person(address, account: account))
        }
        return try OpenAttempt.failed(at: status.at, among: open).flatMap { try load($0) }
    }

    private func openAttempts(_ line: Int64, _ person: String) throws -> [OpenAttempt] {
        if let only = try pairs.alone(line, person).flatMap({ try load($0) }), only.person == person {
            guard only.standing.state == .processing, let claimedAt = only.claimedAt else { return [] }
            return [OpenAttempt(message: only.id, isUnknown: only.standing.outcomeUnknown, claimedAt: claimedAt)]
        }
        return try statements.openAttempts.all(.integer(line), .text(person)) {
            OpenAttempt(
                message: MessageID(rawValue: $0.integer(0)), isUnknown: $0.integer(1) != 0,
                claimedAt: Timestamp(milliseconds: $0.integer(2)))
        }
    }

    /// A `failed` that came before this attempt was known to be unknown may be its own.
    private func applyEarlyFailure(to record: Record, _ now: Timestamp) throws {
        guard memory.earlyStatuses > 0, let number = memory.lines[record.line]?.settings.phoneNumberID else { return }
        let waiting = try statements.earlyFailures.all(.text(record.person)) { row in
            (
                id: row.integer(0),
                status: StatusReport(
                    phoneNumberID: row.text(1), wamid: row.text(2), opaque: nil, report: .failed,
                    at: Timestamp(milliseconds: row.integer(3)),
                    failure: row.optionalText(4).map { Failure(code: $0, message: row.text(5)) },
                    person: record.person)
            )
        }
        let open = try openAttempts(record.line, record.person)
        let fitting = waiting.filter {
            $0.status.phoneNumberID == number && OpenAttempt.failed(at: $0.status.at, among: open) == record.id
        }
        guard fitting.count == 1, let entry = fitting.first, var record = try load(record.id) else { return }
        _ = try apply(entry.status, to: &record, attempt: record.standing.attempt, now)
        memory.earlyStatuses -= Int64(try statements.deleteEarlyStatus.run(.integer(entry.id)))
    }

    // MARK: An operator's word

    /// Settles an unknown outcome as an operator says; `wamid` is Meta's id of it, where known.
    package func resolve(
        _ id: MessageID, as resolution: Resolution, wamid: String?, by who: String, account: Int64, now: Timestamp
    ) throws -> RequestResult {
        guard var record = try load(id), record.account == account else { return .notFound }
        switch record.standing.decide(.resolved(resolution)) {
        case .move(let state):
            let detail = Self.detail(resolution, who)
            switch resolution {
            case .sent:
                enterSent(&record, at: record.claimedAt ?? now)
                if let wamid { record.take(wamid, of: record.standing.attempt) }
                try save(&record, .sent, at: now, detail: detail)
                if let wamid {
                    try applyEarlyStatuses(of: wamid, to: id, attempt: record.standing.attempt, now)
                }
            case .failed, .resend:
                let failure = Failure(code: "OUTCOME_UNKNOWN", message: "settled as \(resolution.name) by \(who)")
                try giveUpOrWait(&record, state, failure, .ours, until: now, now)
            }
            return .done(state)
        case .refuse(let refusal): return .refused(refusal, record.standing.state)
        case .note, .becomeUnknown: preconditionFailure("a resolution is granted or refused")
        }
    }

    private static func detail(_ resolution: Resolution, _ who: String) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("resolvedAs", resolution.name)
            $0.field("by", who)
        }
        return json.bytes
    }
}
