package import OutboxCore

/// The queue as everybody but its writer sees it: what is committed. Belongs to one thread.
package final class QueueReader {
    let database: Database
    package let codec: IDCodec
    private let messageByID: Statement
    private let eventBySequence: Statement
    private let (begin, commit, rollback): (Statement, Statement, Statement)
    let recipients: RecipientSearch
    /// The machine's tz database, by names.
    package var zoneRules: (String) -> TimeZoneRules? = { _ in nil }

    /// The file must have been opened by a `Queue` first.
    package init(path: String) throws {
        database = try Database.openReader(path: path)
        codec = IDCodec(key: try database.idKey())
        recipients = try RecipientSearch(database)
        begin = try database.prepare("BEGIN")
        commit = try database.prepare("COMMIT")
        rollback = try database.prepare("ROLLBACK")
        messageByID = try database.prepare(
            "SELECT \(StoredMessage.columns) FROM message AS m WHERE m.id = :id AND m.account = :account")
        eventBySequence = try database.prepare(
            "SELECT seq, at, kind, state, attempt, detail, previous FROM event WHERE seq = :seq")
    }

    /// Everything read in `body` is as it was at one moment.
    package func together(_ body: () throws -> Void) throws {
        // Left open where the memory for its end was missing: it would keep the file at that moment for ever.
        if !database.isAutocommit { try rollback.run() }
        try begin.run()
        do {
            try body()
            try commit.run()
        } catch {
            // The first error is the one to tell.
            if !database.isAutocommit { _ = try? rollback.run() }
            throw error
        }
    }

    package func message(_ id: MessageID, account: Int64) throws -> StoredMessage? {
        try messageByID.first(.integer(id.rawValue), .integer(account)) { StoredMessage($0) }
    }

    /// Everything that happened to a message, oldest first: the chain of its events, followed back from the last.
    package func timeline(of message: StoredMessage, limit: Int = 1000) throws -> [StoredEvent] {
        var events: [StoredEvent] = []
        var sequence: Int64? = message.lastEvent
        while let at = sequence, events.count < limit {
            sequence =
                try eventBySequence.first(.integer(at)) { row -> Int64? in
                    events.append(StoredEvent(row))
                    return row.optionalInteger(6)
                } ?? nil
        }
        return events.reversed()
    }

    /// What reached Meta besides the copy that counts.
    package func copies(of message: MessageID) throws -> [StoredCopy] {
        try database.prepare("SELECT wamid, attempt FROM duplicate WHERE message = :message ORDER BY attempt, wamid")
            .all(.integer(message.rawValue)) { StoredCopy(wamid: $0.text(0), attempt: $0.integer(1)) }
    }

    /// The rules somebody set.
    package func retention() throws -> [RetentionKind: RetentionRule] { try database.retention() }

    /// Of any account; nil: it was removed.
    package func line(_ id: Int64) throws -> Line? {
        try database.prepare("SELECT \(Line.columns) FROM line WHERE id = :id AND deleted_at IS NULL")
            .first(.integer(id)) { Line($0) }
    }

    package func lines(account: Int64) throws -> [Line] {
        try database.prepare(
            "SELECT \(Line.columns) FROM line WHERE account = :account AND deleted_at IS NULL ORDER BY name"
        ).all(.integer(account)) { Line($0) }
    }

    /// Removed ones, too.
    package func hasHadLine(_ name: String, account: Int64) throws -> Bool {
        try database.prepare("SELECT 1 FROM line WHERE account = :account AND name = :name")
            .first(.integer(account), .text(name)) { _ in true } ?? false
    }

    /// How many messages of each line stand where; lines without messages are left out.
    package func counts(account: Int64) throws -> [(line: String, state: MessageState, count: Int64)] {
        try database.prepare(
            """
            SELECT l.name, c.state, sum(c.count) FROM counter AS c JOIN line AS l ON l.id = c.line
            WHERE l.account = :account AND c.count > 0 GROUP BY l.name, c.state ORDER BY l.name, c.state
            """
        ).all(.integer(account)) {
            (line: $0.text(0), state: MessageState(rawValue: $0.integer(1)) ?? .queued, count: $0.integer(2))
        }
    }

    /// Attempts with an unknown outcome, messages without receipt, copies that arrived besides, and webhooks that could not be applied.
    package func troubles() throws -> Troubles {
        Troubles(
            unknown: try database.integer("SELECT count(*) FROM message WHERE unknown = 1"),
            silent: try database.integer("SELECT count(*) FROM message WHERE no_receipt = 1"),
            duplicates: try database.integer("SELECT count(*) FROM duplicate"),
            webhooks: try database.integer("SELECT count(*) FROM webhook WHERE problem IS NOT NULL"))
    }
}

