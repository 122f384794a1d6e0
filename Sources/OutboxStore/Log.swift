package import OutboxCore

/// The log of everything that happened, for those who follow it.
package final class LogReader {
    private let page: Statement
    private let one: Statement
    private let ends: Statement
    private let pruned: Statement
    private let matching: Statement
    private let reader: QueueReader

    /// On a connection of its own thread.
    package init(_ reader: QueueReader) throws {
        self.reader = reader
        let select = """
            SELECT e.seq, e.at, e.kind, l.name, e.detail, e.message, e.state, e.attempt, m.batch, m.recipient, m.metadata,
                m.wamid, m.sent_at, m.delivered_at, m.read_at, m.failed_at
            FROM event AS e LEFT JOIN message AS m ON m.id = e.message LEFT JOIN line AS l ON l.id = e.line
            """
        page = try reader.database.prepare(
            "\(select) WHERE e.seq > :after AND e.account = :account ORDER BY e.seq LIMIT :limit")
        matching = try reader.database.prepare(
            """
            \(select) WHERE e.seq > :after AND e.seq <= :last AND e.account = :account AND (:kinds >> e.kind) & 1
                AND (:line IS NULL OR l.name = :line) AND (:to IS NULL OR m.recipient = :to)
            ORDER BY e.seq LIMIT :limit
            """)
        one = try reader.database.prepare("\(select) WHERE e.seq = :sequence")
        pruned = try reader.database.prepare("SELECT max(up_to) FROM log_pruned")
        ends = try reader.database.prepare(
            "SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)")
    }

    /// The events after `sequence`, oldest first, `limit` at most: with none, the log ends there.
    package func events(after sequence: Int64, limit: Int, account: Int64) throws -> [LoggedEvent] {
        try page.all(.integer(sequence), .integer(account), .integer(Int64(limit))) { LoggedEvent($0) }
    }

    /// The events of a stretch of the log that a filter lets through, oldest first, `limit` at most. The whole stretch
    /// may be looked at, however few they are; with a message in the filter only that message's events are.
    package func events(
        in stretch: ClosedRange<Int64>, _ filter: LogFilter, limit: Int, account: Int64
    ) throws -> [LoggedEvent] {
        if let message = filter.message { return try events(of: message, in: stretch, filter, limit, account) }
        return try matching.all(
            .integer(stretch.lowerBound - 1), .integer(stretch.upperBound), .integer(account), .integer(filter.kinds),
            .optional(filter.line), .optional(filter.to), .integer(Int64(limit))
        ) { LoggedEvent($0) }
    }

    private func events(
        of id: MessageID, in stretch: ClosedRange<Int64>, _ filter: LogFilter, _ limit: Int, _ account: Int64
    ) throws -> [LoggedEvent] {
        guard let message = try reader.message(id, account: account), message.lastEvent >= stretch.lowerBound else {
            return []
        }
        var found: [LoggedEvent] = []
        for event in try reader.timeline(of: message)
        where found.count < limit && stretch.contains(event.sequence) && filter.takes(event.kind) {
            found += try events(after: event.sequence - 1, limit: 1, account: account).filter { filter.takes($0) }
        }
        return found
    }

    /// Nil: there is none of that number, or it was pruned.
    package func event(_ sequence: Int64) throws -> LoggedEvent? {
        try one.first(.integer(sequence)) { LoggedEvent($0) }
    }

    /// Up to here some events may have been pruned.
    package func prunedTo() throws -> Int64 { try pruned.first { $0.integer(0) } ?? 0 }

    /// The first and the last event there are; nil while nothing has happened. What lay before the first was pruned.
    package func range() throws -> ClosedRange<Int64>? {
        try ends.first { row in
            guard let first = row.optionalInteger(0) else { return nil }
            return first...row.integer(1)
        } ?? nil
    }
}

/// Which events somebody wants.
package struct LogFilter: Equatable, Sendable {
    /// One bit for each kind, by its number.
    package var kinds: Int64
    package var line: String?
    /// The recipient's digits; events of no message of ours have none.
    package var to: String?
    package var message: MessageID?

    /// Everything callers may see.
    package init() { self.init(kinds: EventKind.allCases.filter { $0.publicName != nil }) }

    package init(kinds: [EventKind]) { self.kinds = kinds.reduce(0) { $0 | 1 << $1.rawValue } }

    func takes(_ kind: EventKind) -> Bool { kinds >> kind.rawValue & 1 == 1 }

    func takes(_ event: LoggedEvent) -> Bool {
        (line == nil || event.line == line) && (to == nil || event.message?.to == to)
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
