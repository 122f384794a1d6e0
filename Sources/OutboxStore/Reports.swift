package import OutboxCore
import OutboxJSON

/// What applying a status did.
package enum Applied: Equatable, Sendable {
    case moved(MessageID, MessageState)
    case noted(MessageID)
    /// Kept until its message is known.
    case parked
    /// Of a message that was removed: there is nothing to keep it for.
    case gone
}

extension Queue {
    /// How long a status waits for its message.
    package static let earlyStatusKept = Duration.seconds(7 * 86_400)

    /// Moves a message by what Meta says of it.
    package func apply(_ status: StatusReport, now: Timestamp) throws -> Applied {
        guard case (var record, let attempt)? = try subject(of: status) else {
            if let opaque = status.opaque, readOpaque(opaque) != nil { return .gone }
            try park(status, now)
            return .parked
        }
        return try apply(status, to: &record, attempt: attempt, now)
    }

    /// By our own opaque id, else by Meta's id, else because nothing else can be meant.
    private func subject(of status: StatusReport) throws -> (Record, attempt: Int64?)? {
        if let opaque = status.opaque, let (id, number) = readOpaque(opaque), let record = try load(id) {
            return (record, number)
        }
        if let record = try load(wamid: status.wamid) { return (record, nil) }
        if let copy = try copy(status.wamid), let record = try load(copy.id) { return (record, copy.attempt) }
        // Ours, and no longer here: another message of the person's is not meant.
        if let opaque = status.opaque, readOpaque(opaque) != nil { return nil }
        return try openAttempt(for: status).map { ($0, $0.standing.attempt) }
    }

    func apply(_ status: StatusReport, to record: inout Record, attempt: Int64?, _ now: Timestamp) throws
        -> Applied
    {
        if attempt ?? record.standing.attempt == record.standing.attempt { heard(of: record) }
        let isCounted = attempt == nil || record.wamid == nil || record.wamid == status.wamid
        if isCounted, let pricing = status.pricing { record.pricing = pricing }
        let decision = record.standing.decide(.reported(status.report, attempt: attempt))
        guard status.report != .failed, let attempt, record.isCopy(status.wamid, of: attempt),
            decision != .refuse(.notClaimable)
        else { return try apply(status, to: &record, copy: false, attempt, now) }
        try noteCopy(&record, attempt, status.wamid, now)
        return try apply(status, to: &record, copy: true, attempt, now)
    }

    private func apply(
        _ status: StatusReport, to record: inout Record, copy isCopy: Bool, _ attempt: Int64?, _ now: Timestamp
    ) throws -> Applied {
        switch record.standing.decide(.reported(status.report, attempt: attempt)) {
        case .move(let state):
            let failure = status.failure ?? Failure(code: "UNKNOWN", message: "Meta gave no reason")
            let isNew = !isCopy && record.wamid != status.wamid
            let sentAt = max(status.at, record.claimedAt ?? record.dueAt)
            if state == .sent { enterSent(&record, at: sentAt) } else { record.enter(state) }
            if !isCopy { record.take(status.wamid, of: attempt ?? record.standing.attempt) }
            // Meta tells whole seconds: without this a message would seem sent before its time, and delivered before
            // it was sent.
            if state != .failed { record.sentAt = record.sentAt ?? sentAt }
            switch status.report {
            case .sent: break
            case .delivered: record.deliveredAt = max(status.at, record.sentAt ?? status.at)
            case .read: record.readAt = max(status.at, record.deliveredAt ?? record.sentAt ?? status.at)
            case .failed:
                record.standing.failedBy = .meta
                record.failedAt = max(status.at, record.sentAt ?? record.claimedAt ?? status.at)
                record.failure = failure
            }
            if state == .failed, failure.code == "131049" { try holdMarketing(record) }
            if state == .failed, failure.code == optedOutCode { try optOutByCode(record, now) }
            let detail = status.report == .failed ? failure.detail : wamidDetail(status.wamid)
            try save(&record, status.report.event, at: now, detail: detail)
            if isNew {
                let number = attempt ?? record.standing.attempt
                try applyEarlyStatuses(of: status.wamid, to: record.id, attempt: number, now)
            }
            return .moved(record.id, state)
        case .note, .refuse, .becomeUnknown:
            // What an operator gave as Meta's id yields to Meta's own word.
            if let attempt, attempt == record.wamidAttempt { record.take(status.wamid, of: attempt) }
            try save(&record, .noted, at: now, detail: noteDetail(status, attempt))
            return .noted(record.id)
        }
    }

