import OutboxCore
import TestKit
import Testing

@testable import OutboxStore

/// Who has several messages is found by the index of people, who has one is remembered.
@Suite struct LivePairTests {
    private func indexed(_ bench: Bench) throws -> Int64 { try bench.sql("SELECT total(by_person) FROM message") }

    private func isRight(_ bench: Bench) throws -> Bool { try bench.queue.disagreements().isEmpty }

    @Test func theOnlyMessageOfAPersonIsInNoIndex() throws {
        let bench = try Bench()
        for to in ["14155552671", "14155552672", "14155552673"] { try bench.submit(to) }
        #expect(try indexed(bench) == 0 && isRight(bench))
        for attempt in try bench.claim(3) { try bench.record(.accepted(wamid: "w\(attempt.to)", person: nil), attempt) }
        #expect(try bench.count(.sent) == 3 && indexed(bench) == 0 && isRight(bench))
    }

    @Test func aSecondOneBringsBothIntoIt() throws {
        let bench = try Bench()
        let first = try bench.submit()
        let second = try bench.submit()
        #expect(try indexed(bench) == 2 && isRight(bench))
        let attempts = try bench.claim(2)
        #expect(attempts.map(\.message) == [first], "one after the other")
        try bench.record(.accepted(wamid: "w1", person: nil), attempts[0])
        #expect(try bench.claim(2).map(\.message) == [second])
        #expect(try indexed(bench) == 1 && isRight(bench))
    }

    @Test func aRestartKnowsThem() throws {
        let bench = try Bench()
        let first = try bench.submit("14155552671")
        try bench.submit("14155552672")
        try bench.submit("14155552672")
        let attempt = try #require(try bench.claim().first)
        #expect(attempt.message == first)
        try bench.reopen()
        #expect(try isRight(bench))
        // The one on its way before the restart is still first.
        let later = try bench.submit("14155552671")
        #expect(try indexed(bench) == 4 && isRight(bench))
        #expect(try !bench.claim(4).map(\.message).contains(later))
    }

    @Test func whoIsRenamedIsInCompany() throws {
        let bench = try Bench()
        try bench.submit("5511987654321")
        try bench.submit("551187654321")
        #expect(try indexed(bench) == 0)
        try bench.run { try $0.learn("5511987654321", is: "551187654321", account: 1, now: bench.now) }
        #expect(try indexed(bench) == 2 && isRight(bench))
        #expect(try bench.claim(2).count == 1)
    }

    @Test func aTransactionThatIsLostTakesItBack() throws {
        let bench = try Bench()
        try bench.submit("14155552671")
        let drafts = try ["14155552671", "14155552672"].map { try bench.draft($0) }
        // The second operation fails: both run again, each by itself.
        let ending = bench.queue.together(3) { index in
            if index == 2 { try bench.queue.database.execute("INSERT INTO property VALUES ('id_key', x'00')") }
            if index < 2 { _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now) }
        }
        guard case .done(let kept) = ending else { throw Unexpected() }
        #expect(kept.map { $0 == nil } == [true, true, false])
        #expect(try indexed(bench) == 2 && isRight(bench))
        // None of it holds.
        let lost = bench.queue.together(2) { index in
            if index == 1 { throw StoreError(code: 13, message: "full", sql: "") }
            _ = try bench.queue.submit(drafts[1], account: 1, batch: nil, now: bench.now)
        }
        guard case .nothing = lost else { throw Unexpected() }
        #expect(try indexed(bench) == 2 && isRight(bench))
    }

    @Test func aPersonWhoWaitsAtAGateIsFound() throws {
        let bench = try Bench()
        try bench.change { $0.pairLimit = true }
        for _ in 0..<50 {
            try bench.submit(anyOrder: true)
            for attempt in try bench.claim() { try bench.record(.accepted(wamid: "w", person: nil), attempt) }
        }
        #expect(try bench.count(.queued) > 0, "some wait for the pair")
        #expect(try isRight(bench))
        try bench.tick(.seconds(600))
        #expect(try bench.claim().count == 1)
    }
}
