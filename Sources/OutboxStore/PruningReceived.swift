import OutboxCore

/// Messages received long ago go, and with the last one of a person all that is known of that person's names.
extension Queue {
    private static let receivedLookedAt: Int64 = 200

    /// One step of the pass. The newest message stays: the next id is made behind it.
    func pruneReceived(_ now: Timestamp, _ needed: Int64) throws -> PruneStep {
        let rule = retention(.received)
        let old = rule.ageMax.map { MessageID.first(at: now - $0).rawValue } ?? 0
        // The first of those beyond the count, looked for once in a pass.
        if memory.pass.surplus == nil {
            memory.pass.surplus =
                try rule.countMax.flatMap { most in
                    try removal.atRank.first(.integer(most)) { $0.integer(0) + 1 }
                } ?? 0
        }
        let rows = try removal.received.all(
            .integer(max(old, memory.pass.surplus ?? 0)), .integer(Self.receivedLookedAt)
        ) { (id: $0.integer(0), conversation: $0.integer(1), event: $0.optionalInteger(2)) }
        var removed: Int64 = 0
        for row in rows {
            // In their order: what comes behind is to be told as well.
            if let event = row.event {
                guard event < needed, event != memory.lastEvent else { return go(to: .webhooks, removed) }
                try removeEvent(event)
            }
            try removal.deleteReceived.run(.integer(row.id))
            try forgetConversation(row.conversation)
            removed += 1
        }
        return rows.isEmpty ? go(to: .webhooks) : PruneStep(removed: removed)
    }

    /// Once nothing is left in it.
    private func forgetConversation(_ id: Int64) throws {
        guard let correspondent = try removal.emptyConversation.first(.integer(id), body: { $0.integer(0) }) else {
            return
        }
        try removal.deleteConversation.run(.integer(id))
        guard try removal.hasConversation.first(.integer(correspondent), body: { $0.integer(0) }) == 0 else { return }
        try removal.deleteAddresses.run(.integer(correspondent))
        try removal.deleteCorrespondent.run(.integer(correspondent))
    }
}

/// The statements of that, prepared once.
final class RemovalStatements {
    /// The oldest before an id, but for the newest of all; by primary key.
    let received: Statement
    /// The message so many places behind the newest; as many steps.
    let atRank: Statement
    let deleteReceived: Statement
    /// The correspondent of a conversation without messages; index inbound_conversation.
    let emptyConversation: Statement
    /// It and those that were merged into it; index conversation_merged.
    let deleteConversation: Statement
    /// Index conversation_pair.
    let hasConversation: Statement
    /// Index correspondent_address_of.
    let deleteAddresses: Statement
    /// It and those that were merged into it; index correspondent_merged.
    let deleteCorrespondent: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        received = try prepare(
            """
            SELECT id, conversation, event FROM inbound WHERE id < :end AND id < (SELECT max(id) FROM inbound)
            ORDER BY id LIMIT :limit
            """)
        atRank = try prepare("SELECT id FROM inbound ORDER BY id DESC LIMIT 1 OFFSET :rank")
        deleteReceived = try prepare("DELETE FROM inbound WHERE id = :id")
        emptyConversation = try prepare(
            """
            SELECT correspondent FROM conversation
            WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM inbound WHERE conversation = ?1)
            """)
        deleteConversation = try prepare(
            "DELETE FROM conversation WHERE id = ?1 OR (merged_into IS NOT NULL AND merged_into = ?1)")
        hasConversation = try prepare(
            """
            SELECT EXISTS (SELECT 1 FROM conversation WHERE correspondent = :correspondent AND merged_into IS NULL)
            """)
        deleteAddresses = try prepare("DELETE FROM correspondent_address WHERE correspondent = :correspondent")
        deleteCorrespondent = try prepare(
            "DELETE FROM correspondent WHERE id = ?1 OR (merged_into IS NOT NULL AND merged_into = ?1)")
    }
}
