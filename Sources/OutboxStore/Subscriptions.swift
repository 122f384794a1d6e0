package import OutboxCore

extension Queue {
    /// Deliveries of removed subscriptions deleted in one turn.
    private static let sweptAtOnce = 500
    /// Numbers of the log, or failed deliveries, looked at by one replay.
    package static let replayedAtOnce: Int64 = 10_000

    package func subscription(_ id: Int64, account: Int64) throws -> Subscription? {
        try callbacks.subscription.first(.integer(id), .integer(account)) { Subscription($0) }
    }

    /// The names of the secrets subscriptions are signed with; nil: there never was a subscription.
    package func secretsInUse() throws -> Set<String>? {
        guard try database.integer("SELECT max(seq) FROM sqlite_sequence WHERE name = 'subscription'") > 0 else {
            return nil
        }
        return Set(
            try database.prepare("SELECT secret FROM subscription WHERE deleted_at IS NULL").all { $0.text(0) })
    }

    /// Makes one that begins behind the event `after`, or at the present end of the log.
    package func subscribe(
        _ settings: SubscriptionSettings, line: Int64?, secret: String, after: Int64?, account: Int64, now: Timestamp
    ) throws -> Subscription {
        let id = try database.prepare(
            """
            INSERT INTO subscription (account, url, line, events, secret, active, format, events_per_call, revision,
                cursor, created_at, updated_at)
            VALUES (:account, :url, :line, :events, :secret, :active, :format, :events_per_call, 1, :cursor, :now, :now)
            RETURNING id
            """
        ).first(
            .integer(account), .text(settings.url), .optional(line), .optional(settings.events?.joined(separator: ",")),
            .text(secret), .integer(settings.isActive ? 1 : 0), .integer(settings.format.rawValue),
            .integer(Int64(settings.eventsPerCall)), .integer(after ?? lastEvent), .integer(now.milliseconds)
        ) { $0.integer(0) }
        guard let id, let made = try subscription(id, account: account) else {
            preconditionFailure("an INSERT with RETURNING answers its row")
        }
        return made
    }

    /// Nil: there is none. What made it inactive or holds its endpoint back is over; it goes on at its cursor.
    package func change(
        _ id: Int64, _ settings: SubscriptionSettings, line: Int64?, account: Int64, now: Timestamp
    ) throws -> Subscription? {
        try database.prepare(
            """
            UPDATE subscription SET url = :url, line = :line, events = :events, active = :active, format = :format,
                events_per_call = :events_per_call, reason = NULL, revision = revision + 1, failures = 0,
                failing_since = NULL, open_until = NULL, last_error = NULL, reply_error = NULL, updated_at = :now
            WHERE id = :id AND account = :account AND deleted_at IS NULL
            """
        ).run(
            .text(settings.url), .optional(line), .optional(settings.events?.joined(separator: ",")),
            .integer(settings.isActive ? 1 : 0), .integer(settings.format.rawValue),
            .integer(Int64(settings.eventsPerCall)), .integer(now.milliseconds), .integer(id), .integer(account))
        return try subscription(id, account: account)
    }

    /// Answers what was removed. Its deliveries go little by little.
    package func unsubscribe(_ id: Int64, account: Int64, now: Timestamp) throws -> Subscription? {
        guard let subscription = try subscription(id, account: account) else { return nil }
        try database.prepare("UPDATE subscription SET deleted_at = :now, active = 0 WHERE id = :id")
            .run(.integer(now.milliseconds), .integer(id))
        try database.prepare("UPDATE line SET bot = NULL WHERE bot = :id").run(.integer(id))
        for line in memory.lines.values where line.settings.bot == id { memory.lines[line.id]?.settings.bot = nil }
        memory.removedSubscriptions.insert(id)
        return subscription
    }

    /// Deletes deliveries of removed subscriptions. Answers whether there are more.
    func sweepRemovedSubscriptions() throws -> Bool {
        guard let id = memory.removedSubscriptions.min() else { return false }
        let deleted = try database.prepare(
            """
            DELETE FROM delivery WHERE subscription = :id AND event IN
                (SELECT event FROM delivery WHERE subscription = :id ORDER BY event LIMIT :limit)
            """
        ).run(.integer(id), .integer(Int64(Self.sweptAtOnce)))
        if deleted < Self.sweptAtOnce {
            try database.prepare("DELETE FROM subscription WHERE id = :id").run(.integer(id))
            memory.removedSubscriptions.remove(id)
        }
        return !memory.removedSubscriptions.isEmpty
    }

