import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

@Suite struct CampaignStepTests {
    @Test func everybodyGetsItOnceAndTheEndIsToldOnce() throws {
        let desk = try CampaignDesk()
        let id = try desk.launched(730)
        desk.run()
        #expect(desk.left.count == 730 && desk.left.values.allSatisfy { $0 == 1 })
        #expect(try desk.campaign(id).state == .completed)
        #expect(desk.counts(id).count(.sent) == 730 && desk.counts(id).pending == 0)
        #expect(try desk.events(.campaignStarted) == 1 && desk.events(.campaignCompleted) == 1)
        try desk.report(.read, to: CampaignDesk.number(3))
        #expect(desk.counts(id).count(.read) == 1 && desk.counts(id).delivered == ["US": 1])
        #expect(try desk.events(.campaignCompleted) == 1)
        #expect(try desk.queue.disagreements() == [])
    }

    @Test func onlySoManyAreAheadOfTheQueue() throws {
        let desk = try CampaignDesk(perSecond: 1)
        let id = try desk.launched(1500)
        for _ in 0..<20 { _ = desk.turn() }
        #expect(desk.counts(id).underWay == 100 && desk.counts(id).pending == 1400)
    }

    @Test func whoIsInTwiceIsCountedAndLeftOut() throws {
        let desk = try CampaignDesk()
        let id = try desk.create()
        #expect(try desk.add(["14155551000", "14155551001"], to: id).added == 2)
        let again = try desk.add(["14155551001", "14155551002"], to: id)
        #expect(again.added == 1 && again.duplicates == 1)
        #expect(desk.counts(id).recipients == 3 && desk.counts(id).duplicates == 1)
        #expect(try desk.order(.launch, id) != .empty)
        guard case .added(nil, _, let state?) = try desk.reply(to: .add(id, [])) else {
            Issue.record("a running campaign took recipients")
            return
        }
        #expect(state == .running)
    }

    @Test func anEmptyCampaignIsNotLaunched() throws {
        let desk = try CampaignDesk()
        #expect(try desk.order(.launch, desk.create()) == .empty)
        #expect(try desk.order(.pause, desk.create()) == .wrongState(.draft))
        #expect(try desk.order(.launch, MessageID(rawValue: 7)) == .notFound)
    }

    @Test func oneThatIsScheduledBeginsThen() throws {
        let desk = try CampaignDesk()
        let id = try desk.create()
        try desk.add([CampaignDesk.number(1)], to: id)
        let start = desk.desk.now + .seconds(3600)
        _ = try desk.order(.launch, id, at: start)
        desk.run()
        #expect(desk.left.isEmpty)
        #expect(try desk.campaign(id).state == .scheduled)
        #expect(desk.turn().wake.map { $0 <= start } ?? false)
        desk.pass(.seconds(3600))
        desk.run()
        #expect(try desk.campaign(id).state == .completed)
    }

    @Test func aPauseHoldsAtOnceAndSurvivesARestart() throws {
        let desk = try CampaignDesk(perSecond: 50)
        let id = try desk.launched(300)
        desk.run(turns: 10)
        let before = desk.left.count
        #expect(before > 0 && before < 300)
        _ = try desk.order(.pause, id)
        try desk.restart()
        desk.run(turns: 50)
        #expect(desk.left.count == before)
        _ = try desk.order(.resume, id)
        desk.run(turns: 2000)
        #expect(desk.left.count == 300)
        #expect(try desk.queue.disagreements() == [])
    }

    @Test func aCancelTakesBackWhatWaits() throws {
        let desk = try CampaignDesk(perSecond: 20)
        let id = try desk.launched(1000)
        desk.run(turns: 20)
        let before = desk.left.count
        _ = try desk.order(.cancel, id)
        desk.run(turns: 100)
        #expect(desk.left.count == before)
        let counts = desk.counts(id)
        #expect(counts.underWay == 0 && counts.count(.cancelled) > 0 && counts.recipients == 1000)
        #expect(counts.count(.sent) == Int64(before))
        #expect(try desk.events(.campaignCancelled) == 1 && desk.events(.campaignCompleted) == 0)
        #expect(try desk.order(.cancel, id) == .wrongState(.cancelled))
        #expect(try desk.queue.disagreements() == [])
    }

    @Test func whatComesBackAfterACancelIsTriedNoMore() throws {
        let desk = try CampaignDesk()
        let id = try desk.launched(8)
        _ = desk.turn()
        _ = try desk.order(.cancel, id)
        desk.run { _ in .refused(Failure(code: "131016", message: "later"), .forNow(askedFor: nil)) }
        desk.run()
        #expect(desk.counts(id).count(.cancelled) == 8)
    }

