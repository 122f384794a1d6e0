import OutboxSystem

/// A file of an earlier outboxd that was brought up to date.
package struct Upgrade: Equatable, Sendable {
    /// The schema version it had.
    package var from: Int64
    /// The whole database as it was before.
    package var backup: String
}

/// What each version changes in a file of the one before it: the same tables and indexes as in `schema.sql`.
private let steps: [(version: Int64, sql: String)] = [
    (
        2,
        """
        ALTER TABLE message ADD COLUMN lot INTEGER NOT NULL DEFAULT 0;
        DROP INDEX message_recipient;
        CREATE INDEX message_recipient ON message (lot, recipient);
        ALTER TABLE subscription ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE delivery ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
        """
    ),
    (
        3,
        """
        CREATE TABLE access_key (
            id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- numbers people have noted are not given again
            account      INTEGER NOT NULL REFERENCES account (id),
            name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
            role         INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),  -- Role
            hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
            old_hash     BLOB    CHECK (length(old_hash) = 32),  -- the one before, which counts until then
            old_until    INTEGER,
            created_at   INTEGER NOT NULL,
            created_by   TEXT    NOT NULL,
            rotated_at   INTEGER,
            last_used_at INTEGER,   -- to the minute
            UNIQUE (account, name),
            CHECK ((old_hash IS NULL) = (old_until IS NULL))
        ) STRICT;
        DROP INDEX message_waiting;
        DROP INDEX message_person;
        CREATE INDEX message_person ON message (line, person, priority, state) WHERE +state BETWEEN 1 AND 3;
        DROP INDEX message_expiry;
        CREATE INDEX message_expiry ON message (expires_at)
            WHERE expires_at IS NOT NULL AND state < 4 AND state <> 2;
        DROP INDEX message_wamid;
        CREATE INDEX message_wamid ON message (wamid)
            WHERE wamid IS NOT NULL AND state BETWEEN 2 AND 7 AND state <> 3 AND state <> 6;
        -- The only way to change a CHECK without writing the table anew (sqlite.org/lang_altertable.html, 7).
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql,
            'CHECK (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB ''*[^0-9]*'')',
            'CHECK (
                (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB ''*[^0-9]*'')
                OR (length(recipient) BETWEEN 4 AND 135 AND recipient GLOB ''[A-Z][A-Z].*''))')
        WHERE type = 'table' AND name = 'message';
        PRAGMA writable_schema = RESET;
        """
    ),
]

extension Database {
    /// Brings a file of an earlier version up to date, after a copy of it was put on disk. A kill at any moment leaves
    /// it as it was, or done.
    func upgrade(path: String) throws -> Upgrade? {
        let version = try integer("PRAGMA user_version")
        guard version < schemaVersion else { return nil }
        let backup = "\(path).v\(version)"
        try copy(to: backup)
        try inOneTransaction {
            for step in steps where step.version > version { try execute(step.sql) }
            try execute("PRAGMA user_version = \(schemaVersion)")
        }
        return Upgrade(from: version, backup: backup)
    }

    /// Writes all there is into a file of its own, which is whole and synced once it has that name; one that was there
    /// is replaced.
    func copy(to path: String) throws {
        let unfinished = path + ".new"
        func failed(_ what: String) -> StoreError {
            StoreError(code: 10, message: "the copy \(path) could not be \(what); is there room for it?", sql: "")
        }
        guard removeFile(unfinished) else { throw failed("written") }
        try prepare("VACUUM INTO :path").run(.text(unfinished))
        guard sync(file: unfinished, mode: 0o600) else { throw failed("synced") }
        guard rename(file: unfinished, to: path) else { throw failed("named") }
    }
}
