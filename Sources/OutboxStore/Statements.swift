import OutboxCore

/// Every statement of the writer, prepared once. What each reads and may change stands beside it.
final class Statements {
    /// Prepared, so that a transaction can be ended where memory is short.
    let begin: Statement
    let commit: Statement
    let rollback: Statement
    /// Rows in, by primary key.
    let newMessages: GatheredRows
    /// Rows in at the end of the log.
    let newEvents: GatheredRows
    /// One row by primary key; where there is none, the next one puts it in.
    let changeCounter: Statement
    let addCounter: Statement
    /// One row by primary key.
    let loadRecord: Statement
    /// Changes some columns of one row, guarded by the state and attempt it was loaded with.
    let changes: RecordChanges
    /// The ready messages of one line and class whose turn is next; index message_ready.
    let ready: Statement
    /// Ids whose time has come; index message_due.
    let due: Statement
    /// Ids that may not leave any more; index message_expiry.
    let expired: Statement
    /// Ids whose unknown outcome is to be decided; index message_grace.
    let graceOver: Statement
    /// Ids held by an attempt; index message_claimed.
    let claimed: Statement
    /// Gives the unknown messages of one line that follow its policy another deadline; index message_unknown.
    let changeGrace: Statement
    /// Sets one message's deadline again, by primary key.
    let saveGrace: Statement
    /// What is open with one person on one line; index message_person.
    let openAttempts: Statement
    /// One copy in.
    let insertDuplicate: Statement
    /// One copy, by primary key.
    let duplicate: Statement
    /// Failed statuses that wait and may be a person's; index early_status_failed.
    let earlyFailures: Statement
    /// One row by primary key.
    let deleteEarlyStatus: Statement
    /// Ids Meta has given up delivering; index message_receipt.
    let receiptOver: Statement
    let nextReceipt: Statement
    let nextDue: Statement
    let nextExpiry: Statement
    let nextGrace: Statement
    let insertBatch: Statement
    /// One row by primary key.
    let addToBatch: Statement
    let insertWebhook: Statement
    /// One row by primary key.
    let deleteWebhook: Statement
    /// One row by primary key.
    let markWebhook: Statement
    let insertEarlyStatus: Statement
    /// The statuses that came before their wamid; index early_status_wamid.
    let earlyStatuses: Statement
    /// Removes those, same index.
    let deleteEarlyStatuses: Statement
    /// Removes what nobody claimed in time; index early_status_age.
    let pruneEarlyStatuses: Statement
    /// One row by primary key; so do the next two.
    let loadCursor: Statement
    let saveCursor: Statement
    let deleteCursor: Statement
    /// Rows of one account.
    let countCursors: Statement
    /// Removes so many of the oldest; by primary key.
    let dropOldestStatuses: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        // First: which of the others look at these tables is found out as they are prepared.
        newMessages = try database.gather(
            "message",
            columns: """
                id, account, line, batch, state, priority, due_at, last_event, recipient, type, content, metadata,
                send_at, expires_at, created_at, turn, gate, gated_at, person, template, fallback, any_order,
                on_unknown, lot, cohort, simulated, media, by_person
                """)
        newEvents = try database.gather(
            "event", columns: "seq, account, line, message, previous, at, kind, state, attempt, detail")
        begin = try prepare("BEGIN IMMEDIATE")
        commit = try prepare("COMMIT")
        rollback = try prepare("ROLLBACK")
        changeCounter = try prepare(
            """
            UPDATE counter SET count = :count
            WHERE line = :line AND state = :state AND priority = :priority AND gate = :gate
            """)
        addCounter = try prepare(
            "INSERT INTO counter (count, line, state, priority, gate) VALUES (:count, :line, :state, :priority, :gate)")
        loadRecord = try prepare("SELECT \(Record.columns) FROM message WHERE id = :id")
        changes = RecordChanges(database)
        ready = try prepare(
            """
            SELECT \(Record.columns), recipient, type, content, fallback, simulated FROM message
            WHERE line = :line AND priority = :priority AND state = 1 AND gate = 0 ORDER BY turn, person, id LIMIT :limit
            """)
        due = try prepare(
            "SELECT id FROM message WHERE state IN (0, 3) AND due_at <= :now ORDER BY due_at LIMIT :limit")
        expired = try prepare(
            """
            SELECT id FROM message WHERE expires_at IS NOT NULL AND state < 4 AND state <> 2 AND expires_at <= :now
            ORDER BY expires_at LIMIT :limit
            """)
        graceOver = try prepare(
            "SELECT id FROM message WHERE grace_until IS NOT NULL AND grace_until <= :now ORDER BY grace_until LIMIT :limit"
        )
        claimed = try prepare("SELECT id FROM message WHERE state = 2 AND unknown = 0")
        changeGrace = try prepare(
            """
            UPDATE message SET grace_until = :grace_until
            WHERE unknown = 1 AND line = :line AND on_unknown IS NULL
            """)
        saveGrace = try prepare("UPDATE message SET grace_until = :grace_until WHERE id = :id")
        openAttempts = try prepare(
            """
            SELECT id, unknown, claimed_at FROM message
            WHERE line = :line AND person = :person AND by_person = 1 AND state = 2 AND claimed_at IS NOT NULL
            """)
        insertDuplicate = try prepare(
            "INSERT OR IGNORE INTO duplicate (wamid, message, attempt) VALUES (:wamid, :message, :attempt)")
        duplicate = try prepare("SELECT message, attempt FROM duplicate WHERE wamid = :wamid")
        earlyFailures = try prepare(
            """
            SELECT id, phone_number_id, wamid, at, error_code, error_message FROM early_status
            WHERE person = :person AND person IS NOT NULL AND report = 3 ORDER BY id
            """)
        deleteEarlyStatus = try prepare("DELETE FROM early_status WHERE id = :id")
        receiptOver = try prepare(
            """
            SELECT id FROM message WHERE receipt_until IS NOT NULL AND receipt_until <= :now
            ORDER BY receipt_until LIMIT :limit
            """)
        nextReceipt = try prepare("SELECT min(receipt_until) FROM message WHERE receipt_until IS NOT NULL")
        nextDue = try prepare("SELECT min(due_at) FROM message WHERE state IN (0, 3)")
        nextExpiry = try prepare(
            "SELECT min(expires_at) FROM message WHERE expires_at IS NOT NULL AND state < 4 AND state <> 2")
        nextGrace = try prepare("SELECT min(grace_until) FROM message WHERE grace_until IS NOT NULL")
        insertBatch = try prepare(
            "INSERT INTO batch (id, account, queued, failed_count, created_at) VALUES (:id, :account, 0, 0, :created_at)"
        )
        addToBatch = try prepare(
            "UPDATE batch SET queued = queued + :queued, failed_count = failed_count + :failed WHERE id = :id")
        insertWebhook = try prepare(
            "INSERT INTO webhook (id, received_at, app, body) VALUES (:id, :received_at, :app, :body)")
        deleteWebhook = try prepare("DELETE FROM webhook WHERE id = :id")
        markWebhook = try prepare("UPDATE webhook SET problem = :problem WHERE id = :id")
        insertEarlyStatus = try prepare(
            """
            INSERT INTO early_status
                (received_at, phone_number_id, wamid, person, report, at, error_code, error_message, price)
            VALUES (:received_at, :phone_number_id, :wamid, :person, :report, :at, :error_code, :error_message, :price)
            """)
        earlyStatuses = try prepare(
            """
            SELECT phone_number_id, report, at, error_code, error_message, price FROM early_status WHERE wamid = :wamid
            ORDER BY id
            """)
        deleteEarlyStatuses = try prepare("DELETE FROM early_status WHERE wamid = :wamid")
        dropOldestStatuses = try prepare(
            """
            DELETE FROM early_status WHERE id <= (
                SELECT max(id) FROM (SELECT id FROM early_status ORDER BY id LIMIT :number))
            """)
        pruneEarlyStatuses = try prepare("DELETE FROM early_status WHERE received_at < :before")
        loadCursor = try prepare(
            "SELECT \(LogCursor.columns) FROM cursor WHERE account = :account AND name = :name")
        saveCursor = try prepare(
            """
            INSERT INTO cursor (account, name, position, updated_at) VALUES (:account, :name, :position, :updated_at)
            ON CONFLICT (account, name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
            """)
        deleteCursor = try prepare("DELETE FROM cursor WHERE account = :account AND name = :name")
        countCursors = try prepare("SELECT count(*) FROM cursor WHERE account = :account")
    }

    /// Ids of messages whose moment has come.
    func passed(_ kind: Alarms.Kind) -> Statement {
        switch kind {
        case .expiry: expired
        case .due: due
        case .grace: graceOver
        case .receipt: receiptOver
        }
    }
}
