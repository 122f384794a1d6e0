import OutboxCore
import OutboxStore
import TestKit
import Testing

/// A queue put back from a backup holds what may have left since, until Meta or an operator speaks.
@Suite struct QuarantineTests {
    private func restored(_ bench: Bench) throws -> Quarantined {
        let copy = bench.folder.file("copy.db")
        let backup = try Backup(of: bench.path, to: copy, now: bench.now)
        while try backup.step() {}
        try backup.finish()
        let report = try FileReport.read(copy)
        #expect(report.problems.isEmpty && report.takenAt == bench.now && report.lines == ["main"])
        bench.now = bench.now + .seconds(3600)
        let reading = Bench.reading(bench.now)
        let queue = try Queue(path: copy, reading: reading)
        queue.set(tick: reading.tick, wall: bench.now, isSynchronised: true)
        let quarantined = try queue.quarantine(takenAt: report.takenAt, now: bench.now)
        #expect(try queue.disagreements() == [])
        bench.queue = queue
        return quarantined
    }

    private func standing(_ bench: Bench, _ id: MessageID) throws -> StoredMessage {
        try #require(try QueueReader(path: bench.folder.file("copy.db")).message(id, account: 1))
    }

    @Test func theStatusOfALaterAttemptStillSettlesIt() throws {
        let bench = try Bench()
        let waiting = try bench.submit()
        let future = try bench.submit("14155550102", sendAt: bench.now + .seconds(86_400))
        let quarantined = try restored(bench)
        #expect(quarantined.held == 1 && quarantined.scheduled == 1 && quarantined.pools == ["main"])
        #expect(try standing(bench, waiting).outcomeUnknown)
        #expect(try standing(bench, future).state == .scheduled)
        #expect(try bench.claim(10).isEmpty)
        // The daemon of before sent it as its first attempt.
        let status = StatusReport(
            phoneNumberID: "106", wamid: "wamid.1", opaque: "\(bench.queue.codec.text(waiting)).1", report: .delivered,
            at: bench.now, failure: nil)
        try bench.run { _ = try $0.apply(status, now: bench.now) }
        #expect(try standing(bench, waiting).state == .delivered)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func pausedAndFullUntilSomebodySaysOtherwise() throws {
        let bench = try Bench()
        try bench.setTier(.tier250)
        let waiting = try bench.submit()
        #expect(try bench.run { try $0.addAccount("shop", now: bench.now) } != .exists)
        let quarantined = try restored(bench)
        #expect(quarantined.pauses.map(\.account) == ["default", "shop"] && quarantined.keys == 0)
        #expect(quarantined.pauses.map(\.pause.account) == [1, 2])
        try bench.run {
            _ = try $0.resolve(
                waiting, as: .resend, wamid: nil, by: "somebody", account: 1, now: bench.now)
        }
        try bench.tick(.seconds(1))
        #expect(try bench.claim(10).isEmpty)
        #expect(try bench.run { try $0.resume(1) { $0.id == quarantined.pauses[0].pause.id } }.count == 1)
        // The pool counts as full for 24 hours.
        #expect(try bench.claim(10).isEmpty)
        try bench.run { _ = try $0.change("main", account: 1, used: 5) { $0 } }
        try bench.tick(.seconds(1))
        let attempts = try bench.claim(10)
        #expect(attempts.count == 1 && (attempts.first?.number ?? 0) > 1000)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func aBackupIsTheStateOfOneMoment() throws {
        let bench = try Bench()
        for index in 0..<500 { try bench.submit("1415555\(1000 + index)") }
        let copy = bench.folder.file("copy.db")
        let backup = try Backup(of: bench.path, to: copy, now: bench.now)
        var steps = 0
        while try backup.step() {
            steps += 1
            // Whoever writes on is neither held up nor seen.
            try bench.submit("1415556\(1000 + steps)")
        }
        try bench.submit()
        try backup.finish()
        let report = try FileReport.read(copy)
        #expect(report.problems.isEmpty)
        #expect(report.counts.map(\.count) == [500])
    }
}

@Suite struct HazardTests {
    @Test(arguments: [
        ("3.40.1", true), ("3.51.2", true), ("3.50.6", true), ("3.44.5", true), ("3.45.0", true), ("3.51.3", false),
        ("3.50.7", false), ("3.44.6", false), ("3.53.4", false), ("3.6.23", false),
    ])
    func versionsWithTheWALResetBugAreKnown(version: String, hasIt: Bool) {
        #expect(hasWALResetBug(sqlite: version) == hasIt)
    }
}
