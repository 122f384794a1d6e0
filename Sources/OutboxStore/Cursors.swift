package import OutboxCore

extension LogCursor {
    static let columns = "name, position, updated_at"

    init(_ row: Row) {
        self.init(
            name: row.text(0), position: row.integer(1), updatedAt: Timestamp(milliseconds: row.integer(2)))
    }
}

extension Queue {
    /// Of one account.
    package static let cursorsMax: Int64 = 1000

    /// Notes that a follower is done with everything up to `position`. Nothing leads backwards but a `rewind`.
    package func moveCursor(
        _ name: String, account: Int64, to position: Int64, rewind: Bool, now: Timestamp
    ) throws -> CursorMove {
        guard position <= lastEvent else { return .beyond(end: lastEvent) }
        let old = try statements.loadCursor.first(.integer(account), .text(name)) { LogCursor($0) }
        if let old, position < old.position, !rewind { return .done(old, isNew: false) }
        if old == nil,
            try statements.countCursors.first(.integer(account), body: { $0.integer(0) }) ?? 0 >= Self.cursorsMax
        {
            return .tooMany
        }
        try statements.saveCursor.run(
            .integer(account), .text(name), .integer(position), .integer(now.milliseconds))
        return .done(LogCursor(name: name, position: position, updatedAt: now), isNew: old == nil)
    }

    /// False: there is none.
    package func removeCursor(_ name: String, account: Int64) throws -> Bool {
        try statements.deleteCursor.run(.integer(account), .text(name)) == 1
    }
}

extension QueueReader {
    package func cursors(account: Int64) throws -> [LogCursor] {
        try database.prepare("SELECT \(LogCursor.columns) FROM cursor WHERE account = :account ORDER BY name")
            .all(.integer(account)) { LogCursor($0) }
    }

    package func cursor(_ name: String, account: Int64) throws -> LogCursor? {
        try database.prepare("SELECT \(LogCursor.columns) FROM cursor WHERE account = :account AND name = :name")
            .first(.integer(account), .text(name)) { LogCursor($0) }
    }

    /// The number of the last event; 0 while nothing has happened.
    package func logEnd() throws -> Int64 { try database.integer("SELECT max(seq) FROM event") }

    /// Whether a line of that name is there, or was.
    package func hasLine(named name: String, account: Int64) throws -> Bool {
        try database.prepare("SELECT 1 FROM line WHERE account = :account AND name = :name LIMIT 1")
            .first(.integer(account), .text(name)) { _ in true } ?? false
    }
}
