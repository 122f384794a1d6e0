import OutboxCore
import Testing

private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: 1_800_000_000_000 + seconds * 1000) }

@Suite struct LimitClockTests {
    private func reading(_ boot: String?, up: UInt64, wall: Timestamp, synchronised: Bool = true) -> LimitClock.Reading
    {
        LimitClock.Reading(boot: boot, tick: up * 1_000_000_000, wall: wall, isSynchronised: synchronised)
    }

    @Test func itBeginsAtTheWallClocksTime() {
        let clock = LimitClock(after: nil, reading("a", up: 50, wall: at(0)))
        #expect(clock.moment(tick: 50_000_000_000) == at(0) && clock.moment(tick: 60_000_000_000) == at(10))
    }

    @Test(arguments: [-10_800, 0, 10_800] as [Int64]) func aWallClockThatJumpsMovesItNot(_ jump: Int64) {
        let clock = LimitClock(after: nil, reading("a", up: 50, wall: at(0)))
        let mark = clock.mark(at: at(10), wall: at(10))
        let again = LimitClock(after: mark, reading("a", up: 100, wall: at(50 + jump)))
        #expect(again.moment(tick: 100_000_000_000) == at(50))
    }

    @Test func anotherBootGoesOnByASynchronisedWallClock() {
        let mark = LimitClock(after: nil, reading("a", up: 50, wall: at(0))).mark(at: at(10), wall: at(12))
        let next = LimitClock(after: mark, reading("b", up: 5, wall: at(1012)))
        #expect(next.moment(tick: 5_000_000_000) == at(1010) && next.sureFrom.milliseconds == 0)
    }

    @Test func withoutThatOnlyTheTimeSinceTheBootHasPassed() {
        let mark = LimitClock(after: nil, reading("a", up: 50, wall: at(0))).mark(at: at(10), wall: at(10))
        for (wall, synchronised) in [(at(90_000), false), (at(-90_000), true)] {
            let next = LimitClock(after: mark, reading("b", up: 5, wall: wall, synchronised: synchronised))
            #expect(next.moment(tick: 5_000_000_000) == at(15))
            #expect(synchronised || next.sureFrom == at(15))
        }
    }

    @Test func aBootNobodyNamesHasOnlyTheWallClock() {
        let mark = LimitClock(after: nil, reading("a", up: 50, wall: at(0))).mark(at: at(10), wall: at(10))
        let synchronised = LimitClock(after: mark, reading(nil, up: 9_000_000, wall: at(30)))
        #expect(synchronised.moment(tick: 9_000_000_000_000_000) == at(30))
        let alone = LimitClock(after: mark, reading(nil, up: 9_000_000, wall: at(30), synchronised: false))
        #expect(alone.moment(tick: 9_000_000_000_000_000) == at(10) && alone.sureFrom == at(10))
    }

    @Test func aMarkMadeByAWrongClockSaysNothingOfTheTimeSince() {
        let mark = LimitClock(after: nil, reading("a", up: 50, wall: at(0))).mark(at: at(10), wall: nil)
        let next = LimitClock(after: mark, reading("b", up: 5, wall: at(50_000)))
        #expect(next.moment(tick: 5_000_000_000) == at(15) && next.sureFrom == at(15))
    }
}

@Suite struct PairLimitTests {
    /// Meta's bucket, told as plainly as possible.
    private struct Bucket {
        var tokens = 45.0
        var last = at(0)

        mutating func take(_ now: Timestamp) -> Bool {
            tokens = min(45, tokens + Double(now.milliseconds - last.milliseconds) / 6000)
            last = now
            if tokens < 1 - 1e-9 { return false }
            tokens -= 1
            return true
        }
    }

