import CSQLite

/// SQLite could not do what it was asked. Holds no bound value.
package struct StoreError: Error, Equatable, CustomStringConvertible {
    /// SQLite's extended result code.
    package let code: Int32
    package let message: String
    package let sql: String

    package var description: String { "\(message) (SQLite \(code))\(sql.isEmpty ? "" : " in: \(sql)")" }

    /// The disk, or what is left of it for us, is full.
    package var isFull: Bool { code & 0xFF == SQLITE_FULL }
    /// Somebody else holds the file, or memory is short: it may go better in a moment.
    package var isPassing: Bool { [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM].contains(code & 0xFF) }
    /// A rule of the schema stood against it.
    package var isConstraint: Bool { code & 0xFF == SQLITE_CONSTRAINT }
}

extension StoreError {
    static func neitherCommittedNorRolledBack(_ words: String) -> StoreError {
        StoreError(
            code: SQLITE_INTERNAL, message: "a transaction could be neither committed nor rolled back: \(words)",
            sql: "")
    }

    /// It will not pass while this process lasts: end it, and start afresh.
    package var isFatal: Bool { !isFull && !isPassing }

    /// What the file holds is not, or no longer, a database.
    package var isDamaged: Bool { [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xFF) }
    /// A symbolic link stands where the file should.
    package var isLink: Bool { code == SQLITE_CANTOPEN | 6 << 8 }
    package var isUnopenable: Bool { [SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM].contains(code & 0xFF) }
}
