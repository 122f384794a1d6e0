import OutboxCore
import TestKit
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        ("2026-05-01T09:00:00Z", "2026-05-01T09:00:00.000Z"),
        ("2026-05-01T09:00:00.5+02:00", "2026-05-01T07:00:00.500Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"),
        ("2028-02-29T12:00:00.123456-09:30", "2028-02-29T21:30:00.123Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2100-03-01t00:00:00z", "2100-03-01T00:00:00.000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ])
    func readsRFC3339(_ text: String, _ canonical: String) throws {
        #expect(try #require(Timestamp(rfc3339: text)).rfc3339 == canonical)
    }

    @Test(arguments: [
        "", "2026-05-01", "2026-05-01T09:00:00", "2026-05-01T09:00Z", "2026-13-01T09:00:00Z", "2027-02-29T09:00:00Z",
        "2026-05-01T24:00:00Z", "2026-05-01T09:60:00Z", "2026-05-01T09:00:00.Z", "2026-05-01T09:00:00+2:00",
        "2026-05-01T09:00:00+0200", "2026-05-01T09:00:00Zx", "26-05-01T09:00:00Z", "1969-12-31T23:59:59Z",
        "2026-05-01T09:00:00+24:00", "2026-5-1T9:00:00Z",
    ])
    func refusesAnythingElse(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func everyDayOfFourCenturiesComesBack() {
        var day: Int64 = 0
        while day < 146_097 {
            let moment = Timestamp(milliseconds: day * 86_400_000 + 1)
            #expect(Timestamp(rfc3339: moment.rfc3339) == moment)
            day += 13
        }
    }
}

@Suite struct PhoneNumberTests {
    @Test(arguments: [
        ("14155552671", "14155552671"), ("+1 (415) 555-2671", "14155552671"), ("+44 7911.123456", "447911123456"),
        ("1234567", "1234567"), ("123456789012345", "123456789012345"),
    ])
    func isNormalised(_ text: String, _ digits: String) {
        #expect(PhoneNumber(text)?.digits == digits)
    }

    @Test(arguments: [
        "", "+", "123456", "1234567890123456", "0415555267", "415555267a", "1+4155552671", "++14155552671",
        "١٤١٥٥٥٥٢٦٧١",
        "14155552671;", "null",
    ])
    func isRefused(_ text: String) {
        #expect(PhoneNumber(text) == nil)
    }

    @Test func isMasked() {
        #expect(maskedNumber("14155552671") == "141******71")
        #expect(maskedNumber("123") == "***")
    }
}

@Suite struct RetryTests {
    @Test func waitsGrowWithFullJitter() {
        let schedule = RetrySchedule()
        var dice = Dice(seed: 1)
        for failures in 1...20 as ClosedRange<Int64> {
            let bound: Int64 = min(2000 << min(failures - 1, 30), 600_000)
            let waits = (0..<500).map { _ in
                schedule.wait(afterFailures: failures, askedFor: nil, chance: &dice).wholeMilliseconds
            }
            #expect(waits.allSatisfy { (0...bound).contains($0) })
            // Full jitter: both ends of the range are used.
            #expect(waits.contains { $0 < bound / 10 } && waits.contains { $0 > bound * 9 / 10 })
        }
    }

    @Test func whatMetaAsksForIsTheLeast() {
        var dice = Dice(seed: 2)
        for _ in 0..<100 {
            let wait = RetrySchedule().wait(afterFailures: 3, askedFor: .seconds(45), chance: &dice)
            #expect(wait >= .seconds(45) && wait <= .seconds(53))
        }
    }
}

@Suite struct MessageIDTests {
    @Test func idsGrowThroughBurstsAndClocksSetBack() {
        var last: MessageID?
        for now in [1000, 1000, 5000, 2000, 2000, 6000] as [Int64] {
            for _ in 0..<70_000 {
                let next = MessageID.next(after: last, now: Timestamp(milliseconds: now))
                if let last { #expect(next > last) }
                last = next
            }
        }
    }
}

private let noWay = Failure(code: "NOT_CONNECTED", message: "no way")

@Suite struct LineHoldTests {
    @Test func badMomentsHoldWhenTheyAreManyInARow() {
        var dice = Dice(seed: 5)
        var hold = LineHold()
        let now = Timestamp(milliseconds: 0)
        for _ in 1..<LineHold.inARowMax { hold.attemptEnded(.weak(noWay), now: now, chance: &dice) }
        #expect(!hold.isHolding)
        hold.attemptEnded(.through, now: now, chance: &dice)
        for _ in 1..<LineHold.inARowMax { hold.attemptEnded(.weak(noWay), now: now, chance: &dice) }
        #expect(!hold.isHolding)
        hold.attemptEnded(.weak(noWay), now: now, chance: &dice)
        #expect(hold.isHolding && hold.state?.failure == noWay)
        // A restart goes on waiting.
        #expect(LineHold(hold.state).allowed(1, now: now) == 0)
    }

    @Test func oneProbeAtATimeUntilOneGetsThrough() {
        var dice = Dice(seed: 3)
        var hold = LineHold()
        var now = Timestamp(milliseconds: 0)
        #expect(hold.allowed(50, now: now) == 50)
        // All that were under way fail together: that counts once.
        for _ in 0..<50 { hold.attemptEnded(.blocked(noWay, askedFor: nil), now: now, chance: &dice) }
        #expect(hold.isHolding && hold.allowed(50, now: now) == 0)
        var waits: [Int64] = []
        for _ in 0..<12 {
            guard let wake = hold.wake else { break }
            waits.append(wake.milliseconds - now.milliseconds)
            now = wake
            #expect(hold.allowed(50, now: now) == 1)
            hold.claimed(1)
            #expect(hold.allowed(50, now: now) == 0 && hold.wake == nil)
            hold.attemptEnded(.blocked(noWay, askedFor: nil), now: now, chance: &dice)
        }
        #expect(waits.count == 12 && waits[0] <= 1000 && waits[11] >= 30_000 && waits.allSatisfy { $0 <= 60_000 })
        now = hold.wake ?? now
        hold.claimed(1)
        hold.attemptEnded(.through, now: now, chance: &dice)
        #expect(!hold.isHolding && hold.allowed(50, now: now) == 50)
    }

    @Test func whatMetaAsksForIsTheLeast() {
        var dice = Dice(seed: 4)
        var hold = LineHold()
        let now = Timestamp(milliseconds: 0)
        hold.attemptEnded(.blocked(noWay, askedFor: .seconds(90)), now: now, chance: &dice)
        #expect(hold.allowed(1, now: now + .milliseconds(89_999)) == 0)
        #expect(hold.allowed(5, now: now + .seconds(90)) == 1)
    }
}

@Suite struct FairShareTests {
    @Test func nobodyWaitsForALongerLine() {
        let ready: [(line: Int64, count: Int)] = [(1, 100_000), (2, 3), (3, 1)]
        let shares = fairShare(slots: 10, ready: ready, after: nil)
        #expect(shares.map(\.line) == [1, 2, 3])
        #expect(shares.map(\.count) == [6, 3, 1])
    }

    @Test func theTurnGoesOn() {
        let ready: [(line: Int64, count: Int)] = [(1, 5), (2, 5), (3, 5)]
        #expect(fairShare(slots: 1, ready: ready, after: 1).map(\.line) == [2])
        #expect(fairShare(slots: 1, ready: ready, after: 3).map(\.line) == [1])
        #expect(fairShare(slots: 0, ready: ready, after: nil).isEmpty)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func givesAllThatIsWantedAndNoMore(_ seed: UInt64) {
        var dice = Dice(seed: seed)
        let ready = (0..<Int.random(in: 1...20, using: &dice)).map {
            (line: Int64($0), count: Int.random(in: 1...50, using: &dice))
        }
        let slots = Int.random(in: 1...200, using: &dice)
        let shares = fairShare(slots: slots, ready: ready, after: Int64.random(in: 0..<20, using: &dice))
        #expect(shares.map(\.count).reduce(0, +) == min(slots, ready.map(\.count).reduce(0, +)), "seed \(seed)")
        for share in shares { #expect(share.count <= ready[Int(share.line)].count) }
    }
}

@Suite struct RecipientTests {
    @Test(arguments: [
        "US.13491208655302741918", "CH.a", "GB.ENT.1349", "DE." + String(repeating: "z", count: 128),
    ]) func aUserIDIsTakenWhole(_ text: String) {
        #expect(Recipient(text)?.text == text && Recipient(text)?.isUserID == true)
    }

    @Test func aNumberIsItsDigits() {
        #expect(Recipient("+1 (415) 555-26.71")?.text == "14155552671")
        #expect(Recipient("14155552671")?.isUserID == false)
    }

    @Test(arguments: [
        "", "US", "US.", "us.1", "USA.1", "US.1.2", "US.a-b", "US.ENT.", "1S.1", "US.\u{e9}", "@ann", "ann",
        "DE." + String(repeating: "z", count: 129), "415",
    ]) func nothingElseIsARecipient(_ text: String) { #expect(Recipient(text) == nil) }
}
