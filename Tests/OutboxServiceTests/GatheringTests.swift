import Testing

@testable import OutboxService

/// When the writer waits for callers it has just answered.
@Suite struct GatheringTests {
    @Test func itWaitsForThoseItAnsweredAndNoLongerThanHalfATurn() {
        var gathering = Gathering()
        #expect(gathering.deadline(have: 1, now: 100) == nil)
        gathering.ended(replies: 16, took: 400_000)
        #expect(gathering.deadline(have: 3, now: 100) == 200_100)
        #expect(!gathering.isEnough(15) && gathering.isEnough(16))
        #expect(gathering.deadline(have: 16, now: 100) == nil && gathering.deadline(have: 0, now: 100) == nil)
        gathering.ended(replies: 16, took: 60_000_000)
        #expect(gathering.deadline(have: 3, now: 0) == 3_000_000)
    }

    @Test func oneCallerWaitsForNobody() {
        var gathering = Gathering()
        gathering.ended(replies: 1, took: 400_000)
        #expect(gathering.deadline(have: 1, now: 0) == nil)
    }

    @Test func whereNobodyComesBackItStopsWaitingForLongerAndLonger() {
        var gathering = Gathering()
        var waited: [Int] = []
        for turn in 0..<40 {
            gathering.ended(replies: 16, took: 400_000)
            guard gathering.deadline(have: 2, now: 0) != nil else { continue }
            waited.append(turn)
            gathering.gathered(3)
        }
        #expect(waited == [0, 2, 6, 14, 30])
        for _ in 0..<32 { gathering.ended(replies: 16, took: 400_000) }
        #expect(gathering.deadline(have: 2, now: 0) != nil)
        gathering.gathered(16)
        gathering.ended(replies: 16, took: 400_000)
        #expect(gathering.deadline(have: 2, now: 0) != nil)
    }
}
