import CSQLite
import Foundation
import OutboxCore
import OutboxStore
import TestKit
import Testing

@Suite struct TransactionTests {
    @Test func aFailingOperationLeavesItsNeighboursAlone() throws {
        let bench = try Bench()
        var bad = try bench.draft()
        bad.content = []
        bad.type = ""  // the schema refuses an empty type
        let drafts = [try bench.draft("14155550001"), bad, try bench.draft("14155550003")]
        let ending = bench.queue.together(3) { index in
            _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
        }
        guard case .done(let kept) = ending else { throw Unexpected() }
        #expect(kept.map { $0 == nil } == [true, false, true])
        #expect(kept[1]?.isConstraint == true)
        #expect(try bench.count(.queued) == 2)
        #expect(try bench.claim(10).map(\.to) == ["14155550001", "14155550003"])
        try checkCounters(bench)
    }

    @Test func countersEqualARecount() throws {
        let bench = try Bench(policy: .resend)
        for index in 0..<300 {
            let id = try bench.submit("1415555\(1000 + index)", sendAt: index % 7 == 0 ? bench.now + .seconds(5) : nil)
            if index % 11 == 0 { _ = try bench.run { try $0.cancel(id, account: 1, now: bench.now) } }
            if index % 3 == 0 { try bench.tick(.seconds(1)) }
            for (offset, attempt) in try bench.claim(2).enumerated() {
                let outcomes: [Outcome] = [
                    .accepted(wamid: "w\(index).\(offset)"), .refused(down, .forNow(askedFor: nil)), .unknown(down),
                    .refused(down, .forGood),
                ]
                try bench.record(try #require(outcomes.randomElement(using: &bench.dice)), attempt)
            }
        }
        try checkCounters(bench)
        try bench.reopen()
        try checkCounters(bench)
    }

    private func checkCounters(_ bench: Bench) throws {
        var handle: OpaquePointer?
        #expect(sqlite3_open_v2(bench.path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        var statement: OpaquePointer?
        sqlite3_prepare_v2(handle, "SELECT state, count(*) FROM message GROUP BY state", -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        var recount: [Int64: Int64] = [:]
        while sqlite3_step(statement) == SQLITE_ROW {
            recount[sqlite3_column_int64(statement, 0)] = sqlite3_column_int64(statement, 1)
        }
        let counts = try QueueReader(path: bench.path).counts(account: 1)
        #expect(Dictionary(uniqueKeysWithValues: counts.map { ($0.state.rawValue, $0.count) }) == recount)
    }

    @Test func theFileIsSetUpForDurability() throws {
        let bench = try Bench()
        _ = bench.queue
        var handle: OpaquePointer?
        #expect(sqlite3_open_v2(bench.path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        func pragma(_ name: String) -> String {
            var statement: OpaquePointer?
            sqlite3_prepare_v2(handle, "PRAGMA \(name)", -1, &statement, nil)
            defer { sqlite3_finalize(statement) }
            return sqlite3_step(statement) == SQLITE_ROW ? String(cString: sqlite3_column_text(statement, 0)) : ""
        }
        #expect(pragma("journal_mode") == "wal")
        #expect(pragma("auto_vacuum") == "2")
        #expect(pragma("user_version") == "\(schemaVersion)")
        #expect(pragma("integrity_check") == "ok")
    }

    @Test func aFileOfALaterVersionIsRefused() throws {
        let bench = try Bench()
        try execute(bench.path, "PRAGMA user_version = 99")
        let before = try Data(contentsOf: URL(fileURLWithPath: bench.path))
        #expect(throws: OpenRefusal.newer(version: 99)) {
            try Queue(path: bench.path, reading: Bench.reading(bench.now))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: bench.path)) == before)
    }

    @Test func anotherProgramsDatabaseIsRefused() throws {
        let folder = TemporaryFolder()
        try execute(folder.file("x.db"), "CREATE TABLE t (a)")
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.file("x.db")))
        #expect(throws: OpenRefusal.foreign) {
            try Queue(path: folder.file("x.db"), reading: Bench.reading(Timestamp(milliseconds: 0)))
        }
        // Not even its journal is another one.
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("x.db"))) == before)
    }

    private func execute(_ path: String, _ sql: String) throws {
        var handle: OpaquePointer?
        #expect(sqlite3_open(path, &handle) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
    }

    /// The schema says the machine's rules again: what the machine would not allow, the table refuses.
    @Test(arguments: [
        "UPDATE message SET state = 9", "UPDATE message SET state = 2", "UPDATE message SET state = 4",
        "UPDATE message SET state = 5", "UPDATE message SET state = 6", "UPDATE message SET state = 7",
        "UPDATE message SET state = 8", "UPDATE message SET unknown = 1", "UPDATE message SET grace_until = 1",
        "UPDATE message SET closed_attempt = 1", "UPDATE message SET recipient = 'abc4567'",
        "UPDATE message SET priority = 3", "UPDATE message SET state = 'queued'",
    ])
    func theTableRefusesWhatTheMachineWouldNot(_ sql: String) throws {
        let bench = try Bench()
        try bench.submit()
        var handle: OpaquePointer?
        #expect(sqlite3_open(bench.path, &handle) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_CONSTRAINT)
    }
}

