package import OutboxCore

extension Subscription {
    static let columns = """
        s.id, s.account, s.url, s.line, s.events, s.secret, s.active, s.reason, s.revision, s.cursor, s.failures,
        s.failing_since, s.open_until, s.last_error, s.last_delivered_at, s.created_at, s.updated_at,
        (SELECT name FROM line WHERE id = s.line), s.replays, s.reply_error,
        s.format, s.events_per_call
        """

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        self.init(
            id: row.integer(0), account: row.integer(1),
            settings: SubscriptionSettings(
                url: row.text(2), line: row.optionalText(17),
                events: row.optionalText(4)?.split(separator: ",").map(String.init), isActive: row.integer(6) != 0,
                format: CallbackFormat(rawValue: row.integer(20)) ?? .outboxd, eventsPerCall: Int(row.integer(21))),
            lineID: row.optionalInteger(3), secret: row.text(5), revision: row.integer(8), cursor: row.integer(9),
            createdAt: Timestamp(milliseconds: row.integer(15)), updatedAt: Timestamp(milliseconds: row.integer(16)))
        reason = row.optionalText(7)
        replays = row.integer(18)
        replyError = row.optionalText(19)
        lastDeliveredAt = time(14)
        guard row.integer(10) > 0, let since = time(11) else { return }
        breaker = CallbackBreaker.State(
            failures: row.integer(10), since: since, until: time(12), error: row.text(13))
    }
}

extension Delivery {
    static let columns = "event, message, status, attempts, next_at, http_status, error, first_at, ended_at"

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        self.init(
            event: row.integer(0), message: row.optionalInteger(1).map(MessageID.init(rawValue:)),
            status: DeliveryStatus(rawValue: row.integer(2)) ?? .waiting, attempts: row.integer(3), nextAt: time(4),
            firstAt: time(7))
        httpStatus = row.optionalInteger(5)
        error = row.optionalText(6)
        endedAt = time(8)
    }
}

/// What those who call subscriptions' endpoints, and those who ask about them, read. Belongs to one thread.
package final class CallbackReader {
    private let database: Database
    private let heads: Statement
    private let logEnd: Statement
    private let waiting: Statement
    private let newest: Statement
    private let bot: Statement
    private let newestOfStatus: [DeliveryStatus: Statement]

    /// Numbers of the log looked through at a time.
    package static let slice: Int64 = 5000

    package init(_ reader: QueueReader) throws {
        database = reader.database
        bot = try database.prepare(
            """
            SELECT 1 FROM line WHERE account = :account AND name = :line AND deleted_at IS NULL AND bot = :subscription
                AND auto_reply = 1
            """)
        // Without those that have their delivery already: they overtook one that was under way at the last end.
        heads = try database.prepare(
            """
            SELECT seq, message FROM event WHERE seq > :after AND seq <= :to AND account = :account
                AND (:line IS NULL OR line = :line) AND (:kinds >> kind) & 1
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE subscription = :subscription AND event = seq)
            ORDER BY seq LIMIT :limit
            """)
        logEnd = try database.prepare("SELECT max(seq) FROM event")
        waiting = try database.prepare(
            """
            SELECT \(Delivery.columns) FROM delivery INDEXED BY delivery_waiting
            WHERE subscription = :subscription AND event > :after AND status = 0 ORDER BY event LIMIT :limit
            """)
        func list(_ index: String, _ condition: String) throws -> Statement {
            try reader.database.prepare(
                """
                SELECT \(Delivery.columns), (SELECT e.at FROM event AS e WHERE e.seq = delivery.event) FROM delivery \(index)
                WHERE subscription = :subscription AND event < :before \(condition) ORDER BY event DESC LIMIT :limit
                """)
        }
        newest = try list("", "")
        var ofStatus: [DeliveryStatus: Statement] = [:]
        for (status, index) in [
            (DeliveryStatus.waiting, "INDEXED BY delivery_waiting"), (.delivered, ""),
            (.failed, "INDEXED BY delivery_failed"),
        ] { ofStatus[status] = try list(index, "AND status = \(status.rawValue)") }
        newestOfStatus = ofStatus
    }

    package func subscriptions(account: Int64? = nil) throws -> [Subscription] {
        try database.prepare(
            """
            SELECT \(Subscription.columns) FROM subscription AS s
            WHERE s.deleted_at IS NULL AND (:account IS NULL OR s.account = :account) ORDER BY s.id
            """
        ).all(.optional(account)) { Subscription($0) }
    }

    /// Nil: there is none.
    package func subscription(_ id: Int64) throws -> Subscription? {
        try database.prepare(
            "SELECT \(Subscription.columns) FROM subscription AS s WHERE s.id = :id AND s.deleted_at IS NULL"
        ).first(.integer(id)) { Subscription($0) }
    }

    /// The deliveries after `event` that wait, `limit` at most.
    package func waiting(_ subscription: Int64, after event: Int64, limit: Int) throws -> [Delivery] {
        try waiting.all(.integer(subscription), .integer(event), .integer(Int64(limit))) { Delivery($0) }
    }

    /// The events after `event` that concern a subscription, `limit` at most, and up to where the log was looked
    /// through for them: a slice of it at a time.
    package func fresh(_ subscription: Subscription, after event: Int64, limit: Int) throws
        -> (deliveries: [Delivery], readTo: Int64)
    {
        let end = try logEnd.first { $0.integer(0) } ?? 0
        let to = min(end, event + Self.slice)
        guard to > event else { return ([], event) }
        let deliveries = try heads.all(
            .integer(event), .integer(to), .integer(subscription.account), .optional(subscription.lineID),
            .integer(subscription.settings.kindsMask), .integer(subscription.id), .integer(Int64(limit))
        ) { Delivery(event: $0.integer(0), message: $0.optionalInteger(1).map(MessageID.init(rawValue:))) }
        return (deliveries, deliveries.count == limit ? deliveries.last?.event ?? to : to)
    }

    /// Whether its answers to messages received by this line are sent as replies.
    package func isBot(_ subscription: Subscription, ofLine name: String) throws -> Bool {
        try bot.first(.integer(subscription.account), .text(name), .integer(subscription.id)) { _ in true } ?? false
    }

    // MARK: For whoever asks

    /// Newest first, each with the time of its event.
    package func deliveries(
        _ subscription: Int64, status: DeliveryStatus?, before event: Int64, limit: Int
    ) throws -> [(delivery: Delivery, eventAt: Timestamp?)] {
        let statement = status.flatMap { newestOfStatus[$0] } ?? newest
        return try statement.all(.integer(subscription), .integer(event), .integer(Int64(limit))) { row in
            (Delivery(row), row.optionalInteger(9).map(Timestamp.init(milliseconds:)))
        }
    }

    package struct Counts: Equatable, Sendable {
        package var waiting: Int64
        package var failed: Int64

        package init(waiting: Int64, failed: Int64) {
            self.waiting = waiting
            self.failed = failed
        }
    }

    package func counts(_ subscription: Int64) throws -> Counts {
        let counts = try database.prepare(
            """
            SELECT (SELECT count(*) FROM delivery INDEXED BY delivery_waiting
                WHERE subscription = :subscription AND status = 0),
                (SELECT count(*) FROM delivery INDEXED BY delivery_failed
                WHERE subscription = :subscription AND status = 2)
            """
        ).first(.integer(subscription)) { Counts(waiting: $0.integer(0), failed: $0.integer(1)) }
        return counts ?? Counts(waiting: 0, failed: 0)
    }
}
