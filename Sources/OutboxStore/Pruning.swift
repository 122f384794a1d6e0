package import OutboxCore

/// What one step of pruning did.
package struct PruneStep: Equatable, Sendable {
    package var removed: Int64 = 0
    /// Nothing more is to be removed for now.
    package var isDone = false
}

/// Where a pass over the file stands.
struct PrunePass {
    enum Phase { case messages, wamids, events, received, webhooks, cohorts, files, campaigns, links, space }

    var phase = Phase.messages
    var after: Int64 = 0
    /// Of this phase's kind, what lies before this one is more than is kept; nil: not looked for yet.
    var surplus: Int64?
}

struct EndedRow {
    var id: Int64
    var counted: Counters.Key
    var batch: Int64?
    var lastEvent: Int64
    var hasNoReceipt: Bool
    var endedAt: Timestamp?
}

/// Removing what has ended long ago, in steps small enough for sends to go on between them.
extension Queue {
    private static let messagesLookedAt: Int64 = 200
    private static let eventsLookedAt: Int64 = 500
    private static let pagesGivenBack = 256
    /// Free pages a file may keep: it will need them.
    private static let pagesKept: Int64 = 256

    /// Rules as set, or as they are where nobody did.
    package func retention(_ kind: RetentionKind) -> RetentionRule { memory.retention[kind] ?? .standard(kind) }

    package func set(_ rule: RetentionRule, for kind: RetentionKind) throws {
        try database.prepare(
            """
            INSERT INTO retention (kind, age_max, count_max) VALUES (:kind, :age_max, :count_max)
            ON CONFLICT (kind) DO UPDATE SET age_max = excluded.age_max, count_max = excluded.count_max
            """
        ).run(
            .integer(kind.rawValue), .optional(rule.ageMax?.components.seconds), .optional(rule.countMax))
        memory.retention[kind] = rule
        memory.pass = PrunePass()
    }

    /// Whether counts, which change with every message, are to be looked at often.
    package var prunesByCount: Bool { RetentionKind.allCases.contains { retention($0).countMax != nil } }

    /// One step: at most some hundred rows are looked at. Nothing from the event `needed` on is removed: somebody has
    /// not been told of it.
    package func prune(_ now: Timestamp, needed: Int64?) throws -> PruneStep {
        // By a clock nobody keeps right nothing is old before the limits' clock, which is never fast, says so.
        let now = wallNow == nil ? min(now, limitsNow) : now
        let before = memory.logPrunedTo
        let step = try pruneOn(now, needed ?? .max)
        if memory.logPrunedTo != before { try pruning.savePrunedTo.run(.integer(memory.logPrunedTo)) }
        return step
    }

    private func pruneOn(_ now: Timestamp, _ needed: Int64) throws -> PruneStep {
        switch memory.pass.phase {
        case .messages: return try pruneMessages(now, needed)
        case .wamids: return try pruneWamids()
        case .events: return try pruneEvents(now, needed)
        case .received: return try pruneReceived(now, needed)
        case .webhooks: return try pruneWebhooks(now)
        case .cohorts:
            let removed = try cohorts.prune(now)
            if removed > 0 { memory.cohorts.forget() }
            return removed > 0 ? PruneStep(removed: Int64(removed)) : go(to: .files)
        case .files: return try pruneFiles(now)
        case .campaigns: return try pruneCampaigns(now)
        case .links: return try pruneLinks(now)
        case .space: return try giveBackSpace()
        }
    }

    func go(to phase: PrunePass.Phase, _ removed: Int64 = 0) -> PruneStep {
        memory.pass = PrunePass(phase: phase)
        return PruneStep(removed: removed)
    }

    // MARK: Messages

    private func pruneMessages(_ now: Timestamp, _ needed: Int64) throws -> PruneStep {
        let youngest = RetentionKind.allCases.compactMap { $0.state == nil ? nil : retention($0).ageMax }.min()
        // Ids hold times; after a clock that was ahead they say nothing.
        let isAhead = (memory.lastID ?? .first(at: now)) > MessageID.first(at: now + .seconds(86_400))
        let end = overCount || isAhead ? Int64.max : youngest.map { MessageID.first(at: now - $0).rawValue } ?? 0
        let rows = try pruning.messages.all(.integer(memory.pass.after), .integer(end), .integer(Self.messagesLookedAt))
        {
            EndedRow($0)
        }
        guard let last = rows.last else { return go(to: .wamids) }
        let newest = try pruning.newest.first { $0.integer(0) } ?? 0
        var removed: Int64 = 0
        for row in rows where row.id != newest && row.lastEvent < needed && row.lastEvent != memory.lastEvent {
            guard isOver(row, now) else { continue }
            try remove(row)
            removed += 1
        }
        memory.pass.after = last.id
        return PruneStep(removed: removed)
    }

