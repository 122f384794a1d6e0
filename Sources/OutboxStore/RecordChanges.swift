import OutboxCore

/// Writes what has changed in a message's row, and nothing else of it: SQLite looks only at the indexes that the named
/// columns may concern. One statement for each set of columns, prepared when it is first needed.
final class RecordChanges {
    private let database: Database
    private var statements: [UInt32: Statement] = [:]

    /// A run of the daemon needs a few dozen of them.
    private static let statementsMax = 256

    private static let columns = [
        "state", "due_at", "turn", "gate", "gated_at", "attempt", "failures", "closed_attempt", "unknown",
        "grace_until", "last_event", "wamid", "sent_at", "delivered_at", "read_at", "failed_at", "cancelled_at",
        "failed_by", "error_code", "error_message", "claimed_at", "receipt_until", "no_receipt", "wamid_attempt",
        "price", "replied_at", "by_person",
    ]

    init(_ database: Database) { self.database = database }

    /// Answers how many rows were changed: one, if it is in the state and attempt it was loaded with. `byPerson`: whether
    /// it is found by its person, where that is another than before.
    func save(_ record: Record, byPerson: Bool?) throws -> Int {
        var difference = Difference()
        guard let stored = record.stored else { preconditionFailure("a record comes out of the file") }
        difference.note(stored.record.standing.state.rawValue, record.standing.state.rawValue)
        difference.note(stored.record.dueAt.milliseconds, record.dueAt.milliseconds)
        difference.note(stored.record.turn, record.turn)
        difference.note(stored.record.gate.rawValue, record.gate.rawValue)
        difference.note(stored.record.gatedAt?.milliseconds, record.gatedAt?.milliseconds)
        difference.note(stored.record.standing.attempt, record.standing.attempt)
        difference.note(stored.record.failures, record.failures)
        difference.note(stored.record.standing.closedAttempt, record.standing.closedAttempt)
        difference.note(stored.record.standing.outcomeUnknown ? 1 : 0, record.standing.outcomeUnknown ? 1 : 0)
        difference.note(stored.record.graceUntil?.milliseconds, record.graceUntil?.milliseconds)
        difference.note(stored.record.lastEvent, record.lastEvent)
        difference.note(stored.record.wamid, record.wamid)
        difference.note(stored.record.sentAt?.milliseconds, record.sentAt?.milliseconds)
        difference.note(stored.record.deliveredAt?.milliseconds, record.deliveredAt?.milliseconds)
        difference.note(stored.record.readAt?.milliseconds, record.readAt?.milliseconds)
        difference.note(stored.record.failedAt?.milliseconds, record.failedAt?.milliseconds)
        difference.note(stored.record.cancelledAt?.milliseconds, record.cancelledAt?.milliseconds)
        difference.note(stored.record.standing.failedBy?.rawValue, record.standing.failedBy?.rawValue)
        difference.note(stored.record.failure?.code, record.failure?.code)
        difference.note(stored.record.failure?.message, record.failure?.message)
        difference.note(stored.record.claimedAt?.milliseconds, record.claimedAt?.milliseconds)
        difference.note(stored.record.receiptUntil?.milliseconds, record.receiptUntil?.milliseconds)
        difference.note(stored.record.hasNoReceipt ? 1 : 0, record.hasNoReceipt ? 1 : 0)
        difference.note(stored.record.wamidAttempt, record.wamidAttempt)
        difference.note(stored.record.pricing, record.pricing)
        difference.note(stored.record.repliedAt?.milliseconds, record.repliedAt?.milliseconds)
        difference.note(nil, byPerson.map { $0 ? 1 : 0 })
        precondition(difference.place == Self.columns.count, "each column is compared")
        // Nothing to write is no reason to say that there was no such row.
        guard difference.columns != 0 else { return 1 }
        difference.values += [
            .integer(record.id.rawValue), .integer(record.loadedState.rawValue), .integer(record.loadedAttempt),
        ]
        return try statement(difference.columns).run(list: difference.values)
    }

    private func statement(_ columns: UInt32) throws -> Statement {
        if let known = statements[columns] { return known }
        let changed = Self.columns.enumerated().filter { columns >> UInt32($0.offset) & 1 == 1 }.map(\.element)
        let statement = try database.prepare(
            """
            UPDATE message SET \(changed.map { "\($0) = :\($0)" }.joined(separator: ", "))
            WHERE id = :id AND state = :old_state AND attempt = :old_attempt
            """)
        if statements.count == Self.statementsMax { statements = [:] }
        statements[columns] = statement
        return statement
    }
}

/// What is new, column after column.
private struct Difference {
    /// A bit for each column that has changed.
    private(set) var columns: UInt32 = 0
    var values: [SQLValue] = []
    private(set) var place: UInt32 = 0

    init() { values.reserveCapacity(16) }

    private mutating func step(_ value: @autoclosure () -> SQLValue, isNew: Bool) {
        if isNew {
            columns |= 1 << place
            values.append(value())
        }
        place += 1
    }

    mutating func note(_ old: Int64?, _ new: Int64?) { step(.optional(new), isNew: old != new) }
    mutating func note(_ old: Pricing?, _ new: Pricing?) { step(.optional(new?.text), isNew: old != new) }
    mutating func note(_ old: String?, _ new: String?) { step(.optional(new), isNew: old != new) }
}