    @Test(arguments: 0..<40) func metasBucketIsNeverEmptyAndAlmostAllOfItIsUsed(_ seed: UInt64) {
        var dice = Dice(seed: seed)
        var (meta, fullAt) = (Bucket(), Timestamp?.none)
        var now = at(0)
        var sent = 0
        for _ in 0..<2000 {
            now = max(
                now + .milliseconds(Int64.random(in: 0...20, using: &dice)), PairLimit.next(fullAt: fullAt, now: now))
            let claimed = now
            fullAt = PairLimit.taken(fullAt: fullAt, now: now)
            // It arrives somewhere on its way, and the answer comes back after that.
            let long = Int.random(in: 0..<20, using: &dice) == 0
            let way = Int64.random(in: 5...(long ? 30_000 : 800), using: &dice)
            let arrival = now + .milliseconds(Int64.random(in: 0...way, using: &dice))
            now = now + .milliseconds(way)
            let taken = meta.take(arrival)
            #expect(taken, "message \(sent) after \(arrival.milliseconds - at(0).milliseconds) ms")
            fullAt = PairLimit.ended(fullAt: fullAt, claimed: claimed, underWay: 1, now: now) ?? fullAt
            sent += 1
        }
        let seconds = Double(now.milliseconds - at(0).milliseconds) / 1000
        #expect(Double(sent) >= 0.99 * seconds / 6)
    }

    @Test func aBurstOf45LeavesAtOnceButForTheSlack() {
        var fullAt: Timestamp?
        for _ in 0..<44 {
            #expect(PairLimit.next(fullAt: fullAt, now: at(0)) == at(0))
            fullAt = PairLimit.taken(fullAt: fullAt, now: at(0))
        }
        #expect(PairLimit.next(fullAt: fullAt, now: at(0)) == at(2))
        #expect(PairLimit.next(fullAt: PairLimit.taken(fullAt: fullAt, now: at(2)), now: at(2)) == at(8))
    }
}

@Suite struct FairnessTests {
    @Test func batchesAreServedInTurnHoweverLong() {
        var turns = FairTurns()
        let (long, short) = (MessageID(rawValue: 1), MessageID(rawValue: 2))
        let first = (0..<1000).map { _ in turns.next(batch: long) }
        for turn in first.prefix(100) { turns.served(turn) }
        let second = (0..<10).map { _ in turns.next(batch: short) }
        #expect(second.first == first[99] && second.last == first[99] + 9)
        #expect(turns.next(batch: nil) == first[99])
    }

    @Test func classesGetTheirWeights() {
        var share = ClassShare()
        var counts: [Priority: Int] = [:]
        for _ in 0..<2100 {
            guard let next = share.next(of: Priority.allCases) else { break }
            share.served(next)
            counts[next, default: 0] += 1
        }
        #expect(counts == [.high: 1600, .normal: 400, .low: 100])
    }

    @Test func aClassThatWasIdleGoesNextAndSavesNothingUp() {
        var share = ClassShare()
        for _ in 0..<500 { share.served(.low) }
        #expect(share.next(of: Priority.allCases) == .high)
        share.served(.high)
        #expect(share.next(of: [.low, .normal]) == .normal)
        for _ in 0..<100 { share.served(.normal) }
        share.served(.low)
        #expect(share.next(of: [.low, .high]) == .high)
    }
}

@Suite struct PoolTests {
    @Test func aShareIsKeptForHigh() {
        var pool = Pool(id: 1, account: 1, name: "p", settings: PoolSettings(tier: .tier250, keptForHigh: 10))
        #expect(pool.room(for: .high, used: 200, now: at(0)) == 50)
        #expect(pool.room(for: .low, used: 200, now: at(0)) == 25)
        #expect(pool.room(for: .normal, used: 225, now: at(0)) == 0)
        (pool.elsewhere, pool.elsewhereUntil) = (40, at(10))
        #expect(pool.room(for: .high, used: 200, now: at(0)) == 10)
        #expect(pool.room(for: .high, used: 200, now: at(10)) == 50)
        pool.settings.tier = .unlimited
        #expect(pool.room(for: .low, used: 1 << 40, now: at(0)) == nil)
    }

    @Test func withoutAWordTheTierIsTheLeastANewPortfolioHas() {
        var pool = Pool(id: 1, account: 1, name: "p")
        #expect(pool.tier == .tier250)
        pool.learned = .tier10K
        #expect(pool.tier == .tier10K)
    }
}