    private var overCount: Bool {
        RetentionKind.allCases.contains { kind in
            guard let state = kind.state, let most = retention(kind).countMax else { return false }
            return memory.counters.total { $0 == state } > most
        }
    }

    private func isOver(_ row: EndedRow, _ now: Timestamp) -> Bool {
        guard let kind = RetentionKind.of(row.counted.state) else { return false }
        if row.counted.state == .sent, !row.hasNoReceipt { return false }
        let rule = retention(kind)
        if let most = rule.countMax, memory.counters.total({ $0 == row.counted.state }) > most { return true }
        guard let age = rule.ageMax, let endedAt = row.endedAt else { return false }
        return endedAt + age <= now
    }

    func remove(_ row: EndedRow) throws {
        var sequence: Int64? = row.lastEvent
        while let event = sequence {
            sequence = try pruning.previousEvent.first(.integer(event)) { $0.optionalInteger(0) } ?? nil
            try removeEvent(event)
        }
        try pruning.deleteCopies.run(.integer(row.id))
        try pruning.deleteMessage.run(.integer(row.id))
        records.forget(MessageID(rawValue: row.id))
        if let batch = row.batch {
            if memory.campaigns[batch] != nil { try campaigns.forgetMessage.run(.integer(row.id)) }
            try pruning.deleteBatch.run(.integer(batch))
        }
        memory.counters.removed(row.counted)
    }

    /// With what is known of telling it.
    func removeEvent(_ sequence: Int64) throws {
        try callbacks.deleteOfEvent.run(.integer(sequence))
        try pruning.deleteEvent.run(.integer(sequence))
        memory.logPrunedTo = max(memory.logPrunedTo, sequence)
    }

    // MARK: The rest

    private func pruneEvents(_ now: Timestamp, _ needed: Int64) throws -> PruneStep {
        let rule = retention(.events)
        // The last of those beyond the count, looked for once in a pass.
        if memory.pass.surplus == nil {
            memory.pass.surplus =
                try rule.countMax.flatMap { try pruning.otherAtRank.first(.integer($0)) { $0.integer(0) } } ?? 0
        }
        let rows = try pruning.others.all(.integer(Self.eventsLookedAt)) {
            (sequence: $0.integer(0), at: Timestamp(milliseconds: $0.integer(1)))
        }
        var removed: Int64 = 0
        for row in rows {
            let isOld = rule.ageMax.map { row.at + $0 <= now } ?? false
            guard isOld || row.sequence <= memory.pass.surplus ?? 0, row.sequence < needed,
                row.sequence != memory.lastEvent
            else { return go(to: .received, removed) }
            try removeEvent(row.sequence)
            removed += 1
        }
        return rows.isEmpty ? go(to: .received, removed) : PruneStep(removed: removed)
    }

    private func pruneWebhooks(_ now: Timestamp) throws -> PruneStep {
        let rule = retention(.webhooks)
        var removed = 0
        if let age = rule.ageMax { removed += try pruning.oldWebhooks.run(.integer((now - age).milliseconds)) }
        removed += try pruning.emptyBatches.run(.integer(MessageID.first(at: now - .seconds(86_400)).rawValue))
        if let most = rule.countMax { removed += try pruning.surplusWebhooks.run(.integer(most)) }
        return removed > 0 ? PruneStep(removed: Int64(removed)) : go(to: .cohorts)
    }

    /// Hands free pages back to the file system; the file grows shorter with the next checkpoint.
    private func giveBackSpace() throws -> PruneStep {
        if try database.integer("PRAGMA freelist_count") > Self.pagesKept {
            try database.execute("PRAGMA incremental_vacuum(\(Self.pagesGivenBack))")
            return PruneStep()
        }
        var step = go(to: .messages)
        step.isDone = true
        return step
    }

}

extension Database {
    func logPrunedTo() throws -> Int64 { try integer("SELECT max(up_to) FROM log_pruned") }

