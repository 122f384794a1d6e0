import OutboxCore

/// When the clock alone next moves a message, so that a turn before then asks nobody. A moment here may be too early,
/// for the message may have gone on meanwhile; it is never too late.
struct Alarms {
    enum Kind: CaseIterable { case expiry, due, grace, receipt }

    private var expiry = Timestamp.distantFuture
    private var due = Timestamp.distantFuture
    private var grace = Timestamp.distantFuture
    private var receipt = Timestamp.distantFuture

    subscript(kind: Kind) -> Timestamp {
        get {
            switch kind {
            case .expiry: expiry
            case .due: due
            case .grace: grace
            case .receipt: receipt
            }
        }
        set {
            switch kind {
            case .expiry: expiry = newValue
            case .due: due = newValue
            case .grace: grace = newValue
            case .receipt: receipt = newValue
            }
        }
    }

    /// Nil: never.
    var next: Timestamp? {
        let first = min(min(expiry, due), min(grace, receipt))
        return first == .distantFuture ? nil : first
    }

    mutating func set(_ kind: Kind, _ moment: Timestamp) { self[kind] = min(self[kind], moment) }

    /// Of a message that is written so.
    mutating func set(for record: Record) {
        set(record.standing.state, dueAt: record.dueAt, expiresAt: record.expiresAt)
        if let moment = record.graceUntil { set(.grace, moment) }
        if let moment = record.receiptUntil { set(.receipt, moment) }
    }

    mutating func set(_ state: MessageState, dueAt: Timestamp, expiresAt: Timestamp?) {
        guard state.isWaiting else { return }
        if state != .queued { set(.due, dueAt) }
        if let expiresAt { set(.expiry, expiresAt) }
    }
}

extension Queue {
    /// The first there is in the file.
    func nextAlarm(_ kind: Alarms.Kind) throws -> Timestamp {
        let statement =
            switch kind {
            case .expiry: statements.nextExpiry
            case .due: statements.nextDue
            case .grace: statements.nextGrace
            case .receipt: statements.nextReceipt
            }
        let first = try statement.first { $0.optionalInteger(0) } ?? nil
        return first.map(Timestamp.init(milliseconds:)) ?? .distantFuture
    }

    func rememberAlarms() throws {
        for kind in Alarms.Kind.allCases { memory.alarms[kind] = try nextAlarm(kind) }
        memory.nextContact = try nextContact(after: .min) ?? .distantFuture
    }

    /// The first moment behind another at which somebody waits with a person no longer.
    func nextContact(after milliseconds: Int64) throws -> Timestamp? {
        let first = try limits.nextContact.first(.integer(milliseconds)) { $0.optionalInteger(0) } ?? nil
        return first.map(Timestamp.init(milliseconds:))
    }
}