    // MARK: Canary

    private let canary = Canary(first: 10, wait: .seconds(600), abortAboveFailureShare: 0.2)

    @Test func aCanaryStopsWhatGoesWrong() throws {
        let desk = try CampaignDesk()
        let id = try desk.launched(100, canary: canary)
        desk.run { attempt in
            attempt.to < CampaignDesk.number(3)
                ? .refused(Failure(code: "131026", message: "no"), .forGood) : nil
        }
        #expect(desk.left.count <= 10)
        let campaign = try desk.campaign(id)
        #expect(campaign.state == .paused && campaign.isAborted)
        #expect(campaign.reason == "3 of the first 10 failed: 30 %, more than 20.0 %")
        #expect(try desk.events(.campaignAborted) == 1)
        #expect(desk.counts(id).failures == ["131026": 3])
        // Somebody wants the rest all the same.
        _ = try desk.order(.resume, id)
        desk.run()
        #expect(desk.left.count == 100)
        #expect(try desk.events(.campaignCompleted) == 1)
    }

    @Test func aCanaryThatDoesWellGoesOnWhenItIsSettled() throws {
        let desk = try CampaignDesk()
        _ = try desk.launched(30, canary: canary)
        desk.run()
        #expect(desk.left.count == 10)
        for index in 0..<10 { try desk.report(.delivered, to: CampaignDesk.number(index)) }
        desk.run()
        #expect(desk.left.count == 30)
    }

    @Test func aCanaryOfWhichNothingIsHeardGoesOnInTime() throws {
        let desk = try CampaignDesk()
        let id = try desk.launched(30, canary: canary)
        desk.run()
        let until = try #require(try desk.campaign(id).canaryUntil)
        #expect(desk.left.count == 10 && desk.turn().wake.map { $0 <= until } ?? false)
        try desk.restart()
        desk.pass(.seconds(601))
        desk.run()
        #expect(desk.left.count == 30)
    }

    // MARK: Quiet hours

    /// 2027-01-15T08:00:00Z
    private let morning = Timestamp(milliseconds: 1_800_000_000_000)

    @Test func wherePeopleSleepNobodyIsWrittenTo() throws {
        let desk = try CampaignDesk()
        #expect(desk.desk.now.rfc3339 == "2027-01-15T08:00:00.000Z")
        let id = try desk.create(quiet: QuietHours(from: 21 * 60, to: 8 * 60))
        try desk.add(["4915112345678", "14155551000"], to: id)
        try desk.add(["14155551001"], to: id, zone: "Europe/Paris")
        try desk.add(["14155551002"], to: id, zone: "America/New_York")
        _ = try desk.order(.launch, id)
        desk.run()
        #expect(Set(desk.left.keys) == ["4915112345678", "14155551001"])
        // Eight in New York; on Hawaii, where somebody of the United States may be, it is three.
        let newYork = try #require(Timestamp(rfc3339: "2027-01-15T13:00:00Z"))
        #expect(desk.turn().wake.map { $0 <= newYork } ?? false)
        desk.pass(.milliseconds(newYork.milliseconds - desk.desk.now.milliseconds))
        desk.run()
        #expect(desk.left.count == 3)
        desk.pass(.seconds(5 * 3600))
        desk.run()
        #expect(desk.left.count == 4)
        #expect(try desk.campaign(id).state == .completed)
    }

    @Test func whatWaitsInTheQueueWhenItGetsQuietWaits() throws {
        let desk = try CampaignDesk(perSecond: 1)
        let id = try desk.create(quiet: QuietHours(from: 9 * 60 + 1, to: 12 * 60))
        try desk.add((0..<90).map { "49151123456\(10 + $0)" }, to: id)
        _ = try desk.order(.launch, id)
        // A minute of German time is left.
        desk.pass(.seconds(30))
        for _ in 0..<20 { desk.run(turns: 20) }
        let before = desk.left.count
        #expect(before > 0 && before < 60)
        let reader = try QueueReader(path: desk.desk.folder.file("outboxd.db"))
        reader.zoneRules = { ZoneFiles().rules($0) }
        var filter = ListFilter()
        filter.states = [.queued]
        filter.gate = .gate(.person)
        desk.pass(.seconds(60))
        desk.run(turns: 200)
        let waiting = try reader.list(filter, account: 1).messages
        #expect(waiting.count > 0)
        let first = try #require(waiting.first)
        let why = try reader.whyFacts(
            first, account: 1, now: desk.desk.now, limitsNow: desk.desk.queue.limitsNow, deadline: .seconds(31)
        ).explain()
        #expect(why.binding?.name == "quiet_hours")
        #expect(why.binding?.until?.rfc3339 == "2027-01-15T11:00:00.000Z")
        desk.pass(.seconds(3 * 3600))
        for _ in 0..<40 { desk.run(turns: 50) }
        #expect(desk.left.count == 90)
        #expect(try desk.campaign(id).state == .completed)
    }