@Suite struct GateTests {
    private func facts(_ change: (inout GateFacts) -> Void = { _ in }) -> GateDecision {
        var facts = GateFacts(priority: .normal, isTemplate: true)
        change(&facts)
        return facts.decide(now: at(0), deadline: .seconds(31))
    }

    @Test func eachGateHoldsAlone() {
        #expect(facts() == .pass(takesSlot: true), "counted without a limit, too")
        #expect(facts { $0.isPaused = true } == .wait(.pause, until: nil))
        #expect(facts { $0.templateHeld = true } == .wait(.template, until: nil))
        #expect(facts { $0.quietUntil = at(9) } == .wait(.person, until: at(9)))
        #expect(facts { $0.quietUntil = at(0) } == .pass(takesSlot: true))
        #expect(facts { $0.noMarketingUntil = at(9) } == .pass(takesSlot: true))
        #expect(facts { ($0.noMarketingUntil, $0.isMarketing) = (at(9), true) } == .wait(.person, until: at(9)))
        #expect(facts { $0.isBehind = true } == .wait(.order, until: nil))
        #expect(facts { $0.pairFullAt = at(264) } == .wait(.pair, until: at(2)))
        #expect(facts { ($0.pairFullAt, $0.countsPairs) = (at(9000), false) } == .pass(takesSlot: true))
        #expect(facts { $0.room = 0 } == .wait(.tier, until: nil))
        #expect(facts { $0.room = 1 } == .pass(takesSlot: true))
    }

    @Test func whoIsCountedOrWroteIsFree() {
        #expect(facts { ($0.room, $0.slotFreeAt) = (0, at(1)) } == .pass(takesSlot: true))
        #expect(facts { ($0.room, $0.slotFreeAt) = (0, at(0)) } == .wait(.tier, until: nil))
        #expect(facts { ($0.room, $0.windowUntil) = (0, at(60)) } == .pass(takesSlot: false))
        #expect(facts { ($0.room, $0.windowUntil) = (0, at(31)) } == .wait(.tier, until: nil))
    }

    @Test func freeFormNeedsAnOpenWindow() {
        #expect(facts { $0.isTemplate = false } == .windowClosed)
        #expect(facts { ($0.isTemplate, $0.windowUntil) = (false, at(31)) } == .windowClosed)
        #expect(facts { ($0.isTemplate, $0.windowUntil) = (false, at(32)) } == .pass(takesSlot: false))
        #expect(facts { ($0.isTemplate, $0.trustsWindow) = (false, true) } == .pass(takesSlot: true))
    }
}

@Suite struct NarrowedPaceTests {
    @Test func anIdleLineSavesUpItsBurst() {
        let second: UInt64 = 1_000_000_000
        var pace = Pace(perSecond: 10, burst: 5, now: second)
        var moments: [UInt64] = []
        for _ in 0..<8 { moments.append(pace.take(now: 100 * second) - 100 * second) }
        #expect(moments.prefix(5) == [0, 0, 0, 0, 0])
        #expect(moments[5] > 99_000_000 && moments[7] > 299_000_000)
        #expect(pace.allowed(9, now: 200 * second, horizon: 0) == 5)
    }

    @Test func aThrottleNarrowsAndTimeWidens() {
        let second: UInt64 = 1_000_000_000
        var pace = Pace(perSecond: 100, now: 0)
        pace.throttled(now: 0)
        #expect(pace.rate(now: 0) == 70)
        pace.throttled(now: second / 2)
        #expect(pace.rate(now: 0) == 70, "those that were under way together count once")
        #expect(pace.rate(now: 5 * second) == 90 && pace.rate(now: 10 * second) == 100)
        for index in 0..<100 as Range<UInt64> { pace.throttled(now: (20 + index) * second) }
        #expect(pace.rate(now: 120 * second) >= 5)
        #expect(pace.rate(now: 150 * second) == 100)
    }
}
