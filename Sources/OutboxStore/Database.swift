import CLogWrites
import CSQLite
import Glibc

/// Once, before the first connection.
private let memoryIsUncounted: Bool = ob_leave_memory_uncounted() == SQLITE_OK

/// The file layer of whoever writes; nil: SQLite's own.
private let writersLayer: String? = ob_log_writes_gathered().map { String(cString: $0) }

/// One SQLite connection. Belongs to one thread.
final class Database {
    private let handle: OpaquePointer
    /// Pages in the log after the last commit, where `countLog` was called.
    private var logPages: Int32 = 0
    /// Commits that wrote something, where `countLog` was called.
    private(set) var commits: UInt64 = 0

    enum Access { case readWrite, readOnly }

    init(path: String, _ access: Access) throws {
        // Where SQLite was in use already it goes on counting.
        _ = memoryIsUncounted
        var handle: OpaquePointer?
        let mode = access == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(
            path, &handle, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
            access == .readWrite ? writersLayer : nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            let extended = handle.map { sqlite3_extended_errcode($0) } ?? code
            sqlite3_close_v2(handle)
            throw StoreError(code: extended, message: "\(path): \(message)", sql: "")
        }
        self.handle = handle
        sqlite3_extended_result_codes(handle, 1)
        if access == .readWrite {
            sqlite3_set_authorizer(handle, tableNamed, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    deinit { sqlite3_close_v2(handle) }

    /// No transaction is open: none was begun, or SQLite gave it up.
    var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

    /// Rows changed by the last statement.
    var changes: Int { Int(sqlite3_changes(handle)) }

    func error(_ sql: String = "") -> StoreError {
        let code = sqlite3_extended_errcode(handle)
        // SQLite knows a full disk, but not a quota that is used up or a file as long as it may be.
        if code == SQLITE_IOERR | 3 << 8, sqlite3_system_errno(handle) != EIO,
            [SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER].contains(where: { isUsedUp($0) })
        {
            return StoreError(code: SQLITE_FULL, message: "the quota or the longest file allowed is used up", sql: sql)
        }
        return StoreError(code: code, message: String(cString: sqlite3_errmsg(handle)), sql: sql)
    }

    /// Whether the last call that failed on the log or on the file was refused for a quota or the longest file allowed.
    /// The connection's own errno may be of what it did after that.
    private func isUsedUp(_ pointer: Int32) -> Bool {
        [EDQUOT, EFBIG].contains(control(pointer, SQLITE_FCNTL_LAST_ERRNO))
    }

    /// What the log's or the file's layer says to an order of one number.
    private func control(_ pointer: Int32, _ order: Int32) -> Int32 {
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(handle, "main", pointer, &file) == SQLITE_OK, let file,
            let control = file.pointee.pMethods?.pointee.xFileControl
        else { return 0 }
        var number: Int32 = 0
        _ = control(file, order, &number)
        return number
    }

    /// The log stays as it is when this connection is closed.
    func keepLogAtClose() { _ = ob_keep_log_at_close(handle) }

    // MARK: Rows that wait

    /// A bit for each of them.
    typealias Tables = UInt8

    private struct Gathered {
        let table: String
        /// Its statements own this connection.
        unowned let rows: GatheredRows
    }

    private var gathered: [Gathered] = []
    /// Tables of which rows wait.
    private var waiting: Tables = 0
    /// False: each row is put in at once, so that whoever brings it hears what is wrong with it.
    var gathers = true
    /// Tables the statement being prepared looks at.
    private var named: Tables = 0

    /// To be made before other statements, and kept as long as they are used.
    func gather(_ table: String, columns: String) throws -> GatheredRows {
        let rows = try GatheredRows(self, table: table, bit: 1 << Tables(gathered.count), columns: columns)
        gathered.append(Gathered(table: table, rows: rows))
        return rows
    }

    func add(_ row: SQLValue..., to rows: GatheredRows) throws {
        rows.add(row)
        waiting |= rows.bit
        if rows.isFull || !gathers { try putIn(rows.bit) }
    }

    /// What waits of these tables is put in.
    func putIn(_ tables: Tables = .max) throws {
        guard waiting & tables != 0 else { return }
        for entry in gathered where waiting & tables & entry.rows.bit != 0 {
            waiting &= ~entry.rows.bit
            try entry.rows.putIn()
        }
    }

    /// After the end of a transaction that was not committed: what waited, above SQLite and below it, was part of it.
    func forgetUndone() {
        waiting = 0
        for entry in gathered { entry.rows.forget() }
        _ = control(SQLITE_FCNTL_JOURNAL_POINTER, ob_log_writes_forget)
    }

    fileprivate func names(_ table: UnsafePointer<CChar>) {
        for entry in gathered where strcmp(table, entry.table) == 0 { named |= entry.rows.bit }
    }

    // MARK: Statements

    /// Runs a script of statements that return nothing.
    func execute(_ sql: String) throws {
        try putIn()
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error(sql) }
    }

    /// A statement to be used again and again. `overlooksRows`: rows that wait are none of its.
    func prepare(_ sql: String, overlooksRows: Bool = false) throws -> Statement {
        named = 0
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw error(sql) }
        return Statement(handle: statement, sql: sql, database: self, looksAt: overlooksRows ? 0 : named)
    }

    /// Begins a copy of all of it into `other`; the caller steps it on and ends it.
    func copying(into other: Database) throws -> OpaquePointer {
        guard let copy = sqlite3_backup_init(other.handle, "main", handle, "main") else { throw other.error("backup") }
        return copy
    }

    /// The first column of the first row as a number; 0 when there is none.
    func integer(_ sql: String) throws -> Int64 {
        try prepare(sql).first { $0.integer(0) } ?? 0
    }

    /// A function for SQL that answers the same for the same.
    func define(
        _ name: String, arguments: Int32,
        _ body: @convention(c) (OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?) -> Void
    ) -> Int32 {
        sqlite3_create_function_v2(
            handle, name, arguments, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil, body, nil, nil, nil)
    }

    /// From now on every commit tells how long the log is.
    func countLog() {
        _ = sqlite3_wal_hook(handle, logGrew, Unmanaged.passUnretained(self).toOpaque())
    }

    fileprivate func grew(to pages: Int32) {
        logPages = pages
        commits += 1
    }

    /// Writes a log that has grown to so many pages into the file. SQLite would do so by itself, and keep silent about
    /// a disk that fails.
    func checkpoint(from pages: Int32) throws {
        guard logPages >= pages else { return }
        guard sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil) == SQLITE_OK else {
            throw error("checkpoint")
        }
        logPages = 0
    }

