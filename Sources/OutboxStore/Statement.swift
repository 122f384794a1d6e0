import CSQLite

/// What can stand for a parameter.
enum SQLValue {
    case null
    case integer(Int64)
    case text(String)
    /// UTF-8 bytes, stored as TEXT.
    case utf8([UInt8])
    case blob([UInt8])

    static func optional(_ number: Int64?) -> SQLValue { number.map(SQLValue.integer) ?? .null }
    static func optional(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
    static func optional(_ bytes: [UInt8]?) -> SQLValue { bytes.map(SQLValue.utf8) ?? .null }

    fileprivate var byteCount: Int {
        switch self {
        case .null, .integer: 0
        case .text(let text): text.utf8.count
        case .utf8(let bytes), .blob(let bytes): bytes.count
        }
    }
}

/// A prepared statement; lives and dies with its connection's thread.
///
/// Values are given in the order in which their `:names` first stand in the SQL.
final class Statement {
    private let handle: OpaquePointer
    let sql: String
    private let database: Database
    /// Of these tables no row may wait while it runs.
    private let looksAt: Database.Tables
    let parameters: Int
    private var texts = BoundBytes()

    init(handle: OpaquePointer, sql: String, database: Database, looksAt: Database.Tables) {
        self.handle = handle
        self.looksAt = looksAt
        self.sql = sql
        self.database = database
        parameters = Int(sqlite3_bind_parameter_count(handle))
    }

    deinit { sqlite3_finalize(handle) }

    /// Runs it to its end and answers how many rows it changed.
    @discardableResult
    func run(_ values: SQLValue...) throws -> Int {
        try bind(values)
        defer { reset() }
        while try step() {}
        return database.changes
    }

    /// For statements put together at run time.
    @discardableResult
    func run(list values: some RandomAccessCollection<SQLValue>) throws -> Int {
        try bind(values)
        defer { reset() }
        while try step() {}
        return database.changes
    }

    /// Hands each row to `body`.
    func each(_ values: SQLValue..., body: (Row) throws -> Void) throws {
        try bind(values)
        defer { reset() }
        while try step() { try body(Row(handle: handle)) }
    }

    /// For statements put together at run time.
    func each(list values: [SQLValue], body: (Row) throws -> Void) throws {
        try bind(values)
        defer { reset() }
        while try step() { try body(Row(handle: handle)) }
    }

    func all<Element>(_ values: SQLValue..., body: (Row) throws -> Element) throws -> [Element] {
        try bind(values)
        defer { reset() }
        var list: [Element] = []
        while try step() { list.append(try body(Row(handle: handle))) }
        return list
    }

    /// The first row, or nil.
    func first<Element>(_ values: SQLValue..., body: (Row) throws -> Element) throws -> Element? {
        try bind(values)
        defer { reset() }
        return try step() ? try body(Row(handle: handle)) : nil
    }

    /// For statements put together at run time.
    func all<Element>(list values: [SQLValue], body: (Row) throws -> Element) throws -> [Element] {
        try bind(values)
        defer { reset() }
        var list: [Element] = []
        while try step() { list.append(try body(Row(handle: handle))) }
        return list
    }

    private func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw database.error(sql)
        }
    }

    private func reset() {
        // The error of a failed step comes back here once more; it was thrown already.
        sqlite3_reset(handle)
    }

    /// Rows that wait and concern it are put in first.
    ///
    /// Texts are copied into `texts` and bound where they lie there: SQLite neither copies nor frees them. What was
    /// bound stays so until the next run, which binds each parameter before SQLite looks at one.
    private func bind(_ values: some RandomAccessCollection<SQLValue>) throws {
        if looksAt != 0 { try database.putIn(looksAt) }
        precondition(values.count == parameters, "\(values.count) values for: \(sql)")
        var byteCount = 0
        for value in values { byteCount += value.byteCount }
        texts.makeRoom(byteCount)
        var index: Int32 = 0
        for value in values {
            index += 1
            let code =
                switch value {
                case .null: sqlite3_bind_null(handle, index)
                case .integer(let number): sqlite3_bind_int64(handle, index, number)
                case .text(var text):
                    text.withUTF8 { bind(text: texts.add(UnsafeRawBufferPointer($0)), index) }
                case .utf8(let bytes): bytes.withUnsafeBytes { bind(text: texts.add($0), index) }
                case .blob(let bytes):
                    bytes.withUnsafeBytes {
                        let blob = texts.add($0)
                        return ob_bind_blob_static(handle, index, blob.baseAddress, Int32(blob.count))
                    }
                }
            guard code == SQLITE_OK else { throw database.error(sql) }
        }
    }

    private func bind(text: UnsafeRawBufferPointer, _ index: Int32) -> Int32 {
        ob_bind_text_static(handle, index, text.baseAddress, Int32(text.count))
    }
}

/// The bytes of a statement's bound texts and blobs, for as long as they are bound.
private struct BoundBytes: ~Copyable {
    private var bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 1)
    private var used = 0

    deinit { bytes.deallocate() }

    /// Forgets what was there.
    mutating func makeRoom(_ count: Int) {
        used = 0
        // Never empty: a null pointer would bind NULL where an empty value is meant.
        guard count > bytes.count || bytes.count > 1 << 16 else { return }
        bytes.deallocate()
        bytes = .allocate(byteCount: max(count, 512), alignment: 1)
    }

    mutating func add(_ source: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let place = UnsafeMutableRawBufferPointer(rebasing: bytes[used..<used + source.count])
        place.copyMemory(from: source)
        used += source.count
        return UnsafeRawBufferPointer(place)
    }
}

/// The row a statement stands on; gone with the next step.
struct Row {
    fileprivate let handle: OpaquePointer

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }

    func optionalBytes(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : bytes(column) }

    func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_blob(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }

    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
}
