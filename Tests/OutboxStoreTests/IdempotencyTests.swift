import CSQLite
import OutboxCore
import OutboxStore
import TestKit
import Testing

private func key(
    _ text: String = "order-17", caller: Int64 = 1000, form: IdempotencyKey.Form = .single, body: UInt8 = 1
) -> IdempotencyKey {
    IdempotencyKey(
        caller: caller, text: text, form: form,
        digest: Array(repeating: body, count: IdempotencyKey.digestBytes))
}

private let day = Duration.seconds(86_400)

extension Bench {
    /// As the writer does it: the key is looked up, and kept with what is submitted.
    fileprivate func submit(_ key: IdempotencyKey, sendAt: Timestamp? = nil) throws -> EarlierCall? {
        let draft = try draft(sendAt: sendAt)
        return try run { queue in
            if let earlier = try queue.earlierCall(key, account: 1, now: self.now) { return earlier }
            guard case .done(let submitted) = try queue.submit(draft, account: 1, batch: nil, now: self.now) else {
                throw Unexpected()
            }
            try queue.keep(key, account: 1, for: submitted, now: self.now)
            return nil
        }
    }

    fileprivate func earlier(_ key: IdempotencyKey, account: Int64 = 1) throws -> EarlierCall? {
        try run { try $0.earlierCall(key, account: account, now: self.now) }
    }

    /// From outside; answers the first number of the first row, else -1.
    @discardableResult
    func sql(_ sql: String) throws -> Int64 {
        var handle: OpaquePointer?
        #expect(sqlite3_open(path, &handle) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        sqlite3_busy_timeout(handle, 5000)
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        return sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1
    }
}

@Suite struct IdempotencyTests {
    @Test func aKeyStandsForWhatItWasFirstUsedFor() throws {
        let bench = try Bench()
        let sendAt = bench.now + .seconds(60)
        #expect(try bench.submit(key(), sendAt: sendAt) == nil)
        let first = bench.now
        try bench.tick(.seconds(120))
        guard case .submitted(let submitted)? = try bench.submit(key()) else { throw Unexpected() }
        // As it stood then, though it has left the schedule since.
        #expect(submitted.state == .scheduled && submitted.sendAt == sendAt)
        #expect(try bench.message(submitted.id).state == .queued)
        #expect(try bench.submit(key(body: 2)) == .other(since: first))
        #expect(try bench.submit(key(form: .array)) == .other(since: first))
        #expect(try bench.submit(key(form: .stream)) == .other(since: first))
        #expect(try bench.sql("SELECT count(*) FROM message") == 1)
        try bench.reopen()
        #expect(try bench.submit(key()) == .submitted(submitted))
    }

    @Test func keysOfOthersAreOthers() throws {
        let bench = try Bench()
        #expect(try bench.submit(key()) == nil)
        #expect(try bench.earlier(key(), account: 2) == nil)
        #expect(try bench.earlier(key(caller: 1001)) == nil)
        #expect(try bench.earlier(key("Order-17")) == nil)
        #expect(try bench.submit(key(caller: 1001, body: 2)) == nil)
        #expect(try bench.sql("SELECT count(*) FROM message") == 2)
    }

    @Test func theAnswerOutlivesTheMessage() throws {
        let bench = try Bench()
        _ = try bench.submit(key())
        let before = try bench.earlier(key())
        #expect(before != nil)
        #expect(try bench.sql("DELETE FROM message") == -1)
        #expect(try bench.sql("SELECT count(*) FROM message") == 0)
        #expect(try bench.earlier(key()) == before)
    }

    @Test func twoOfOneTransactionAreOneAlsoWhenItIsRunAgain() throws {
        for breaks in [false, true] {
            let bench = try Bench()
            var bad = try bench.draft()
            bad.type = ""  // the schema refuses an empty type: everybody gets a savepoint
            var told: [EarlierCall?] = [nil, nil, nil]
            let ending = bench.queue.together(3) { index in
                if index == 1 {
                    let draft = breaks ? bad : try bench.draft("14155550002")
                    _ = try bench.queue.submit(draft, account: 1, batch: nil, now: bench.now)
                    return
                }
                told[index] = try bench.queue.earlierCall(key(), account: 1, now: bench.now)
                if told[index] != nil { return }
                guard
                    case .done(let submitted) = try bench.queue.submit(
                        bench.draft(), account: 1, batch: nil, now: bench.now)
                else { throw Unexpected() }
                try bench.queue.keep(key(), account: 1, for: submitted, now: bench.now)
            }
            guard case .done(let kept) = ending else { throw Unexpected() }
            #expect((kept[1] != nil) == breaks)
            let earlier = try bench.earlier(key())
            #expect(told[0] == nil && earlier != nil && told[2] == earlier)
            #expect(try bench.sql("SELECT count(*) FROM message") == (breaks ? 1 : 2))
        }
    }