    func retention() throws -> [RetentionKind: RetentionRule] {
        let rows = try prepare("SELECT kind, age_max, count_max FROM retention").all { row in
            (
                kind: RetentionKind(rawValue: row.integer(0)),
                rule: RetentionRule(
                    ageMax: row.optionalInteger(1).map { .seconds($0) }, countMax: row.optionalInteger(2))
            )
        }
        return rows.reduce(into: [:]) { rules, row in if let kind = row.kind { rules[kind] = row.rule } }
    }
}

extension EndedRow {
    init(_ row: Row) {
        id = row.integer(0)
        counted = Counters.Key(
            line: row.integer(1), state: MessageState(rawValue: row.integer(2)) ?? .queued,
            priority: Priority(rawValue: row.integer(3)) ?? .normal, gate: Gate(rawValue: row.integer(4)) ?? .none)
        batch = row.optionalInteger(5)
        lastEvent = row.integer(6)
        hasNoReceipt = row.integer(7) != 0
        endedAt = row.optionalInteger(8).map(Timestamp.init(milliseconds:))
    }
}

/// The statements of pruning, prepared once.
final class PruneStatements {
    /// Rows of the primary key, in its order.
    let messages: Statement
    /// One of them.
    let ended: Statement
    let newest: Statement
    let savePrunedTo: Statement
    let previousEvent: Statement
    let deleteEvent: Statement
    let deleteCopies: Statement
    let deleteMessage: Statement
    /// Once its last message has gone; index message_batch.
    let deleteBatch: Statement
    /// Events of no message, oldest first; index event_other.
    let others: Statement
    /// The one so many places behind the newest; as many steps, same index.
    let otherAtRank: Statement
    /// Of which every item was refused.
    let emptyBatches: Statement
    let oldWebhooks: Statement
    let surplusWebhooks: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        let columns = """
            id, line, state, priority, gate, batch, last_event, no_receipt,
                CASE state WHEN 4 THEN sent_at WHEN 5 THEN delivered_at WHEN 6 THEN read_at WHEN 7 THEN failed_at
                    WHEN 8 THEN cancelled_at END
            """
        messages = try prepare(
            "SELECT \(columns) FROM message WHERE id > :after AND id < :end ORDER BY id LIMIT :limit")
        ended = try prepare("SELECT \(columns) FROM message WHERE id = :id")
        newest = try prepare("SELECT max(id) FROM message")
        savePrunedTo = try prepare(
            """
            INSERT INTO log_pruned (id, up_to) VALUES (1, :up_to)
            ON CONFLICT (id) DO UPDATE SET up_to = excluded.up_to
            """)
        previousEvent = try prepare("SELECT previous FROM event WHERE seq = :seq")
        deleteEvent = try prepare("DELETE FROM event WHERE seq = :seq")
        deleteCopies = try prepare("DELETE FROM duplicate WHERE message = :message")
        deleteMessage = try prepare("DELETE FROM message WHERE id = :id")
        deleteBatch = try prepare(
            """
            DELETE FROM batch WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE batch = ?1)
                AND NOT EXISTS (SELECT 1 FROM campaign WHERE id = ?1)
            """)
        others = try prepare("SELECT seq, at FROM event WHERE message IS NULL ORDER BY seq LIMIT :limit")
        otherAtRank = try prepare(
            "SELECT seq FROM event WHERE message IS NULL ORDER BY seq DESC LIMIT 1 OFFSET :rank")
        emptyBatches = try prepare(
            """
            DELETE FROM batch WHERE id IN (SELECT id FROM batch AS b WHERE id < :before AND queued = 0
                AND NOT EXISTS (SELECT 1 FROM message WHERE batch = b.id)
                AND NOT EXISTS (SELECT 1 FROM campaign WHERE id = b.id) ORDER BY id LIMIT 20)
            """)
        oldWebhooks = try prepare(
            """
            DELETE FROM webhook WHERE id IN
                (SELECT id FROM webhook WHERE problem IS NOT NULL AND received_at <= :before ORDER BY id LIMIT 20)
            """)
        surplusWebhooks = try prepare(
            """
            DELETE FROM webhook WHERE id IN (SELECT id FROM webhook WHERE problem IS NOT NULL ORDER BY id DESC
                LIMIT 20 OFFSET :kept)
            """)
    }
}