    func loadRemovedSubscriptions() throws {
        memory.removedSubscriptions = Set(
            try database.prepare("SELECT id FROM subscription WHERE deleted_at IS NOT NULL").all { $0.integer(0) })
    }

    // MARK: What came of calls

    /// Writes what became of calls; of a subscription that was removed nothing, and of one that was changed since
    /// only what concerns its events.
    package func record(_ report: CallbackReport, now: Timestamp) throws {
        let revision = try callbacks.revision.first(.integer(report.subscription)) { $0.integer(0) }
        guard let revision else { return }
        var delivered: Timestamp?
        for delivery in report.deliveries {
            // An event behind what was removed is there: nobody has to look.
            let isThere = memory.logPrunedTo < delivery.event && delivery.event <= memory.lastEvent
            try (isThere ? callbacks.saveOfKnown : callbacks.save).run(
                .integer(report.subscription), .integer(delivery.event), .optional(delivery.message?.rawValue),
                .integer(delivery.status.rawValue), .integer(delivery.attempts),
                .optional(delivery.nextAt?.milliseconds), .optional(delivery.httpStatus), .optional(delivery.error),
                .optional(delivery.firstAt?.milliseconds), .optional(delivery.endedAt?.milliseconds),
                .integer(report.replays))
            if delivery.status == .delivered { delivered = max(delivered ?? now, delivery.endedAt ?? now) }
        }
        guard revision == report.revision else { return }
        try callbacks.progress.run(
            .integer(report.cursor), .optional(delivered?.milliseconds), .integer(report.breaker?.failures ?? 0),
            .optional(report.breaker?.since.milliseconds), .optional(report.breaker?.until?.milliseconds),
            .optional(report.breaker?.error), .integer(report.disable == nil ? 1 : 0), .optional(report.disable),
            .integer(report.subscription))
    }

    // MARK: Again

    package struct Replayed: Equatable, Sendable {
        package var count: Int64
        /// Where to go on: not everything was looked at; nil: it was.
        package var next: Int64?

        package init(count: Int64, next: Int64?) {
            self.count = count
            self.next = next
        }
    }

    /// Events of a range are to be told again, with all their tries: those that concern the subscription, or only
    /// those given up. Those it has not come to yet go anyway.
    package func replay(_ range: ClosedRange<Int64>, failedOnly: Bool, of subscription: Subscription) throws
        -> Replayed
    {
        let id = subscription.id
        let number = subscription.replays + 1
        try callbacks.countReplay.run(.integer(number), .integer(id))
        if failedOnly {
            let failed = try database.prepare(
                """
                SELECT event FROM delivery INDEXED BY delivery_failed
                WHERE subscription = :id AND status = 2 AND event BETWEEN :first AND :last
                ORDER BY event LIMIT :limit
                """
            ).all(
                .integer(id), .integer(range.lowerBound), .integer(range.upperBound),
                .integer(Self.replayedAtOnce + 1)
            ) { $0.integer(0) }
            for event in failed.prefix(Int(Self.replayedAtOnce)) {
                try callbacks.replayFailed.run(.integer(number), .integer(id), .integer(event))
            }
            let next = failed.count > Self.replayedAtOnce ? failed.last : nil
            return Replayed(count: Int64(failed.count) - (next == nil ? 0 : 1), next: next)
        }
        let first = max(range.lowerBound, try database.integer("SELECT min(seq) FROM event"))
        let last = min(range.upperBound, lastEvent)
        guard first <= last else { return Replayed(count: 0, next: nil) }
        let end = min(last, first + Self.replayedAtOnce - 1)
        let count = try callbacks.replay.run(
            .integer(id), .integer(number), .integer(first), .integer(end), .integer(subscription.account),
            .optional(subscription.lineID), .integer(subscription.settings.kindsMask), .integer(subscription.cursor))
        return Replayed(count: Int64(count), next: end < last ? end + 1 : nil)
    }