@Suite struct ListTests {
    @Test func filtersAndPages() throws {
        let bench = try Bench()
        var ids: [MessageID] = []
        for index in 0..<25 {
            ids.append(try bench.submit(index % 5 == 0 ? "14155550000" : "14155559999"))
            bench.now = bench.now + .seconds(1)
        }
        let reader = try QueueReader(path: bench.path)
        func list(_ change: (inout ListFilter) -> Void) throws -> ListPage {
            var filter = ListFilter()
            change(&filter)
            return try reader.list(filter, account: 1)
        }
        let first = try list { _ in }
        #expect(first.messages.map(\.id) == Array(ids.reversed().prefix(20)))
        // A page is stable though new messages come in.
        try bench.submit()
        let second = try list { $0.before = first.next }
        #expect(second.messages.map(\.id) == Array(ids.prefix(5).reversed()) && second.next == nil)
        #expect(try list { $0.to = Recipient("14155550000") }.messages.count == 5)
        #expect(
            try list {
                $0.states = [.queued]
                $0.limit = 200
            }.messages.count == 26)
        #expect(try list { $0.states = [.failed] }.messages.isEmpty)
        #expect(try list { $0.states = [.sent, .read] }.messages.isEmpty)
        #expect(
            try list {
                $0.line = "main"
                $0.limit = 3
                $0.offset = 24
            }.messages.map(\.id) == [ids[1], ids[0]])
        #expect(try list { $0.line = "other" }.messages.isEmpty)
        let start = Timestamp(milliseconds: 1_800_000_000_000)
        let span = try list {
            $0.since = start + .seconds(3)
            $0.until = start + .seconds(6)
        }
        #expect(span.messages.map(\.id) == [ids[5], ids[4], ids[3]])
        let far = try #require(Timestamp(rfc3339: "9999-12-31T23:59:59Z"))
        #expect(try list { $0.until = far }.messages.count == 20)
        #expect(try list { $0.since = far }.messages.isEmpty)
    }

    @Test func batchesCountWhatWasInThem() throws {
        let bench = try Bench()
        let draft = try bench.draft()
        let batch = try bench.run { queue in
            let batch = try queue.openBatch(account: 1, now: bench.now)
            for _ in 0..<3 { _ = try queue.submit(draft, account: 1, batch: batch, now: bench.now) }
            try queue.addToBatch(batch, queued: 3, failed: 2)
            return batch
        }
        try bench.submit()
        var filter = ListFilter()
        filter.batch = batch
        #expect(try QueueReader(path: bench.path).list(filter, account: 1).messages.count == 3)
    }
}
