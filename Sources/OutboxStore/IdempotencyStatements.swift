/// The writer's statements about idempotency keys. Prepared once; only calls that bring a key run them.
final class IdempotencyStatements {
    /// One row by primary key.
    let load: Statement
    /// One row in; or in place of one of an older use of the key, which must have begun before `:before` or belong to
    /// another batch. Changes nothing when the key is in use.
    let insert: Statement
    /// Says what was answered, by primary key; null: not yet.
    let answer: Statement
    /// The oldest call that began by `:until`; index idempotency_age.
    let oldest: Statement
    /// So many items of one key, by primary key.
    let deleteItems: Statement
    /// One row by primary key.
    let deleteCall: Statement
    /// Index idempotency_age.
    let first: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        load = try prepare(
            """
            SELECT form, digest, created_at, batch, message, state, send_at, answer FROM idempotency
            WHERE account = :account AND caller = :caller AND key = :key AND item = :item
            """)
        insert = try prepare(
            """
            INSERT INTO idempotency (account, caller, key, item, form, digest, created_at, batch, message, state, send_at)
            VALUES (:account, :caller, :key, :item, :form, :digest, :created_at, :batch, :message, :state, :send_at)
            ON CONFLICT (account, caller, key, item) DO UPDATE SET form = excluded.form, digest = excluded.digest,
                created_at = excluded.created_at, batch = excluded.batch, message = excluded.message,
                state = excluded.state, send_at = excluded.send_at, answer = NULL
            WHERE created_at <= :before OR item >= 0 AND (message IS NULL OR batch <> excluded.batch)
            """)
        answer = try prepare(
            """
            UPDATE idempotency SET answer = :answer, digest = :digest
            WHERE account = :account AND caller = :caller AND key = :key AND item = -1
            """)
        oldest = try prepare(
            """
            SELECT account, caller, key FROM idempotency WHERE item = -1 AND created_at <= :until
            ORDER BY created_at LIMIT 1
            """)
        deleteItems = try prepare(
            """
            DELETE FROM idempotency WHERE account = :account AND caller = :caller AND key = :key AND item IN (
                SELECT item FROM idempotency
                WHERE account = :account AND caller = :caller AND key = :key AND item >= 0 LIMIT :limit)
            """)
        deleteCall = try prepare(
            "DELETE FROM idempotency WHERE account = :account AND caller = :caller AND key = :key AND item = -1")
        first = try prepare("SELECT min(created_at) FROM idempotency WHERE item = -1")
    }
}
