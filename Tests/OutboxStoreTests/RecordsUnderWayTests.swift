import OutboxCore
import TestKit
import Testing

@testable import OutboxStore

/// Messages on their way are remembered as their rows stand in the file.
@Suite struct RecordsUnderWayTests {
    private func leave(_ bench: Bench, _ to: String = "14155552671") throws -> Attempt {
        try bench.submit(to)
        return try #require(try bench.claim().first)
    }

    private func isKnown(_ bench: Bench, _ attempt: Attempt) -> Bool { bench.queue.records[attempt.message] != nil }

    private func isRight(_ bench: Bench) throws -> Bool { try bench.queue.disagreements().isEmpty }

    /// Answers the error that broke it off.
    private func lose(_ bench: Bench, _ body: (Queue) throws -> Void) throws {
        let ending = bench.queue.together(2) { index in
            if index == 1 { throw StoreError(code: 13, message: "full", sql: "") }
            try body(bench.queue)
        }
        guard case .nothing = ending else { throw Unexpected() }
    }

    @Test func fromTheClaimToTheLastStatus() throws {
        let bench = try Bench()
        let attempt = try leave(bench)
        #expect(isKnown(bench, attempt))
        try bench.record(.accepted(wamid: "w", person: nil), attempt)
        for report in [Report.sent, .delivered] {
            try bench.report(report, attempt, wamid: "w")
            #expect(try isKnown(bench, attempt) && isRight(bench))
        }
        try bench.report(.read, attempt, wamid: "w")
        #expect(!isKnown(bench, attempt), "nothing more is heard of it")
        #expect(try bench.message(attempt.message).state == .read)
    }

    @Test func noneIsReadThatIsKnown() throws {
        let bench = try Bench()
        let attempt = try leave(bench)
        // Nobody changes a row behind the writer; this shows that it does not look.
        try bench.queue.database.execute("UPDATE message SET metadata = NULL, failures = 3")
        try bench.record(.accepted(wamid: "w", person: nil), attempt)
        #expect(try bench.sql("SELECT failures FROM message") == 3)
        #expect(bench.queue.records[attempt.message]?.failures == 0)
    }

    @Test func whatATransactionThatIsLostWroteIsForgotten() throws {
        let bench = try Bench()
        let attempt = try leave(bench)
        try lose(bench) {
            _ = try $0.record(.accepted(wamid: "w", person: nil), attempt, now: bench.now, chance: &bench.dice)
            #expect($0.records[attempt.message]?.standing.state == .sent)
        }
        #expect(try !isKnown(bench, attempt) && isRight(bench))
        #expect(try bench.record(.accepted(wamid: "w", person: nil), attempt) == .moved(.sent))
        // Of an ended one that did not end.
        try lose(bench) {
            let status = StatusReport(
                phoneNumberID: "106", wamid: "w", opaque: attempt.opaque, report: .read, at: bench.now, failure: nil)
            _ = try $0.apply(status, now: bench.now)
        }
        #expect(try isRight(bench))
        #expect(try bench.report(.delivered, attempt, wamid: "w") == .moved(attempt.message, .delivered))
    }

    @Test func onlyTheOperationThatFailedIsForgotten() throws {
        let bench = try Bench()
        let attempts = try [leave(bench, "14155552671"), leave(bench, "14155552672")]
        let ending = bench.queue.together(2) { index in
            let outcome = Outcome.accepted(wamid: "w\(index)", person: nil)
            _ = try bench.queue.record(outcome, attempts[index], now: bench.now, chance: &bench.dice)
            if index == 1 { try bench.queue.database.execute("INSERT INTO property VALUES ('id_key', x'00')") }
        }
        guard case .done(let kept) = ending else { throw Unexpected() }
        #expect(kept.map { $0 == nil } == [true, false])
        #expect(try isKnown(bench, attempts[0]) && !isKnown(bench, attempts[1]) && isRight(bench))
        #expect(try bench.message(attempts[1].message).state == .processing)
    }

