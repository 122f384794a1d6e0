import Foundation
import OutboxCore
import OutboxStore
import TestKit
import Testing

/// `OUTBOXD_SEEDS=100..<200` tries others than the dozen of every run.
private let seeds: Range<UInt64> = {
    let words = ProcessInfo.processInfo.environment["OUTBOXD_SEEDS"]?.components(separatedBy: "..<").compactMap(
        UInt64.init)
    guard let words, words.count == 2, words[0] < words[1] else { return 0..<12 }
    return words[0]..<words[1]
}()

@Suite struct SchedulerTests {
    /// Arrivals, answers, failures, kills, reboots, and wall clocks set hours off, in any order.
    @Test(arguments: seeds) func limitsAndOrderHoldWhateverHappens(_ seed: UInt64) throws {
        let world = try World(seed: seed)
        for _ in 0..<150 {
            for _ in 0..<world.random(0...12) {
                // A few people get many messages.
                let person = world.happens(0.3) ? world.person(0) : world.randomPerson()
                let priority = Priority.allCases[Int(world.random(0...2))]
                let later = world.happens(0.1) ? world.random(1000...7_200_000) : nil
                try world.submit(person, line: ["a", "b", "c"][Int(world.random(0...2))], priority, later: later)
            }
            if world.happens(0.2) {
                try world.inbound(world.randomPerson(), line: "a", late: world.random(0...3_600_000))
            }
            if world.happens(0.1) { world.setWallClock(ahead: world.random(-18_000_000...18_000_000)) }
            if world.happens(0.1) { try world.restart(reboot: world.happens(0.3)) }
            if world.happens(0.05) { try world.pauseOrResume() }
            if world.happens(0.2) { try world.cancelOne() }
            try world.pass(
                world.random(100...3_600_000), latency: 50...(world.happens(0.1) ? 30_000 : 1500), errors: 0.2)
        }
        // Everything goes in the end: nothing is stuck.
        world.setWallClock(ahead: 0)
        try world.resumeAll()
        for _ in 0..<40 where world.waiting() > 0 { try world.pass(86_400_000) }
        try world.compare()
        #expect(world.waiting() == 0, "\(world.waiting()) of \(world.submitted.count) still wait")
        #expect(world.problems == [])
        #expect(world.attempts > 500)
    }

    @Test func theTierIsUsedToTheLastPlace() throws {
        let world = try World(seed: 1, people: .tier250, persons: 6000)
        for index in 0..<6000 {
            try world.submit(world.person(index % 9000), line: index % 2 == 0 ? "a" : "b", .normal)
        }
        try world.pass(3_600_000)
        #expect(world.peopleToday("shared") == 250)
        let before = world.attempts
        let days = 10
        try world.pass(Int64(days) * 86_400_000)
        #expect(world.problems == [])
        #expect(Double(world.attempts - before) >= 0.99 * 250 * Double(days), "\(world.attempts - before)")
        #expect(world.attempts - before <= 250 * days + 250)
    }

    @Test func aFullTierHoldsNobodyBackWhoIsFree() throws {
        let world = try World(seed: 2, people: .tier50, persons: 1000)
        for index in 0..<1000 { try world.submit(world.person(index), line: "a", .normal) }
        try world.pass(60_000, latency: 50...100)
        #expect(world.attempts == 50)
        try world.inbound(world.person(999), line: "a")
        try world.pass(1000, latency: 50...100)
        #expect(world.attempts == 51, "the window lets the last one out")
        try world.submit(world.person(3), line: "a", .low)
        try world.pass(1000, latency: 50...100)
        #expect(world.attempts == 52, "somebody counted already is free")
        #expect(world.problems == [])
    }