/// What somebody should look at.
package struct Troubles: Equatable, Sendable {
    /// Messages whose outcome is unknown.
    package var unknown: Int64
    /// Messages Meta gave up on delivering without a word.
    package var silent: Int64
    package var duplicates: Int64
    /// Kept unread.
    package var webhooks: Int64
}

extension StoredEvent {
    fileprivate init(_ row: Row) {
        self.init(
            sequence: row.integer(0), at: Timestamp(milliseconds: row.integer(1)),
            kind: EventKind(rawValue: row.integer(2)) ?? .noted,
            state: MessageState(rawValue: row.integer(3)) ?? .queued,
            attempt: row.integer(4), detail: row.optionalBytes(5))
    }
}

extension StoredMessage {
    static let columns = """
        m.id, (SELECT name FROM line WHERE id = m.line), m.batch, m.state, m.priority, m.unknown, m.due_at, m.attempt,
        m.recipient, m.type, m.content, m.metadata, m.send_at, m.expires_at, m.created_at, m.wamid, m.sent_at,
        m.delivered_at, m.read_at, m.failed_at, m.cancelled_at, m.error_code, m.error_message, m.last_event,
        m.gate, m.gated_at, m.turn, m.person, m.template, m.fallback IS NOT NULL, m.any_order, m.grace_until,
        m.on_unknown, m.no_receipt, m.price, m.replied_at,
        m.simulated, m.media
        """

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        self.init(
            id: MessageID(rawValue: row.integer(0)), line: row.text(1),
            batch: row.optionalInteger(2).map(MessageID.init(rawValue:)),
            state: MessageState(rawValue: row.integer(3)) ?? .queued,
            priority: Priority(rawValue: row.integer(4)) ?? .normal, outcomeUnknown: row.integer(5) != 0,
            dueAt: Timestamp(milliseconds: row.integer(6)), attempts: row.integer(7), to: row.text(8),
            type: row.text(9), content: row.bytes(10), metadata: row.optionalBytes(11), sendAt: time(12),
            expiresAt: time(13), createdAt: Timestamp(milliseconds: row.integer(14)), wamid: row.optionalText(15),
            sentAt: time(16), deliveredAt: time(17), readAt: time(18), failedAt: time(19), cancelledAt: time(20),
            failure: row.optionalText(21).map { Failure(code: $0, message: row.text(22)) },
            lastEvent: row.integer(23))
        waits.gate = Gate(rawValue: row.integer(24)) ?? .none
        waits.since = time(25)
        waits.turn = row.integer(26)
        waits.person = row.text(27)
        waits.template = row.optionalText(28).flatMap(TemplateName.init(text:))
        waits.hasFallback = row.integer(29) != 0
        waits.anyOrder = row.integer(30) != 0
        waits.graceUntil = time(31)
        hasNoReceipt = row.integer(33) != 0
        pricing = row.optionalText(34).flatMap(Pricing.init(text:))
        repliedAt = time(35)
        isSimulated = row.integer(36) != 0
        waits.media = row.optionalInteger(37).map(MessageID.init(rawValue:))
        onUnknown = row.optionalInteger(32).flatMap(UnknownPolicy.init(rawValue:))
    }
}
