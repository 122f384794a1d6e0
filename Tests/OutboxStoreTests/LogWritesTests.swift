import CSQLite
import Foundation
import TestKit
import Testing

@testable import OutboxStore

/// The layer below SQLite that writes its log in large pieces.
@Suite struct LogWritesTests {
    /// Pages that were on their way to the log when a transaction was given up are not written later, where another
    /// process may have written meanwhile.
    @Test func whatIsRolledBackIsNotWrittenLater() throws {
        let folder = TemporaryFolder()
        let path = folder.file("other.db")
        let database = try Database(path: path, .readWrite)
        try database.execute(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 20;
            CREATE TABLE large (id INTEGER PRIMARY KEY, bytes BLOB);
            CREATE TABLE small (word TEXT);
            PRAGMA wal_checkpoint(TRUNCATE);
            """)
        for _ in 0..<3 {
            try database.execute(
                """
                BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
                INSERT INTO large SELECT i, zeroblob(3000) FROM n; ROLLBACK;
                """)
            database.forgetUndone()
            // Another connection, by SQLite's own file layer.
            var handle: OpaquePointer?
            #expect(sqlite3_open(path, &handle) == SQLITE_OK)
            #expect(sqlite3_exec(handle, "INSERT INTO small VALUES ('theirs')", nil, nil, nil) == SQLITE_OK)
            sqlite3_close(handle)
            try database.execute("INSERT INTO small VALUES ('ours')")
        }
        #expect(try database.integer("SELECT count(*) FROM small") == 6)
        try FileManager.default.copyItem(atPath: path, toPath: path + ".copy")
        try FileManager.default.copyItem(atPath: path + "-wal", toPath: path + ".copy-wal")
        #expect(try Database(path: path + ".copy", .readWrite).integer("SELECT count(*) FROM small") == 6)
    }
}
