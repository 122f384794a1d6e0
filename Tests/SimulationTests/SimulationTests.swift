import Foundation
import Testing

/// Years of the daemon's life in minutes, from seeds.
///
/// `OUTBOXD_SEEDS=1..<500` runs these seeds, `OUTBOXD_DAYS=30` each so long. A seed replays exactly with
/// `SWIFT_DETERMINISTIC_HASHING=1`, which scripts/test sets.
@Suite(.serialized) struct SimulationTests {
    private static let seeds: Range<UInt64> = {
        let text = ProcessInfo.processInfo.environment["OUTBOXD_SEEDS"] ?? ""
        let ends = text.components(separatedBy: "..<").compactMap { UInt64($0) }
        return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : 1..<8
    }()

    private static let days = Double(ProcessInfo.processInfo.environment["OUTBOXD_DAYS"] ?? "") ?? 31

    @Test(arguments: seeds) func nothingIsLostAndNoPromiseBroken(_ seed: UInt64) throws {
        let report = try Simulation(seed: seed, days: Self.days).run()
        #expect(
            report.problems.isEmpty,
            """
            seed \(seed): \(report.problems.prefix(5).joined(separator: "; ")). Again: SWIFT_DETERMINISTIC_HASHING=1 \
            OUTBOXD_DAYS=\(Self.days) OUTBOXD_SEEDS=\(seed)..<\(seed + 1) swift test --filter SimulationTests
            """)
        // A world in which nothing happens proves nothing.
        #expect(report.calls > 10 && report.posts > 10 && report.turns > 100 && report.told > 10)
        print(
            "simulation: seed \(seed), \(Int(report.days)) days, \(report.calls) calls, \(report.posts) posts, "
                + "\(report.turns) turns, \(report.kills) kills, \(report.told) events told, "
                + "\(report.received) messages received")
    }

    @Test func aSeedReplaysExactly() throws {
        let first = try Simulation(seed: 4711, days: 2).run()
        let second = try Simulation(seed: 4711, days: 2).run()
        #expect(first.digest == second.digest && first.turns == second.turns)
        #expect(try Simulation(seed: 4712, days: 2).run().digest != first.digest)
    }
}
