import CSQLite
import Foundation
import OutboxCore
import TestKit
import Testing

@testable import OutboxStore

/// New messages and events wait within a transaction, and nobody sees that they do.
@Suite struct GatheredRowsTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    /// Several in one transaction, each with what `then` does right behind it.
    @discardableResult
    private func submit(_ count: Int, then: (MessageID) throws -> Void = { _ in }) throws -> [MessageID] {
        var ids: [MessageID] = []
        let drafts = try (0..<count).map { try bench.draft("1415555\(1000 + $0)") }
        let ending = bench.queue.together(count) { index in
            guard
                case .done(let done) = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
            else { throw StoreError(code: 1, message: "refused", sql: "") }
            ids.append(done.id)
            try then(done.id)
        }
        #expect(ending == .done(kept: Array(repeating: nil, count: count)))
        return ids
    }

    @Test func allOfThemAreThere() throws {
        for count in [1, 3, 4, 15, 16, 17, 40] {
            let ids = try submit(count)
            #expect(ids.count == count)
            for id in ids { #expect(try bench.events(id) == [.accepted]) }
        }
        #expect(try bench.count(.queued) == 96)
        #expect(try bench.claim(200).count == 40)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func whoeverLooksFindsThem() throws {
        let ids = try submit(20) { (id) throws in
            let found = try bench.queue.load(id)?.id
            let last = try bench.queue.database.integer("SELECT max(seq) FROM event")
            let shown = try bench.queue.database.integer(
                "SELECT count(*) FROM message_in_words WHERE id = \(id.rawValue)")
            #expect(found == id && last == bench.queue.lastEvent && shown == 1)
        }
        #expect(try bench.claim(20).map(\.message) == ids)
    }

    @Test func theyGoWithWhatIsUndone() throws {
        let drafts = try (0..<3).map { try bench.draft("1415555\(1000 + $0)") }
        let ending = bench.queue.together(3) { index in
            _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
            if index == 2 { throw StoreError(code: 13, message: "full", sql: "") }
        }
        guard case .nothing = ending else { throw Unexpected() }
        #expect(try bench.count(.queued) == 0)
        try submit(1)
        #expect(try bench.count(.queued) == 1)
        #expect(try bench.queue.disagreements() == [])
    }

    /// The schema refuses some, here and there.
    @Test func onlyThoseThatAreWrongAreRefused() throws {
        var drafts = try (0..<50).map { try bench.draft("1415555\(1000 + $0)") }
        for index in [0, 7, 16, 49] { drafts[index].type = "" }
        let ending = bench.queue.together(50) { index in
            _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
        }
        guard case .done(let kept) = ending else { throw Unexpected() }
        #expect(kept.indices.filter { kept[$0] != nil } == [0, 7, 16, 49])
        #expect(try bench.count(.queued) == 46)
        #expect(try bench.queue.disagreements() == [])
    }

    /// Pages that were on their way to the log when a transaction was given up are not written later, where another
    /// process may have written meanwhile.
    @Test func whatIsRolledBackIsNotWrittenLater() throws {
        let path = bench.folder.file("other.db")
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