    /// The first event an active subscription still needs; nil: none does. What lies before may be pruned.
    package func oldestNeededEvent() throws -> Int64? {
        try callbacks.oldestNeeded.first { $0.optionalInteger(0) } ?? nil
    }
}

/// The writer's statements about subscriptions that are used often.
final class CallbackStatements {
    /// One row by primary key.
    let subscription: Statement
    /// One row by primary key.
    let revision: Statement
    /// One row by primary key, new or changed; none of an event that was removed meanwhile.
    let save: Statement
    /// The same for an event that is there.
    let saveOfKnown: Statement
    /// One row by primary key. The cursor never goes back.
    let progress: Statement
    /// One row by primary key.
    let replayFailed: Statement
    /// One row by primary key.
    let countReplay: Statement
    /// A slice of the log, and as many rows of delivery.
    let replay: Statement
    /// One row by primary key.
    let noteReply: Statement
    /// A row at most for each subscription, by primary key.
    let deleteOfEvent: Statement
    /// A row for each active subscription; index delivery_waiting.
    let oldestNeeded: Statement

    init(_ database: Database) throws {
        subscription = try database.prepare(
            """
            SELECT \(Subscription.columns) FROM subscription AS s
            WHERE s.id = :id AND s.account = :account AND s.deleted_at IS NULL
            """)
        revision = try database.prepare("SELECT revision FROM subscription WHERE id = :id AND deleted_at IS NULL")
        let values = """
            :subscription, :event, :message, :status, :attempts, :next_at, :http_status, :error, :first_at, :ended_at
            """
        func saving(_ source: String) throws -> Statement {
            try database.prepare(
                """
                INSERT INTO delivery (subscription, event, message, status, attempts, next_at, http_status, error,
                    first_at, ended_at)
                \(source)
                ON CONFLICT (subscription, event) DO UPDATE SET status = excluded.status,
                    attempts = excluded.attempts, next_at = excluded.next_at, http_status = excluded.http_status,
                    error = excluded.error, first_at = excluded.first_at, ended_at = excluded.ended_at
                WHERE delivery.replay <= :replays
                """)
        }
        save = try saving("SELECT \(values) WHERE EXISTS (SELECT 1 FROM event WHERE seq = :event)")
        saveOfKnown = try saving("VALUES (\(values))")
        progress = try database.prepare(
            """
            UPDATE subscription SET cursor = max(cursor, :cursor),
                last_delivered_at = coalesce(:delivered, last_delivered_at), failures = :failures,
                failing_since = :since, open_until = :until, last_error = :error, active = active AND :stays,
                reason = coalesce(:reason, reason)
            WHERE id = :id
            """)
        replayFailed = try database.prepare(
            """
            UPDATE delivery SET status = 0, attempts = 0, next_at = NULL, first_at = NULL, ended_at = NULL,
                replay = :replay
            WHERE subscription = :subscription AND event = :event
            """)
        countReplay = try database.prepare("UPDATE subscription SET replays = :replays WHERE id = :id")
        replay = try database.prepare(
            """
            INSERT INTO delivery (subscription, event, message, status, attempts, replay)
            SELECT :subscription, e.seq, e.message, 0, 0, :replay FROM event AS e
            WHERE e.seq BETWEEN :first AND :last AND e.account = :account AND (:line IS NULL OR e.line = :line)
                AND (:kinds >> e.kind) & 1 AND (e.seq <= :cursor
                    OR EXISTS (SELECT 1 FROM delivery WHERE subscription = :subscription AND event = e.seq))
            ON CONFLICT (subscription, event) DO UPDATE SET status = 0, attempts = 0, next_at = NULL, first_at = NULL,
                ended_at = NULL, replay = excluded.replay
            """)
        noteReply = try database.prepare("UPDATE subscription SET reply_error = :problem WHERE id = :id")
        deleteOfEvent = try database.prepare(
            "DELETE FROM delivery WHERE subscription IN (SELECT id FROM subscription) AND event = :event")
        oldestNeeded = try database.prepare(
            """
            SELECT min(coalesce((SELECT min(d.event) FROM delivery AS d INDEXED BY delivery_waiting WHERE d.subscription = s.id AND d.status = 0
                AND d.event <= s.cursor), s.cursor + 1)) FROM subscription AS s WHERE s.active = 1
            """)
    }
}
