import OutboxCore

/// The writer's statements about files and their uploads. Prepared once.
final class MediaStatements {
    /// One row; the table's unique index.
    let byDigest: Statement
    /// Whether any account has these bytes; same index.
    let hasDigest: Statement
    /// One row by primary key; so do the next five.
    let byID: Statement
    let anybodys: Statement
    /// Those that went to one person alone; index media_only_to.
    let onlyTo: Statement
    let insert: Statement
    let handedIn: Statement
    let used: Statement
    let delete: Statement
    /// All of one file; by primary key.
    let deleteUploads: Statement
    /// Those of one file that failed because its bytes were missing are tried again; by primary key.
    let tryMissing: Statement
    /// Whether a message that names it has not left; index message_media.
    let isAwaited: Statement
    /// Whether any message names it; same index.
    let isNamed: Statement
    /// Files used last before a time, behind an id; index media_age.
    let old: Statement
    /// When the file so many places behind the one used last was used; as many steps, same index.
    let ageAtRank: Statement

    /// One row by primary key; so does the next one.
    let upload: Statement
    let saveUpload: Statement
    /// Index media_upload_due; so does the next one.
    let dueUploads: Statement
    let nextUploads: Statement
    /// Waiting uploads of one line; index media_upload_due.
    let tryNow: Statement
    /// Messages of a line that wait for one file; index message_upload.
    let waiting: Statement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        let columns = MediaFile.columns
        byDigest = try prepare(
            "SELECT \(columns) FROM media WHERE sha256 = :sha256 AND account = :account AND mime = :mime")
        hasDigest = try prepare("SELECT EXISTS (SELECT 1 FROM media WHERE sha256 = :sha256)")
        byID = try prepare("SELECT \(columns) FROM media WHERE id = :id AND account = :account")
        anybodys = try prepare("SELECT \(columns) FROM media WHERE id = :id")
        onlyTo = try prepare(
            "SELECT \(columns) FROM media WHERE account = :account AND only_to = :person AND only_to > ''")
        insert = try prepare(
            """
            INSERT INTO media (id, account, sha256, mime, size, filename, created_at, last_used_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
            """)
        handedIn = try prepare("UPDATE media SET filename = :filename, last_used_at = :now WHERE id = :id")
        used = try prepare("UPDATE media SET last_used_at = :now, only_to = :person WHERE id = :id")
        delete = try prepare("DELETE FROM media WHERE id = :id")
        deleteUploads = try prepare("DELETE FROM media_upload WHERE media = :media")
        tryMissing = try prepare(
            """
            UPDATE media_upload SET state = 0, attempts = 0, failures = 0, next_at = :now, error_code = NULL,
                error_message = NULL
            WHERE media = :media AND state = 2 AND error_code = 'MEDIA_MISSING'
            """)
        isAwaited = try prepare(
            "SELECT EXISTS (SELECT 1 FROM message WHERE media = :media AND media IS NOT NULL AND state < 4)")
        isNamed = try prepare("SELECT EXISTS (SELECT 1 FROM message WHERE media = :media AND media IS NOT NULL)")
        old = try prepare(
            """
            SELECT \(columns) FROM media WHERE last_used_at < :before AND id > :after ORDER BY id LIMIT :limit
            """)
        ageAtRank = try prepare("SELECT last_used_at + 1 FROM media ORDER BY last_used_at DESC LIMIT 1 OFFSET :rank")
        upload = try prepare(
            "SELECT \(MediaUpload.columns) FROM media_upload WHERE media = :media AND line = :line")
        saveUpload = try prepare(
            """
            INSERT INTO media_upload (\(MediaUpload.columns))
            VALUES (:media, :line, :state, :meta_id, :expires_at, :attempts, :failures, :rejections, :next_at,
                :error_code, :error_message)
            ON CONFLICT (media, line) DO UPDATE SET state = excluded.state, meta_id = excluded.meta_id,
                expires_at = excluded.expires_at, attempts = excluded.attempts, failures = excluded.failures,
                rejections = excluded.rejections, next_at = excluded.next_at, error_code = excluded.error_code,
                error_message = excluded.error_message
            """)
        dueUploads = try prepare(
            """
            SELECT u.media, u.line, m.sha256, m.mime, m.size, m.filename
            FROM media_upload AS u JOIN media AS m ON m.id = u.media
            WHERE u.state = 0 AND u.next_at <= :now ORDER BY u.next_at LIMIT :limit
            """)
        nextUploads = try prepare(
            "SELECT next_at, media, line FROM media_upload WHERE state = 0 ORDER BY next_at LIMIT :limit")
        tryNow = try prepare(
            "UPDATE media_upload SET next_at = min(next_at, :now) WHERE state = 0 AND line = :line")
        waiting = try prepare(
            """
            SELECT id, priority FROM message WHERE line = :line AND media = :media AND gate = 7 ORDER BY turn LIMIT :limit
            """)
    }
}
