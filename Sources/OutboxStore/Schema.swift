import OutboxCore
import OutboxSystem

/// Why a file is not opened as a queue.
package enum OpenRefusal: Error, Equatable, CustomStringConvertible {
    /// Written by a later outboxd.
    case newer(version: Int64)
    /// A database, but none of ours.
    case foreign

    package var description: String {
        switch self {
        case .newer(let version):
            "the database has schema version \(version), this outboxd knows up to \(schemaVersion): "
                + "install the outboxd that wrote it, or a later one"
        case .foreign: "the file is an SQLite database of another program; name another state directory"
        }
    }
}

/// The version `schema.sql` writes into a new file.
package let schemaVersion: Int64 = 4
private let applicationID: Int64 = 0x6F75_7462

extension Database {
    /// Opens the one connection that writes, making the tables in an empty file.
    static func openQueue(path: String) throws -> Database {
        try refuseOthers(path)
        let database = try Database(path: path, .readWrite)
        // Before the first table: it cannot be changed later without rewriting the file.
        if try database.integer("SELECT count(*) FROM sqlite_schema") == 0 {
            try database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        }
        try database.execute(
            """
            PRAGMA busy_timeout = 5000;  -- somebody looks with sqlite3
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA secure_delete = FAST;  -- costs no writing; Erasure sees to the rest
            PRAGMA foreign_keys = ON;
            PRAGMA wal_autocheckpoint = 0;  -- Queue sees to it
            PRAGMA journal_size_limit = 33554432;  -- a log that had to grow longer is cut back when it begins anew
            PRAGMA cache_size = -16384;
            """)
        database.countLog()
        try database.makeTables()
        return database
    }

    /// Looks at the file by a connection that cannot write: what is none of ours stays as it is.
    private static func refuseOthers(_ path: String) throws {
        do {
            let database = try Database(path: path, .readOnly)
            database.keepLogAtClose()
            try database.execute("PRAGMA busy_timeout = 5000")
            _ = try database.hasOurTables()
        } catch let error as StoreError where error.isUnopenable && !error.isLink {
            // Not there yet, or only a connection that writes can tell what is wrong.
        }
    }

    func hasOurTables() throws -> Bool {
        guard try integer("SELECT count(*) FROM sqlite_schema") > 0 else { return false }
        guard try integer("PRAGMA application_id") == applicationID else { throw OpenRefusal.foreign }
        let version = try integer("PRAGMA user_version")
        guard version <= schemaVersion else { throw OpenRefusal.newer(version: version) }
        return true
    }

    private func makeTables() throws {
        if try hasOurTables() { return }
        try inOneTransaction {
            try execute(String(decoding: PackageResources.schema_sql, as: UTF8.self))
            try prepare("INSERT INTO property (name, value) VALUES ('id_key', :value)").run(.blob(randomBytes(16)))
        }
    }

    /// What fails leaves the file as it was.
    func inOneTransaction(_ body: () throws -> Void) throws {
        try execute("BEGIN IMMEDIATE")
        do {
            try body()
            try execute("COMMIT")
        } catch {
            // The first error is the one to tell.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// A connection that only reads and never checkpoints.
    static func openReader(path: String) throws -> Database {
        let database = try Database(path: path, .readOnly)
        try database.execute("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")
        return database
    }

    func clockMark() throws -> LimitClock.Mark? {
        try prepare("SELECT boot, offset, seen, seen_wall, sure_from FROM limit_clock").first {
            LimitClock.Mark(
                boot: $0.text(0), offset: $0.integer(1), seen: Timestamp(milliseconds: $0.integer(2)),
                seenWall: $0.optionalInteger(3).map(Timestamp.init(milliseconds:)),
                sureFrom: Timestamp(milliseconds: $0.integer(4)))
        }
    }

    func idKey() throws -> [UInt8] {
        guard let key = try prepare("SELECT value FROM property WHERE name = 'id_key'").first(body: { $0.bytes(0) })
        else { throw OpenRefusal.foreign }
        return key
    }
}