    @Test func whereItIsAlwaysQuietTheyAreSkipped() throws {
        let desk = try CampaignDesk()
        // Russia's clocks are ten hours apart.
        let id = try desk.create(quiet: QuietHours(from: 20 * 60, to: 13 * 60))
        try desk.add(["79161234567"], to: id)
        _ = try desk.order(.launch, id)
        desk.run()
        #expect(desk.counts(id).skipped == [.alwaysQuiet: 1])
        #expect(try desk.campaign(id).state == .completed)
    }

    @Test(arguments: [["US.1349120865530274191", "14155551000"], ["14155551000", "US.1349120865530274191"]])
    func whoIsKnownByTwoAddressesGetsItOnce(_ addresses: [String]) throws {
        let desk = try CampaignDesk()
        for (round, recipients) in [addresses.filter { $0.hasPrefix("US.") }, addresses].enumerated() {
            let id = try desk.create()
            try desk.add(recipients, to: id)
            _ = try desk.order(.launch, id)
            desk.run { _ in .accepted(wamid: "wamid.\(round)", person: "14155551000") }
            #expect(desk.counts(id).skipped == (round == 0 ? [:] : [.samePerson: 1]))
            #expect(desk.counts(id).messages == 1)
            #expect(try desk.campaign(id).state == .completed)
        }
    }

    @Test func whatHasNoTimeLeftIsSkipped() throws {
        let desk = try CampaignDesk(perSecond: 1)
        let id = try desk.create(expiresAt: desk.desk.now + .seconds(30))
        try desk.add((0..<300).map(CampaignDesk.number), to: id)
        _ = try desk.order(.launch, id)
        desk.run(turns: 20)
        desk.pass(.seconds(31))
        for _ in 0..<10 { desk.run() }
        let counts = desk.counts(id)
        #expect(counts.skipped[.expired] ?? 0 > 100 && counts.failures["EXPIRED"] ?? 0 > 0)
        #expect(try desk.campaign(id).state == .completed)
    }

    // MARK: Chance

    @Test(arguments: 1...24) func whateverHappensNobodyIsMissedOrWrittenToTwice(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        let desk = try CampaignDesk(perSecond: 200)
        let count = Int.random(in: 50...400, using: &dice)
        let id = try desk.launched(
            count,
            canary: Bool.random(using: &dice) ? Canary(first: 20, wait: .seconds(5), abortAboveFailureShare: 0.9) : nil)
        var unknown: Set<String> = []
        for _ in 0..<60 {
            switch Int.random(in: 0..<10, using: &dice) {
            case 0: _ = try desk.order(.pause, id)
            case 1, 2: _ = try desk.order(.resume, id)
            case 3:
                // Attempts out there: nobody hears of them.
                try desk.restart()
            case 4: desk.pass(.seconds(.random(in: 1...30, using: &dice)))
            default:
                var dice2 = dice
                desk.run(turns: Int.random(in: 1...12, using: &dice)) { attempt in
                    switch Int.random(in: 0..<20, using: &dice2) {
                    case 0: return .refused(Failure(code: "131026", message: "no"), .forGood)
                    case 1: return .refused(Failure(code: "131016", message: "later"), .forNow(askedFor: nil))
                    case 2:
                        unknown.insert(attempt.to)
                        return .unknown(Failure(code: "TIMEOUT", message: "no answer"))
                    default: return nil
                    }
                }
                dice = dice2
            }
            #expect(try desk.queue.disagreements() == [], "seed \(seed)")
        }
        _ = try desk.order(.resume, id)
        for _ in 0..<30 {
            desk.pass(.seconds(60))
            desk.run(turns: 300)
        }
        let counts = desk.counts(id)
        #expect(counts.recipients == Int64(count) && counts.pending == 0, "seed \(seed)")
        #expect(desk.left.count == count, "seed \(seed): \(desk.left.count) of \(count)")
        // Those whose outcome nobody knows are held, not sent again.
        let open = counts.underWay
        #expect(open == counts.count(.processing), "seed \(seed)")
        #expect(try desk.events(.campaignCompleted) == (open == 0 ? 1 : 0), "seed \(seed)")
        #expect(try desk.queue.disagreements() == [], "seed \(seed)")
    }
}