    @Test func batchesShareALine() throws {
        let world = try World(seed: 3, people: .unlimited, persons: 3000)
        let long = try world.batch()
        for index in 0..<1000 { try world.submit(world.person(index), line: "a", .normal, batch: long) }
        let short = try world.batch()
        for index in 1000..<1010 { try world.submit(world.person(index), line: "a", .normal, batch: short) }
        try world.submit(world.person(2000), line: "a", .high)
        let first = try world.claimAll(30).map(\.message)
        #expect(first.first == world.submitted.last, "a class that was idle goes first")
        #expect(first.filter { world.submitted[1000..<1010].contains($0) }.count == 10)
    }

    @Test func aRetryingHeadHoldsOnlyItsOwnPerson() throws {
        let bench = try Bench()
        let first = try bench.submit("14155550001")
        let second = try bench.submit("14155550001")
        let other = try bench.submit("14155550002")
        let attempts = try bench.claim(8)
        #expect(attempts.map(\.message) == [first, other])
        try bench.record(.refused(down, .forNow(askedFor: .seconds(60))), attempts[0])
        #expect(try bench.claim(8).isEmpty && bench.message(second).waits.gate == .order)
        try bench.tick(.seconds(63))
        let again = try bench.claim(8)
        #expect(again.map(\.message) == [first])
        try bench.record(.unknown(down), again[0])
        #expect(try bench.claim(8).map(\.message) == [second], "a held unknown holds nobody")
    }

    @Test func whoeverWentFirstMayAlsoBeCancelledOrExpire() throws {
        let bench = try Bench()
        let first = try bench.submit("14155550001", expiresAt: bench.now + .seconds(100))
        let second = try bench.submit("14155550001")
        let third = try bench.submit("14155550001")
        let attempt = try bench.claim(8)[0]
        try bench.record(.refused(down, .forNow(askedFor: .seconds(200))), attempt)
        #expect(try bench.claim(8).isEmpty)
        try bench.tick(.seconds(101))
        #expect(try bench.message(first).state == .failed)
        #expect(try bench.claim(8).map(\.message) == [second])
        _ = try bench.run { try $0.cancel(third, account: 1, now: bench.now) }
        #expect(try bench.message(third).state == .cancelled)
    }

    @Test func anyOrderMayOvertake() throws {
        let bench = try Bench()
        let first = try bench.submit("14155550001")
        var draft = try bench.draft("14155550001")
        draft.anyOrder = true
        try bench.run { _ = try $0.submit(draft, account: 1, batch: nil, now: bench.now) }
        #expect(try bench.claim(8).count == 2)
        #expect(try bench.message(first).state == .processing)
    }

    @Test func aPairKeepsItsLimitAcrossARestart() throws {
        let bench = try Bench()
        for _ in 0..<60 { try bench.submit("14155550001") }
        var sent = 0
        func sendAll() throws {
            while let attempt = try bench.claim(8).first {
                bench.now = bench.now + .milliseconds(50)
                try bench.record(.accepted(wamid: "w\(sent)"), attempt)
                sent += 1
            }
        }
        try sendAll()
        #expect(sent == 45)
        try bench.reopen()
        try sendAll()
        #expect(sent == 45)
        for _ in 0..<15 {
            try bench.tick(.seconds(6))
            try sendAll()
        }
        #expect(sent == 60)
    }