    @Test func whoeverIsRenamedIsReadAnew() throws {
        let bench = try Bench()
        let alone = try leave(bench, "5511987654321")
        try bench.run { try $0.learn("5511987654321", is: "551187654321", account: 1, now: bench.now) }
        #expect(try !isKnown(bench, alone) && isRight(bench))
        var draft = try bench.draft("14155552671")
        draft.anyOrder = true
        for _ in 0..<2 { _ = try bench.submitted(draft) }
        let both = try bench.claim(2)
        #expect(both.count == 2 && both.allSatisfy { isKnown(bench, $0) })
        try bench.run { try $0.learn("14155552671", is: "14155552670", account: 1, now: bench.now) }
        #expect(try !both.contains { isKnown(bench, $0) } && isRight(bench))
    }

    @Test func anotherGraceIsKnown() throws {
        let bench = try Bench(policy: .resend)
        let attempt = try leave(bench)
        try bench.record(.unknown(down), attempt)
        #expect(isKnown(bench, attempt))
        try bench.change { $0.unknownGrace = .seconds(600) }
        #expect(try isRight(bench) && bench.queue.nextWake() == bench.now + .seconds(60))
        try bench.tick(.seconds(61))
        #expect(try bench.message(attempt.message).outcomeUnknown, "it has more time now")
        #expect(try isRight(bench) && bench.queue.nextWake() == bench.now + .seconds(539))
        try bench.change { $0.unknownPolicy = .hold }
        try bench.tick(.seconds(601))
        #expect(try isRight(bench) && bench.queue.nextWake() == nil)
    }

    @Test func whatIsErasedIsForgotten() throws {
        let bench = try Bench()
        let attempts = try [leave(bench, "14155552671"), leave(bench, "14155552672")]
        for attempt in attempts { try bench.record(.accepted(wamid: attempt.to, person: nil), attempt) }
        for to in ["14155552671", "14155552672"] {
            var erasure = Erasure(of: to, account: 1)
            for _ in 0..<100 where !erasure.waitsForLog {
                try bench.run { try $0.erase(&erasure, now: bench.now, needed: nil) }
            }
            #expect(erasure.report.messages == 1)
        }
        #expect(try !attempts.contains { isKnown(bench, $0) } && isRight(bench))
    }

    @Test func theOldestGoFirst() throws {
        let bench = try Bench()
        bench.queue.records.generationMax = 2
        var attempts: [Attempt] = []
        for number in 0..<5 { attempts.append(try leave(bench, "1415555267\(number)")) }
        #expect(attempts.map { isKnown(bench, $0) } == [false, false, true, true, true])
        for attempt in attempts { try bench.record(.accepted(wamid: attempt.to, person: nil), attempt) }
        #expect(try bench.count(.sent) == 5 && isRight(bench))
    }
}

/// The clock asks nobody before somebody's moment has come.
@Suite struct AlarmTests {
    @Test func aMomentThatIsPassedOverIsForgotten() throws {
        let bench = try Bench()
        let first = try bench.submit("14155552671", expiresAt: bench.now + .seconds(10))
        let second = try bench.submit("14155552672", expiresAt: bench.now + .seconds(20))
        #expect(try bench.claim().map(\.message) == [first])
        // Too early for the one that waits.
        #expect(bench.queue.nextWake() == bench.now + .seconds(10))
        try bench.tick(.seconds(10))
        #expect(bench.queue.nextWake() == bench.now + .seconds(10))
        try bench.tick(.seconds(10))
        #expect(try bench.message(second).state == .failed && bench.queue.nextWake() == nil)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func aTransactionThatIsLostSetsNone() throws {
        let bench = try Bench()
        let draft = try bench.draft(sendAt: bench.now + .seconds(60))
        let ending = bench.queue.together(2) { index in
            if index == 1 { throw StoreError(code: 13, message: "full", sql: "") }
            _ = try bench.queue.submit(draft, account: 1, batch: nil, now: bench.now)
        }
        guard case .nothing = ending else { throw Unexpected() }
        #expect(bench.queue.nextWake() == nil)
    }

    @Test func aRestartKnowsThem() throws {
        let bench = try Bench()
        try bench.submit(sendAt: bench.now + .seconds(60))
        try bench.reopen()
        #expect(bench.queue.nextWake() == bench.now + .seconds(60))
        try bench.tick(.seconds(60))
        #expect(try bench.count(.queued) == 1)
    }
}
