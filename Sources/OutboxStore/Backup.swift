import CSQLite
package import OutboxCore
import OutboxSystem

/// A copy of the whole database as it was at one moment, made step by step beside whoever writes on. Belongs to one
/// thread.
///
/// It reads one snapshot from the first step to the last, so that no write makes it begin again; only the log grows
/// until it is done, for what was written meanwhile cannot be taken out of it.
package final class Backup {
    private static let pagesAtOnce: Int32 = 256

    private let source: Database
    private var target: Database?
    private var copy: OpaquePointer?
    private let file: String
    /// When the snapshot was taken.
    package let takenAt: Timestamp

    /// `path` is the database's, `file` the copy's; a file of that name is replaced.
    package init(of path: String, to file: String, now: Timestamp) throws {
        self.file = file
        takenAt = now
        source = try Database.openReader(path: path)
        try source.execute("BEGIN")
        // The first read is what chooses the snapshot.
        _ = try source.integer("SELECT count(*) FROM sqlite_schema")
        guard removeFile(file), removeFile("\(file)-wal"), removeFile("\(file)-journal") else {
            throw StoreError(code: SQLITE_IOERR, message: "\(file) stands in the way and cannot be removed", sql: "")
        }
        let target = try Database(path: file, .readWrite)
        // Nobody reads it before it is whole and synced.
        try target.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        copy = try source.copying(into: target)
        self.target = target
    }

    deinit { if let copy { sqlite3_backup_finish(copy) } }

    /// Bytes of the database; what the copy will take.
    package static func size(of path: String) throws -> UInt64 {
        let database = try Database.openReader(path: path)
        return UInt64(
            max(0, try database.integer("PRAGMA page_count") * (try database.integer("PRAGMA page_size"))))
    }

    /// Copies some pages; answers whether there are more.
    package func step() throws -> Bool {
        guard let copy, let target else { return false }
        switch sqlite3_backup_step(copy, Self.pagesAtOnce) {
        case SQLITE_OK: return true
        case SQLITE_DONE: return false
        case SQLITE_BUSY, SQLITE_LOCKED: return true
        default: throw target.error("backup")
        }
    }

    /// After the last step: makes one plain file of it that says when it was taken, and waits until it is on the disk.
    package func finish() throws {
        guard let copy else { return }
        let code = sqlite3_backup_finish(copy)
        self.copy = nil
        if code != SQLITE_OK, let target { throw target.error("backup") }
        target = nil
        try source.execute("COMMIT")
        let database = try Database(path: file, .readWrite)
        // The daemon's file keeps a log beside it; a backup is one file.
        let mode = try database.prepare("PRAGMA journal_mode = DELETE").first { $0.text(0) }
        guard mode == "delete" else { throw database.error("PRAGMA journal_mode") }
        try database.prepare(
            "INSERT INTO property (name, value) VALUES ('backup_at', :at) "
                + "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ).run(.blob(Array(String(takenAt.milliseconds).utf8)))
        guard sync(file: file, mode: 0o600) else {
            throw StoreError(code: SQLITE_IOERR, message: "\(file) could not be synced", sql: "")
        }
    }
}

/// What is in a file that shall be a queue.
package struct FileReport: Equatable, Sendable {
    package var schemaVersion: Int64
    /// When the backup was taken; nil: the file is no backup, or one of an earlier outboxd.
    package var takenAt: Timestamp?
    package var counts: [(state: MessageState, count: Int64)]
    package var lines: [String]
    /// What is wrong with it; empty: all is well.
    package var problems: [String]

    package static func == (a: FileReport, b: FileReport) -> Bool {
        a.schemaVersion == b.schemaVersion && a.takenAt == b.takenAt && a.lines == b.lines && a.problems == b.problems
            && a.counts.map(\.state) == b.counts.map(\.state) && a.counts.map(\.count) == b.counts.map(\.count)
    }

    /// Reads every page of the file, and changes nothing. Throws `OpenRefusal` for what is none of ours.
    package static func read(_ path: String) throws -> FileReport {
        let database = try Database(path: path, .readOnly)
        database.keepLogAtClose()
        guard try database.hasOurTables() else { throw OpenRefusal.foreign }
        var problems = try database.prepare("PRAGMA integrity_check(10)").all { $0.text(0) }.filter { $0 != "ok" }
        problems += try database.prepare("PRAGMA foreign_key_check").all {
            "a row of \($0.text(0)) points to one of \($0.text(2)) that is not there"
        }.prefix(10)
        let wrong = try database.integer(
            """
            SELECT count(*) FROM counter AS c WHERE c.count <> (SELECT count(*) FROM message AS m
            WHERE m.line = c.line AND m.state = c.state AND m.priority = c.priority AND m.gate = c.gate)
            """)
        if wrong > 0 { problems.append("\(wrong) counters of messages are wrong") }
        let takenAt = try database.prepare("SELECT CAST(value AS INTEGER) FROM property WHERE name = 'backup_at'")
            .first { Timestamp(milliseconds: $0.integer(0)) }
        let counts = try database.prepare("SELECT state, count(*) FROM message GROUP BY state ORDER BY state").all {
            (state: MessageState(rawValue: $0.integer(0)) ?? .queued, count: $0.integer(1))
        }
        return FileReport(
            schemaVersion: try database.integer("PRAGMA user_version"), takenAt: takenAt, counts: counts,
            lines: try database.prepare("SELECT name FROM line WHERE deleted_at IS NULL ORDER BY name").all {
                $0.text(0)
            },
            problems: problems)
    }
}