    @Test func freeFormOutsideTheWindowIsRefusedOrFallsBack() throws {
        let bench = try Bench()
        try bench.change { $0.closedWindow = .refuse }
        var draft = try bench.draft()
        #expect(try bench.submitted(draft) == .refused(.windowClosed("message")))
        let template = TemplateMessage(
            template: TemplateName(name: "hello", language: "en"),
            content: Array(#"{"name":"hello","language":{"code":"en"}}"#.utf8))
        draft.fallback = template
        #expect(try bench.submitted(draft) != .refused(.windowClosed("message")))
        let sent = try bench.claim()[0]
        #expect(sent.type == "template" && sent.content == template.content)
        try bench.record(.accepted(wamid: "w1"), sent)
        try bench.inbound("14155552671")
        draft.fallback = nil
        #expect(try bench.submitted(draft) != .refused(.windowClosed("message")))
        #expect(try bench.claim()[0].type == "text")
    }

    @Test func aWindowThatClosesBeforeTheMessageLeavesFailsIt() throws {
        let bench = try Bench()
        try bench.change { $0.closedWindow = .refuse }
        try bench.inbound("14155552671")
        let id = try bench.submit(sendAt: bench.now + .seconds(86_399))
        try bench.tick(.seconds(86_399))
        #expect(try bench.claim().isEmpty)
        #expect(try bench.message(id).failure?.code == "131047")
    }

    @Test func windowsCountForThePersonUnderEveryName() throws {
        let bench = try Bench()
        try bench.change { $0.closedWindow = .refuse }
        // Meta knows the recipient by another number, as in Brazil.
        var draft = try bench.draft("5511987654321")
        draft.template = TemplateName(name: "t", language: "en")
        draft.type = "template"
        _ = try bench.submitted(draft)
        try bench.record(.accepted(wamid: "w1", person: "551187654321"), try bench.claim()[0])
        try bench.inbound("551187654321")
        let text = try bench.draft("5511987654321")
        #expect(try bench.submitted(text) != .refused(.windowClosed("message")))
        #expect(try bench.claim().count == 1)
    }

    @Test func whoWaitsIsLetGoUnderTheNewName() throws {
        let bench = try Bench()
        let first = try bench.submit("5511987654321")
        let second = try bench.submit("5511987654321")
        let attempt = try bench.claim(8)
        #expect(attempt.map(\.message) == [first])
        #expect(try bench.message(second).waits.gate == .order)
        try bench.record(.accepted(wamid: "w1", person: "551187654321"), attempt[0])
        #expect(try bench.claim(8).map(\.message) == [second])
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func anOlderOneThatBecameDueMeanwhileGoesBeforeTheNextTry() throws {
        let bench = try Bench()
        let older = try bench.submit(sendAt: bench.now + .seconds(10))
        let newer = try bench.submit()
        let attempt = try bench.claim(8)
        #expect(attempt.map(\.message) == [newer])
        try bench.tick(.seconds(10))
        #expect(try bench.claim(8).isEmpty)
        try bench.record(.refused(down, .forNow(askedFor: .seconds(5))), attempt[0])
        let next = try bench.claim(8)
        #expect(next.map(\.message) == [older])
        try bench.record(.accepted(wamid: "w"), next[0])
        try bench.tick(.seconds(20))
        #expect(try bench.claim(8).map(\.message) == [newer])
    }

    @Test func twoOfOneMomentKeepTheirPlaceEach() throws {
        let bench = try Bench()
        try bench.setTier(.tier50)
        var draft = try bench.draft()
        for priority in [Priority.high, .normal] {
            draft.priority = priority
            _ = try bench.submitted(draft)
        }
        let both = try bench.claim(8)
        #expect(both.count == 2)
        try bench.record(.refused(down, .forGood), both[0])
        try bench.record(.accepted(wamid: "w"), both[1])
        #expect(try bench.used() == 1)
    }

    @Test func aCertainNotSentGivesItsPlaceBack() throws {
        let bench = try Bench()
        try bench.setTier(.tier50)
        try bench.submit()
        try bench.record(.refused(down, .forGood), try bench.claim()[0])
        #expect(try bench.used() == 0)
        try bench.submit()
        try bench.record(.unknown(down), try bench.claim()[0])
        #expect(try bench.used() == 1, "it may have arrived")
    }

    @Test func manyOfOnePersonAllLeaveWhenTheWindowOpens() throws {
        let bench = try Bench()
        try bench.setTier(.tier50)
        try bench.change { $0.pairLimit = false }
        try bench.run { _ = try $0.change("main", account: 1, used: 50) { $0 } }
        for _ in 0..<120 { try bench.submit(anyOrder: true) }
        #expect(try bench.claim(200).isEmpty)
        try bench.inbound("14155552671")
        #expect(try bench.claim(200).count == 120)
    }

    @Test func whoWaitedGoesBeforeNewcomersWhenRoomOpens() throws {
        let bench = try Bench()
        try bench.setTier(.tier50)
        try bench.run { _ = try $0.change("main", account: 1, used: 50) { $0 } }
        let waiting = try (0..<10).map { try bench.submit("1415555100\($0)") }
        try bench.setTier(.tier250)
        for index in 10..<60 { try bench.submit("141555510\(index)") }
        #expect(try Array(bench.claim(10).map(\.message)) == waiting)
    }

    @Test func aPausedBatchAtTheHeadOfTheTierHoldsNobodyBack() throws {
        let bench = try Bench()
        try bench.setTier(.tier50)
        try bench.run { _ = try $0.change("main", account: 1, used: 50) { $0 } }
        let batch = try bench.run { try $0.openBatch(account: 1, now: bench.now) }
        for index in 0..<30 {
            let draft = try bench.draft("141555510\(10 + index)")
            try bench.run { _ = try $0.submit(draft, account: 1, batch: batch, now: bench.now) }
        }
        let free = try bench.submit("14155552000")
        try bench.run {
            _ = try $0.pause(
                Pause(
                    account: 1, scope: .batch, line: nil, target: String(batch.rawValue), reason: nil, who: "t",
                    createdAt: bench.now, until: nil))
            _ = try $0.change("main", account: 1, used: 49) { $0 }
        }
        var sent: [MessageID] = []
        for _ in 0..<40 {
            let claimed = try bench.run { try $0.claim(slots: 8, now: bench.now) }
            sent += claimed.attempts.map(\.message)
            if !claimed.goOn { break }
        }
        #expect(sent == [free])
    }

    @Test func aLineTakesItsPeopleAlongToAnotherPool() throws {
        let bench = try Bench()
        for index in 0..<20 { try bench.submit("141555510\(10 + index)") }
        for attempt in try bench.claim(50) { try bench.record(.accepted(wamid: "w\(attempt.message)"), attempt) }
        try bench.change { $0.pool = "other" }
        #expect(try bench.used("other") == 20)
    }

    @Test func anAnsweredAdIsFreeForThreeDaysAndOpensNoWindow() throws {
        let bench = try Bench()
        try bench.change { $0.closedWindow = .refuse }
        try bench.inbound("14155552671", adClick: true)
        let answer = try bench.submit()
        try bench.record(.accepted(wamid: "w1"), try bench.claim()[0])
        #expect(try bench.message(answer).state == .sent)
        try bench.tick(.seconds(2 * 86_400))
        #expect(try bench.submitted(bench.draft()) == .refused(.windowClosed("message")))
        var draft = try bench.draft()
        (draft.template, draft.type) = (TemplateName(name: "t", language: "en"), "template")
        guard case .done(let submitted) = try bench.submitted(draft) else { throw Unexpected() }
        let facts = try QueueReader(path: bench.path).whyFacts(
            bench.message(submitted.id), account: 1, now: bench.now, limitsNow: bench.now, deadline: .seconds(31))
        let window = facts.explain().gates.first { $0.name == "window" }
        #expect(window?.until == bench.now + .seconds(86_400))
    }

    @Test func marketingThatWasNotDeliveredRestsForADay() throws {
        let bench = try Bench()
        var draft = try bench.draft()
        (draft.template, draft.type, draft.priority) = (TemplateName(name: "t", language: "en"), "template", .low)
        _ = try bench.submitted(draft)
        let refusal = Failure(code: "131049", message: "not delivered")
        try bench.record(.refused(refusal, .forGood), try bench.claim()[0])
        _ = try bench.submitted(draft)
        #expect(try bench.claim().isEmpty)
        draft.priority = .high
        _ = try bench.submitted(draft)
        #expect(try bench.claim().count == 1, "not marketing")
        try bench.tick(.seconds(86_400))
        #expect(try bench.claim().count == 1)
    }
}