    @Test func whatIsUndoneLeavesTheKeyFree() throws {
        let bench = try Bench()
        let draft = try bench.draft()
        var bad = draft
        bad.type = ""
        #expect(throws: StoreError.self) {
            try bench.run { queue in
                guard case .done(let submitted) = try queue.submit(draft, account: 1, batch: nil, now: bench.now)
                else { throw Unexpected() }
                try queue.keep(key(), account: 1, for: submitted, now: bench.now)
                _ = try queue.submit(bad, account: 1, batch: nil, now: bench.now)
            }
        }
        #expect(try bench.earlier(key()) == nil)
        #expect(bench.queue.nextWake() == nil)
        #expect(try bench.submit(key(body: 2)) == nil)
    }

    @Test func aKeyIsFreeAgainAfterItsTime() throws {
        let bench = try Bench()
        _ = try bench.submit(key())
        bench.now = bench.now + day - .milliseconds(1)
        #expect(try bench.submit(key(body: 2)) != nil)
        bench.now = bench.now + .milliseconds(1)
        // Before anything was removed.
        #expect(try bench.submit(key(body: 2)) == nil)
        #expect(try bench.sql("SELECT count(*) FROM idempotency") == 1)
        guard case .submitted? = try bench.submit(key(body: 2)) else { throw Unexpected() }
        #expect(try bench.submit(key()) == .other(since: bench.now))
    }

    @Test func oldKeysGoInSmallStepsAndWakeTheWriter() throws {
        let bench = try Bench()
        let draft = try bench.draft(sendAt: Timestamp(milliseconds: 4_000_000_000_000))
        try bench.run { queue in
            for index in 0..<450 {
                guard case .done(let submitted) = try queue.submit(draft, account: 1, batch: nil, now: bench.now)
                else { throw Unexpected() }
                try queue.keep(key("k\(index)"), account: 1, for: submitted, now: bench.now)
            }
        }
        let start = bench.now
        try bench.reopen()
        bench.now = start + .seconds(3600)
        _ = try bench.submit(key("young"))
        var wake = try #require(bench.queue.nextWake())
        #expect(wake >= start + day && wake <= start + day + .seconds(60))
        func rows() throws -> Int64 { try bench.sql("SELECT count(*) FROM idempotency") }
        #expect(try !bench.run { try $0.clockMoved(bench.now) })
        #expect(try rows() == 451)
        bench.now = wake
        var left: [Int64] = []
        repeat { left.append(try rows()) } while try bench.run { try $0.clockMoved(bench.now) }
        #expect(left == [451, 251, 51])
        #expect(try rows() == 1)
        wake = try #require(bench.queue.nextWake())
        #expect(wake >= start + .seconds(3600) + day)
        bench.now = wake
        #expect(try !bench.run { try $0.clockMoved(bench.now) })
        #expect(try rows() == 0)
    }

    @Test func removingStepsFromIndexToIndex() throws {
        let bench = try Bench()
        _ = try bench.submit(key())
        var handle: OpaquePointer?
        #expect(sqlite3_open_v2(bench.path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        for sql in [
            "SELECT key FROM idempotency WHERE item = -1 AND created_at <= 5 ORDER BY created_at LIMIT 1",
            "SELECT min(created_at) FROM idempotency WHERE item = -1",
        ] {
            var statement: OpaquePointer?
            #expect(sqlite3_prepare_v2(handle, "EXPLAIN QUERY PLAN \(sql)", -1, &statement, nil) == SQLITE_OK)
            defer { sqlite3_finalize(statement) }
            #expect(sqlite3_step(statement) == SQLITE_ROW)
            let plan = sqlite3_column_text(statement, 3).map { String(cString: $0) } ?? ""
            #expect(plan.hasPrefix("SEARCH") && plan.contains("idempotency_age"), "\(plan)")
        }
    }

    // MARK: Bulks

    @Test func aBulkRemembersItsItemsAndItsAnswer() throws {
        let bench = try Bench()
        let key = key(form: .stream, body: 9)
        let digests = (0..<3).map { [UInt8](repeating: UInt8($0), count: 16) }
        let draft = try bench.draft()
        func item(_ index: Int64, _ digest: [UInt8], _ batch: MessageID) throws -> EarlierItem? {
            try bench.run { try $0.earlierItem(index, digest, of: key, account: 1, batch: batch) }
        }
        let batch = try bench.run { queue in
            let batch = try queue.openBatch(account: 1, now: bench.now)
            try queue.keep(key, account: 1, forBulk: batch, now: bench.now)
            guard case .done(let first) = try queue.submit(draft, account: 1, batch: batch, now: bench.now) else {
                throw Unexpected()
            }
            try queue.keepItem(
                0, digests[0], of: key, account: 1, batch: batch, message: first.id, now: bench.now)
            try queue.keepItem(1, digests[1], of: key, account: 1, batch: batch, message: nil, now: bench.now)
            return batch
        }
        #expect(try item(0, digests[0], batch) == .queued)
        #expect(try item(0, digests[1], batch) == .other(since: bench.now))
        #expect(try item(1, digests[1], batch) == .refused(same: true, at: bench.now))
        #expect(try item(1, digests[2], batch) == .refused(same: false, at: bench.now))
        #expect(try item(2, digests[2], batch) == nil)
        // A refused place is free.
        try bench.run {
            try $0.keepItem(
                1, digests[2], of: key, account: 1, batch: batch, message: MessageID(rawValue: 1), now: bench.now)
        }
        #expect(try item(1, digests[2], batch) == .queued)

        guard case .bulk(let open)? = try bench.earlier(key) else { throw Unexpected() }
        #expect(open.batch == batch && open.answer == nil)
        try bench.run { try $0.setAnswer(Array("{}".utf8), to: key, account: 1) }
        guard case .bulk(let ended)? = try bench.earlier(key) else { throw Unexpected() }
        #expect(ended.answer == Array("{}".utf8) && ended.digest == key.digest)

        // A day later another bulk has the key: what is left of the first is none of its.
        bench.now = bench.now + day
        #expect(try bench.earlier(key) == nil)
        let second = try bench.run { queue in
            let batch = try queue.openBatch(account: 1, now: bench.now)
            try queue.keep(key, account: 1, forBulk: batch, now: bench.now)
            return batch
        }
        #expect(try item(0, digests[0], second) == nil)
        try bench.run {
            try $0.keepItem(
                0, digests[1], of: key, account: 1, batch: second, message: MessageID(rawValue: 1), now: bench.now)
        }
        #expect(try item(0, digests[1], second) == .queued)
        try bench.tick(day)
        #expect(try bench.sql("SELECT count(*) FROM idempotency") == 0)
    }

    @Test func theItemsOfALargeBulkGoBeforeIt() throws {
        let bench = try Bench()
        let key = key(form: .array)
        try bench.run { queue in
            let batch = try queue.openBatch(account: 1, now: bench.now)
            try queue.keep(key, account: 1, forBulk: batch, now: bench.now)
            for index in 0..<500 {
                try queue.keepItem(
                    Int64(index), IdempotencyKey.noDigest, of: key, account: 1, batch: batch, message: nil,
                    now: bench.now)
            }
        }
        bench.now = bench.now + day
        var left: [Int64] = []
        repeat {
            left.append(try bench.sql("SELECT count(*) FROM idempotency"))
        } while try bench.run {
            try $0.clockMoved(bench.now)
        }
        #expect(left == [501, 301, 101])
        #expect(try bench.sql("SELECT count(*) FROM idempotency") == 0)
    }

    @Test(arguments: [
        "UPDATE idempotency SET form = 1", "UPDATE idempotency SET message = NULL", "UPDATE idempotency SET item = 0",
        "UPDATE idempotency SET state = NULL", "UPDATE idempotency SET batch = 1", "UPDATE idempotency SET answer = ''",
        "UPDATE idempotency SET key = ''", "UPDATE idempotency SET digest = x'00'",
        "INSERT INTO idempotency SELECT * FROM idempotency",
    ])
    func theTableRefusesWhatCannotBe(_ sql: String) throws {
        let bench = try Bench()
        _ = try bench.submit(key())
        var handle: OpaquePointer?
        #expect(sqlite3_open(bench.path, &handle) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_CONSTRAINT)
    }
}
