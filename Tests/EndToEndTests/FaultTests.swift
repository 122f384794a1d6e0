import Foundation
import TestKit
import Testing

/// What lies below outboxd fails: SQLite's files and memory, and libcurl's memory. In a program of its own
/// (Tests/Faults), for these are given to a process once.
@Suite(.serialized) struct FaultTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    private static let seed = number("OUTBOXD_SEED") ?? .random(in: 0...UInt64(UInt32.max))
    private static let cuts = number("OUTBOXD_CUTS") ?? 1000
    private static let failures = number("OUTBOXD_FAILURES") ?? 100

    private func run(_ words: String...) throws {
        let folder = TemporaryFolder()
        // The same words do the same again.
        let program = try Program(
            "outbox-faults", words, environment: ["SWIFT_DETERMINISTIC_HASHING": "1"], output: folder.file("log"))
        let status = program.exitStatus(within: 7200)
        print(program.words)
        #expect(status == 0, "outbox-faults \(words.joined(separator: " ")): \(program.words)")
    }

    /// A power cut at any moment leaves a file that opens, is whole, and holds what was acknowledged.
    @Test func aPowerCutLosesNothingAcknowledged() throws { try run("cut", "\(Self.seed)", "\(Self.cuts)") }

    /// The n-th operation on a file, or the n-th allocation, fails, once or for a while.
    @Test func theQueueSurvivesAnyFailure() throws { try run("store", "\(Self.seed)", "\(Self.failures)") }

    @Test func theWriterTellsTheTruthOfAnyFailure() throws { try run("step", "\(Self.seed)", "\(Self.failures)") }

    @Test func failuresAtCertainPlaces() throws { try run("single") }

    /// A kill at any operation of an upgrade leaves the old file or the new one, and the next start finishes it.
    @Test func anUpgradeEndedAnywhereIsFinishedByTheNextStart() throws { try run("upgrade") }

    /// Every request ends once, and none that ends as not sent arrived.
    @Test func requestsEndWhereLibcurlLacksMemory() throws { try run("curl", "\(Self.failures * 4)") }
}