    private func noteDetail(_ status: StatusReport, _ attempt: Int64?) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("status", status.report.name)
            $0.field("at", status.at.rfc3339)
            $0.field("wamid", status.wamid)
            if let attempt { $0.field("attempt", attempt) }
            if let failure = status.failure { $0.field("code", failure.code) }
        }
        return json.bytes
    }

    // MARK: Before the message is known

    private func park(_ status: StatusReport, _ now: Timestamp) throws {
        try pruneEarlyStatuses(now)
        if memory.earlyStatuses >= earlyStatusesMax {
            dropEarlyStatuses(try statements.dropOldestStatuses.run(.integer(earlyStatusesMax / 100 + 1)))
        }
        try statements.insertEarlyStatus.run(
            .integer(now.milliseconds), .text(status.phoneNumberID), .text(status.wamid), .optional(try person(status)),
            .integer(status.report.rawValue), .integer(status.at.milliseconds), .optional(status.failure?.code),
            .optional(status.failure?.message), .optional(status.pricing?.text))
        memory.earlyStatuses += 1
    }

    /// Whom a status speaks of, by the name we know.
    private func person(_ status: StatusReport) throws -> String? {
        guard let address = status.person ?? status.userID,
            let account = lines(ofNumber: status.phoneNumberID).first.flatMap({ memory.lines[$0]?.account })
        else { return nil }
        return try person(address, account: account)
    }

    /// Lets go of statuses whose message did not come in time; looks once an hour.
    func pruneEarlyStatuses(_ now: Timestamp) throws {
        guard memory.earlyStatuses > 0, memory.nextEarlyPrune.map({ $0 <= now }) ?? true else { return }
        let before = now - Self.earlyStatusKept
        dropEarlyStatuses(try statements.pruneEarlyStatuses.run(.integer(before.milliseconds)))
        memory.nextEarlyPrune = now + .seconds(3600)
    }

    private func dropEarlyStatuses(_ number: Int) {
        memory.earlyStatuses -= Int64(number)
        count(.droppedStatuses, number)
    }

    /// Our own answer was recorded: what Meta said of it before then counts now.
    func applyEarlyStatuses(of wamid: String, to id: MessageID, attempt: Int64, _ now: Timestamp) throws {
        guard memory.earlyStatuses > 0 else { return }
        let waiting = try statements.earlyStatuses.all(.text(wamid)) { row in
            StatusReport(
                phoneNumberID: row.text(0), wamid: wamid, opaque: nil,
                report: Report(rawValue: row.integer(1)) ?? .sent, at: Timestamp(milliseconds: row.integer(2)),
                failure: row.optionalText(3).map { Failure(code: $0, message: row.text(4)) },
                pricing: row.optionalText(5).flatMap(Pricing.init(text:)))
        }
        guard !waiting.isEmpty else { return }
        for status in waiting {
            guard var record = try load(id) else { break }
            _ = try apply(status, to: &record, attempt: attempt, now)
        }
        memory.earlyStatuses -= Int64(try statements.deleteEarlyStatuses.run(.text(wamid)))
    }
}

extension Report {
    fileprivate var event: EventKind {
        switch self {
        case .sent: .sent
        case .delivered: .delivered
        case .read: .read
        case .failed: .failed
        }
    }
}
