import OutboxCore
import Testing

@Suite struct CampaignRuleTests {
    private let canary = Canary(first: 10, wait: .seconds(60), abortAboveFailureShare: 0.2)

    private func counts(_ states: [MessageState: Int64], pending: Int64 = 90) -> CampaignCounts {
        var counts = CampaignCounts()
        counts.states = states
        counts.pending = pending
        return counts
    }

    @Test func theFirstGoAndThenTheRestWaits() {
        #expect(canary.verdict(counts([:]), isOver: false) == .feed(10))
        #expect(canary.verdict(counts([.queued: 4, .sent: 3]), isOver: false) == .feed(3))
        #expect(canary.verdict(counts([.sent: 10]), isOver: false) == .wait)
        #expect(canary.verdict(counts([.sent: 10]), isOver: true) == .goOn)
        #expect(canary.verdict(counts([.delivered: 7, .read: 1, .failed: 2]), isOver: false) == .goOn)
    }

    @Test func tooManyFailuresEndIt() {
        let verdict = canary.verdict(counts([.delivered: 7, .failed: 3]), isOver: false)
        #expect(verdict == .abort("3 of the first 10 failed: 30 %, more than 20.0 %"))
        // As soon as it is sure.
        guard case .abort = canary.verdict(counts([.sent: 1, .failed: 3]), isOver: false) else {
            Issue.record("three of ten are too many already")
            return
        }
    }

    @Test func aCanaryOfAllIsOverWithTheLast() {
        #expect(canary.verdict(counts([.sent: 4], pending: 0), isOver: false) == .wait)
        #expect(canary.verdict(counts([.read: 4], pending: 0), isOver: false) == .goOn)
    }

    @Test func eachRecipientIsCountedOnce() {
        var counts = counts([.sent: 5, .queued: 1], pending: 2)
        counts.skipped = [.optedOut: 3]
        #expect(counts.recipients == 11 && counts.messages == 6 && counts.underWay == 1 && !counts.isSettled)
    }

    @Test(
        arguments: [
            ("STOP", true), (" stop! ", true), ("Stop.", true), ("stop it", nil), ("Abmelden", true), ("start", false),
            ("", nil), ("🙂", nil),
        ] as [(String, Bool?)])
    func keywordsAreWholeTexts(_ text: String, _ wish: Bool?) {
        #expect(OptOutKeywords(stop: ["Stop", "abmelden"], start: ["START"]).wish(in: text) == wish)
        #expect(OptOutKeywords().wish(in: text) == nil)
    }
}

@Suite struct CampaignOutlookTests {
    private let start = Timestamp(milliseconds: 1_767_225_600_000)  // 2026-01-01T00:00:00Z

    private func facts(_ recipients: Int64, perSecond: Int64 = 10) -> CampaignOutlook.Facts {
        CampaignOutlook.Facts(
            zones: [.init(recipients: recipients, clocks: [.utc])], quietHours: nil, startAt: start,
            perSecond: perSecond)
    }

    @Test func theRateAlone() {
        let outlook = CampaignOutlook.of(facts(36_000))
        #expect(outlook == CampaignOutlook(endsBy: start + .seconds(3600), limit: .throughput))
    }

    @Test func messagesAheadGoFirst() {
        var facts = facts(9000)
        facts.ahead = 9000
        #expect(CampaignOutlook.of(facts).endsBy == start + .seconds(1800))
    }

    @Test func aTierLetsSoManyADay() throws {
        var facts = facts(2500)
        facts.room = 1000
        let outlook = CampaignOutlook.of(facts)
        let end = try #require(outlook.endsBy)
        #expect(outlook.limit == .tier)
        #expect(end > start + .seconds(2 * 86_400) && end < start + .seconds(2 * 86_400 + 7200))
    }

    @Test func whatIsFreeBeforeTheStartIsFreeThen() {
        var facts = facts(2000)
        (facts.ahead, facts.room) = (100_000, 0)
        facts.freed = [1: 500, 4: 500, 5: 1000]
        facts.pass(.seconds(3600))
        #expect(facts.ahead == 64_000 && facts.room == 1000 && facts.freed == [1: 1000])
        facts.pass(.zero)
        #expect(facts.room == 1000)
        facts.pass(.seconds(86_400))
        #expect(facts.ahead == 0 && facts.room == 2000 && facts.freed.isEmpty)
        #expect(CampaignOutlook.of(facts).limit == .throughput)
    }

    @Test func quietHoursAreWaitedFor() throws {
        var facts = facts(1000)
        facts.quietHours = QuietHours(from: 0, to: 8 * 60)
        let outlook = CampaignOutlook.of(facts)
        #expect(outlook == CampaignOutlook(endsBy: start + .seconds(8 * 3600 + 100), limit: .quietHours))
    }

    @Test func whatDoesNotLeaveInTimeIsCounted() {
        var facts = facts(36_000)
        facts.expiresAt = start + .seconds(1800)
        #expect(
            CampaignOutlook.of(facts)
                == CampaignOutlook(endsBy: start + .seconds(1800), limit: .expiry, wouldExpire: 18_000))
    }

    @Test func aCanaryIsWaitedFor() {
        var facts = facts(1000)
        facts.canary = Canary(first: 100, wait: .seconds(7200), abortAboveFailureShare: 0.05)
        let outlook = CampaignOutlook.of(facts)
        #expect(outlook.limit == .canary)
        #expect(outlook.endsBy.map { $0 > start + .seconds(7200) } ?? false)
    }

    @Test func nobodyIsAForecastOfNow() {
        #expect(CampaignOutlook.of(facts(0)).endsBy == start)
    }

    @Test(arguments: 1...60) func nobodyIsLostInAForecast(seed: UInt64) {
        var dice = Dice(seed: seed)
        var facts = facts(0)
        facts.zones = (0..<Int.random(in: 1...9, using: &dice)).map { _ in
            .init(
                recipients: .random(in: 0...5000, using: &dice),
                clocks: [TimeZoneRules(offset: .random(in: -12...12, using: &dice) * 3600)])
        }
        facts.quietHours = Bool.random(using: &dice) ? QuietHours(from: 21 * 60, to: 8 * 60) : nil
        facts.room = Bool.random(using: &dice) ? .random(in: 0...2000, using: &dice) : nil
        if facts.room == 0 { facts.freed = [5: 100] }
        let outlook = CampaignOutlook.of(facts)
        let total = facts.zones.reduce(0) { $0 + $1.recipients }
        // Never faster than the rate.
        if let end = outlook.endsBy, total > 0 { #expect(end >= start + .seconds(total / facts.perSecond)) }
        #expect(outlook.endsBy != nil || facts.room != nil, "seed \(seed)")
    }
}
