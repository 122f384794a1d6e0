import Testing

@testable import OutboxService

/// When the writer waits for callers it has just answered.
@Suite struct GatheringTests {
    @Test func itWaitsForThoseItAnsweredAndNoLongerThanHalfATurn() {
        var gathering = Gathering()
        #expect(gathering.patience(have: 1) == nil)
        gathering.ended(replies: 16, behind: 0, took: 400_000)
        #expect(gathering.patience(have: 3) == 200_000)
        #expect(!gathering.isEnough(15) && gathering.isEnough(16))
        #expect(gathering.patience(have: 16) == nil && gathering.patience(have: 0) == nil)
        gathering.ended(replies: 16, behind: 0, took: 60_000_000)
        #expect(gathering.patience(have: 3) == 3_000_000)
    }

    /// Else two halves would stay two halves.
    @Test func whoAskedWhileTheLastTurnRanIsExpectedWithThoseItAnswered() {
        var gathering = Gathering()
        gathering.ended(replies: 9, behind: 7, took: 400_000)
        #expect(gathering.patience(have: 7) != nil)
        #expect(!gathering.isEnough(15) && gathering.isEnough(16))
        gathering.ended(replies: 1, behind: 1, took: 400_000)
        #expect(gathering.patience(have: 1) != nil && gathering.isEnough(2))
    }

    @Test func oneCallerWaitsForNobodyAndNobodyForWhatIsNoCaller() {
        var gathering = Gathering()
        gathering.ended(replies: 1, behind: 0, took: 400_000)
        #expect(gathering.patience(have: 1) == nil)
        gathering.ended(replies: 0, behind: 5, took: 400_000)
        #expect(gathering.patience(have: 2) == nil)
    }

    @Test func whereNobodyComesBackItStopsWaitingForLongerAndLonger() {
        var gathering = Gathering()
        var waited: [Int] = []
        for turn in 0..<40 {
            gathering.ended(replies: 16, behind: 4, took: 400_000)
            guard gathering.patience(have: 5) != nil else { continue }
            waited.append(turn)
            // Who stood there before has not come back.
            gathering.gathered(9)
        }
        #expect(waited == [0, 2, 6, 14, 30])
        for _ in 0..<32 { gathering.ended(replies: 16, behind: 4, took: 400_000) }
        #expect(gathering.patience(have: 5) != nil)
        gathering.gathered(20)
        gathering.ended(replies: 16, behind: 4, took: 400_000)
        #expect(gathering.patience(have: 5) != nil)
    }
}
