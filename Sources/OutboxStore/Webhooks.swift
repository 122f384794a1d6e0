package import OutboxCore

/// One of Meta's calls, as received.
package struct StoredWebhook: Equatable, Sendable {
    package var id: Int64
    package var app: String
    package var body: [UInt8]
}

extension Queue {
    /// Keeps a body until what it tells has been applied. Answers its id, which grows.
    package func storeWebhook(app: String, body: [UInt8], now: Timestamp) throws -> Int64 {
        let id = MessageID.next(after: memory.lastID, now: now)
        memory.lastID = id
        try statements.insertWebhook.run(
            .integer(id.rawValue), .integer(now.milliseconds), .text(app), .blob(body))
        memory.webhooksUnread += 1
        return id.rawValue
    }

    /// In the transaction that applied what it told.
    package func removeWebhook(_ id: Int64) throws {
        try statements.deleteWebhook.run(.integer(id))
        memory.webhooksUnread -= 1
    }

    /// Keeps one that could not be applied, for a person to look at.
    package func keepWebhook(_ id: Int64, problem: String) throws {
        try statements.markWebhook.run(.text(problem), .integer(id))
        memory.webhooksUnread -= 1
    }

    /// Stored before the last end and not applied; oldest first.
    package func unappliedWebhooks(after id: Int64, limit: Int) throws -> [StoredWebhook] {
        try database.prepare(
            "SELECT id, app, body FROM webhook WHERE problem IS NULL AND id > :id ORDER BY id LIMIT :limit"
        ).all(.integer(id), .integer(Int64(limit))) {
            StoredWebhook(id: $0.integer(0), app: $0.text(1), body: $0.bytes(2))
        }
    }
}
