package import OutboxCore

/// The log of everything that happened, for those who follow it.
package final class LogReader {
    private let page: Statement
    private let ends: Statement

    /// On a connection of its own thread.
    package init(_ reader: QueueReader) throws {
        page = try reader.database.prepare(
            """
            SELECT e.seq, e.at, e.kind, l.name, e.detail, e.message, e.state, e.attempt, m.batch, m.recipient, m.metadata,
                m.wamid, m.sent_at, m.delivered_at, m.read_at, m.failed_at
            FROM event AS e LEFT JOIN message AS m ON m.id = e.message LEFT JOIN line AS l ON l.id = e.line
            WHERE e.seq > :after AND e.account = :account ORDER BY e.seq LIMIT :limit
            """)
        ends = try reader.database.prepare(
            "SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)")
    }

    /// The events after `sequence`, oldest first, `limit` at most: with none, the log ends there.
    package func events(after sequence: Int64, limit: Int, account: Int64) throws -> [LoggedEvent] {
        try page.all(.integer(sequence), .integer(account), .integer(Int64(limit))) { LoggedEvent($0) }
    }

    /// The first and the last event there are; nil while nothing has happened. What lay before the first was pruned.
    package func range() throws -> ClosedRange<Int64>? {
        try ends.first { row in
            guard let first = row.optionalInteger(0) else { return nil }
            return first...row.integer(1)
        } ?? nil
    }
}

extension LoggedEvent {
    fileprivate init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        self.init(
            sequence: row.integer(0), at: Timestamp(milliseconds: row.integer(1)),
            kind: EventKind(rawValue: row.integer(2)) ?? .noted, line: row.optionalText(3),
            detail: row.optionalBytes(4))
        // A message that was pruned takes its events along; one in between is shown without it.
        guard let id = row.optionalInteger(5), !row.isNull(9) else { return }
        message = Message(
            id: MessageID(rawValue: id), state: MessageState(rawValue: row.integer(6)) ?? .queued,
            attempt: row.integer(7), batch: row.optionalInteger(8).map(MessageID.init(rawValue:)), to: row.text(9),
            metadata: row.optionalBytes(10), wamid: row.optionalText(11), sentAt: time(12), deliveredAt: time(13),
            readAt: time(14), failedAt: time(15))
    }
}
