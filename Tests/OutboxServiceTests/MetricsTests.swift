import OutboxAPI
import OutboxCore
import OutboxHTTP
import TestKit
import Testing

@testable import OutboxService
@testable import OutboxStore

extension Desk {
    /// What is counted now.
    func measures() throws -> WriterMeasures {
        for (_, reply) in turn(.measure(exchange)).replies {
            if case .measured(let measures) = reply { return measures }
        }
        throw NoMeasures()
    }
}

private struct NoMeasures: Error {}

private let main: Int64 = 1

@Suite struct MetricsTests {
    @Test func attemptsAreCountedByOutcomeAndKnownCode() throws {
        let desk = try Desk()
        try desk.submit(5)
        let attempts = desk.turn().attempts
        let outcomes: [Outcome] = [
            .accepted(wamid: "w0"),
            .refused(Failure(code: "131026", message: "no"), .forGood),
            .refused(Failure(code: "987654", message: "nobody knows"), .forNow(askedFor: nil)),
            .refused(Failure(code: "131056", message: "wait"), .throttled(askedFor: nil)),
            .unknown(Failure(code: "NO_ANSWER", message: "lost")),
        ]
        let inputs = zip(attempts, outcomes).map {
            WriterInput.outcome(AttemptOutcome(attempt: $0, outcome: $1, took: .milliseconds(200)))
        }
        _ = desk.turn(inputs)
        let measures = try desk.measures()
        let counted = measures.metrics.attempts.map { "\($0.key.outcome) \($0.key.code) \($0.value)" }.sorted()
        #expect(
            counted == [
                "accepted  1", "refused 131026 1", "throttled 131056 1", "try_again other 1", "unknown NO_ANSWER 1",
            ])
        #expect(measures.metrics.sends.counts.reduce(0, +) == 5)
        #expect(abs(measures.metrics.sends.sum - 1) < 0.001)
        #expect(measures.queue.unknown(main) == 1)
        #expect(measures.queue.count(main, .failed) == 1)
        #expect(measures.metrics.submitted == [main: 5])
        #expect(measures.metrics.entered[Tally.LineState(line: main, state: .processing)] == 5)
        #expect(measures.underWay == 0)
    }

    @Test func timeAtAGateIsTheSumOverAllWhoWait() throws {
        let desk = try Desk(slots: 100)
        let pause = try #require(
            desk.turn(.pause(desk.exchange, PauseBody(scope: .template, target: "t"), who: "me")).replies.first)
        guard case (_, .paused(let paused, _)) = pause else {
            Issue.record("not paused")
            return
        }
        let place = Tally.LineGate(line: main, gate: .pause)
        for number in 0..<3 {
            var draft = try desk.draft("1415555000\(number)")
            draft.template = TemplateName(name: "t", language: "en")
            _ = desk.turn(.submit(desk.exchange, draft))
        }
        #expect(try desk.measures().metrics.deferred == [place: 3])
        desk.tick += 10_000_000_000
        #expect(abs((try desk.measures().metrics.waited[place] ?? 0) - 30) < 0.001)
        // Over a restart those who wait go on waiting; what was counted begins anew.
        try desk.restart()
        _ = desk.turn()
        desk.tick += 1_000_000_000
        #expect(abs((try desk.measures().metrics.waited[place] ?? 0) - 3) < 0.001)
        _ = desk.turn(.resume(desk.exchange, id: paused.id, who: "me"))
        desk.tick += 1_000_000_000
        let after = try desk.measures()
        #expect(abs((after.metrics.waited[place] ?? 0) - 3) < 0.001)
        #expect(after.queue.count(main, Gate.pause) == 0)
    }

    @Test func whatIsUndoneIsNotCounted() throws {
        let desk = try Desk()
        try desk.submit(1)
        let before = try desk.measures().metrics.submitted
        let ending = desk.queue.together(2) { index in
            let draft = try desk.draft("1415555010\(index)")
            _ = try desk.queue.submit(draft, account: Account.defaultID, batch: nil, now: desk.now)
            if index == 1 { throw StoreError(code: 19, message: "constraint", sql: "") }
        }
        guard case .done(let kept) = ending else {
            Issue.record("nothing was kept")
            return
        }
        #expect(kept[0] == nil && kept[1] != nil)
        #expect(try desk.measures().metrics.submitted[main] == (before[main] ?? 0) + 1)
    }

    @Test func latenessIsTakenWhenAMessageBecomesDue() throws {
        let desk = try Desk()
        var draft = try desk.draft("14155550000")
        draft.sendAt = desk.now + .seconds(10)
        _ = desk.turn(.submit(desk.exchange, draft))
        desk.now = desk.now + .seconds(12)
        desk.tick += 12_000_000_000
        _ = desk.turn()
        let lateness = try desk.measures().metrics.lateness
        #expect(lateness.counts.reduce(0, +) == 1 && abs(lateness.sum - 2) < 0.001)
    }

    @Test func whoWaitsLongestIsFoundAmongBatchesThatTakeTurns() throws {
        let desk = try Desk(slots: 1)
        let reader = try QueueReader(path: desk.folder.file("outboxd.db"))
        #expect(try reader.oldestDue([main: [.normal]]).isEmpty)
        try desk.submit(3)
        let first = desk.now
        desk.now = desk.now + .seconds(60)
        _ = desk.queue.together(1) { _ in
            let batch = try desk.queue.openBatch(account: Account.defaultID, now: desk.now)
            for number in 0..<3 {
                let draft = try desk.draft("1415555020\(number)")
                _ = try desk.queue.submit(draft, account: Account.defaultID, batch: batch, now: desk.now)
            }
        }
        #expect(try reader.oldestDue([main: [.normal]]) == [main: first])
        _ = desk.turn()
        #expect(try reader.oldestDue([main: [.normal]]) == [main: first])
        #expect(try desk.measures().queue.ready == [main: [.normal]])
    }
}
