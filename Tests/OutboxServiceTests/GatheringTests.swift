import Testing

@testable import OutboxService

/// When the writer waits for callers it has just answered.
@Suite struct GatheringTests {
    private let gathering = Gathering()

    private func came(_ connections: some Sequence<Int32>) {
        for connection in connections { gathering.came(connection) }
    }

    @Test func itWaitsForThoseItAnsweredAndNoLongerThanHalfATurn() {
        #expect(gathering.patience(at: 100) == nil)
        gathering.ended(10..<26, at: 100, took: 400_000)
        #expect(gathering.patience(at: 100) == 200_000)
        came(10..<25)
        #expect(!gathering.isComplete)
        came([25])
        #expect(gathering.isComplete && gathering.patience(at: 100) == nil)
        gathering.ended(10..<26, at: 100, took: 60_000_000)
        #expect(gathering.patience(at: 100) == 3_000_000)
    }

    /// Else two halves would stay two halves.
    @Test func whoAskedWhileTheLastTurnRanIsNoneOfThem() {
        gathering.ended(10..<18, at: 0, took: 400_000)
        came(20..<28)
        #expect(gathering.patience(at: 0) != nil)
        came(10..<17)
        #expect(!gathering.isComplete)
        came([17])
        #expect(gathering.isComplete)
    }

    @Test func aConnectionCountsOnce() {
        gathering.ended([10, 10, 11], at: 0, took: 400_000)
        came([10, 10])
        #expect(!gathering.isComplete)
        came([11])
        #expect(gathering.isComplete)
    }

    @Test func whoDoesNotHurryIsNotWaitedFor() {
        gathering.ended(10..<26, at: 1_000, took: 400_000)
        #expect(gathering.patience(at: 10_001_000) != nil && gathering.patience(at: 10_001_001) == nil)
    }

    @Test func whereNobodyComesBackItStopsWaitingForLongerAndLonger() {
        var waited: [Int] = []
        for turn in 0..<40 {
            gathering.ended(10..<26, at: 0, took: 400_000)
            guard gathering.patience(at: 0) != nil else { continue }
            waited.append(turn)
            // Others came, and too few of them.
            came(10..<17)
            came(30..<60)
            gathering.gathered()
        }
        #expect(waited == [0, 2, 6, 14, 30])
        for _ in 0..<32 { gathering.ended(10..<26, at: 0, took: 400_000) }
        #expect(gathering.patience(at: 0) != nil)
        came(10..<18)
        gathering.gathered()
        gathering.ended(10..<26, at: 0, took: 400_000)
        #expect(gathering.patience(at: 0) != nil)
    }
}