    /// The same; answers whether no reader stood in the way.
    func emptyLog() throws -> Bool {
        // Whoever waits for the writer shall not wait for a reader.
        try execute("PRAGMA busy_timeout = 0")
        let isBusy = try prepare("PRAGMA wal_checkpoint(TRUNCATE)").first { $0.integer(0) }
        try execute("PRAGMA busy_timeout = 5000")
        return isBusy == 0
    }

    /// Writes the log into the file and empties it, as far as readers let it.
    func checkpoint() throws {
        try execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }
}

// SQLite calls back: a free function, for it belongs to no actor.
private func logGrew(
    _ database: UnsafeMutableRawPointer?, _ handle: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ pages: Int32
) -> Int32 {
    guard let database else { return SQLITE_OK }
    Unmanaged<Database>.fromOpaque(database).takeUnretainedValue().grew(to: pages)
    return SQLITE_OK
}

// SQLite calls it for each table, and column, that a statement it prepares looks at or changes.
private func tableNamed(
    _ database: UnsafeMutableRawPointer?, _ action: Int32, _ first: UnsafePointer<CChar>?,
    _ second: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ inner: UnsafePointer<CChar>?
) -> Int32 {
    if let database, let first, [SQLITE_READ, SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE].contains(action) {
        Unmanaged<Database>.fromOpaque(database).takeUnretainedValue().names(first)
    }
    return SQLITE_OK
}
