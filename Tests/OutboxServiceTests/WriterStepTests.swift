import Foundation
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// The writer's turn with a clock set by hand.
private final class Desk {
    let folder = TemporaryFolder()
    let queue: Queue
    let step: WriterStep<Dice>
    var now = Timestamp(milliseconds: 1_800_000_000_000)
    var tick: UInt64 = 1_000_000_000_000
    private var submitted = 0

    init(slots: Int = 8, perSecond: Int64 = 10_000) throws {
        queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "desk", tick: tick, wall: now, isSynchronised: true))
        step = WriterStep(queue: queue, slotsMax: slots, chance: Dice(seed: 5), shown: { $0 })
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: nil, credential: "c", messagesPerSecond: perSecond)
        settings.closedWindow = .leave
        _ = queue.together(1) { _ in _ = try queue.put(settings, account: defaultAccount, now: now) }
    }

    func turn(_ inputs: WriterInput...) -> WriterStep<Dice>.Outputs { turn(inputs) }
    func turn(_ inputs: [WriterInput]) -> WriterStep<Dice>.Outputs { step.turn(inputs, now: now, tick: tick) }

    func submit(_ count: Int) throws {
        _ = queue.together(1) { _ in
            for _ in 0..<count {
                submitted += 1
                guard let to = PhoneNumber("141555\(50_000 + submitted)") else { continue }
                let draft = Draft(line: nil, to: to, type: "text", content: Array("{}".utf8))
                _ = try queue.submit(draft, account: defaultAccount, batch: nil, now: now)
            }
        }
    }
}

@Suite struct WriterStepTests {
    @Test func noMoreIsClaimedThanTheSenderHasRoomFor() throws {
        let desk = try Desk(slots: 8)
        try desk.submit(20)
        let first = desk.turn().attempts
        #expect(first.count == 8 && desk.step.underWay == 8)
        #expect(desk.turn().attempts.isEmpty)
        let outputs = desk.turn(
            .outcome(AttemptOutcome(attempt: first[0], outcome: .accepted(wamid: "w1"))),
            .outcome(AttemptOutcome(attempt: first[1], outcome: .accepted(wamid: "w2"))))
        #expect(outputs.attempts.count == 2 && desk.step.underWay == 8)
    }

    @Test func nothingIsClaimedOnceTheEndIsNear() throws {
        let desk = try Desk()
        try desk.submit(3)
        #expect(desk.turn(.stopClaiming).attempts.isEmpty)
        #expect(desk.turn().attempts.isEmpty)
    }

    @Test func aHeldLineProbesAndIsReleased() throws {
        let desk = try Desk(slots: 4)
        try desk.submit(50)
        let down = Outcome.refused(Failure(code: "NOT_CONNECTED", message: "no"), .lineLater(askedFor: nil))
        var posts = 0
        var attempts = desk.turn().attempts
        for _ in 0..<10 {
            posts += attempts.count
            let inputs = attempts.map { WriterInput.outcome(AttemptOutcome(attempt: $0, outcome: down)) }
            let outputs = desk.turn(inputs)
            #expect(outputs.attempts.isEmpty)
            desk.now = try #require(outputs.wake)
            desk.tick += 1_000_000_000
            attempts = desk.turn().attempts
            #expect(attempts.count == 1)
        }
        #expect(posts == 4 + 9)
        let outputs = desk.turn(.outcome(AttemptOutcome(attempt: attempts[0], outcome: .accepted(wamid: "w"))))
        #expect(outputs.attempts.count == 4)
    }

    @Test(arguments: [20, 80, 1000] as [Int64])
    func noSecondHoldsMoreThanTheLinesRate(_ perSecond: Int64) throws {
        let desk = try Desk(slots: 64, perSecond: perSecond)
        try desk.submit(Int(perSecond) * 3)
        var slots: [UInt64] = []
        let end = desk.tick + 3_200_000_000
        while desk.tick < end {
            let outputs = desk.turn()
            slots += outputs.attempts.map(\.notBefore)
            // Each is sent at its slot and answered at once.
            for attempt in outputs.attempts {
                _ = desk.turn(.outcome(AttemptOutcome(attempt: attempt, outcome: .accepted(wamid: "w"))))
                    .attempts.map { slots.append($0.notBefore) }
            }
            desk.tick = outputs.wakeTick ?? end
        }
        #expect(slots == slots.sorted())
        for index in slots.indices.dropFirst(Int(perSecond)) {
            #expect(slots[index] - slots[index - Int(perSecond)] > 1_000_000_000)
        }
        let average = Double(slots.count - 1) / (Double(slots[slots.count - 1] - slots[0]) / 1e9)
        #expect(average >= Double(perSecond) * 0.99, "\(average)")
    }

    @Test func whatALineReceivesUsesItsSlotsToo() throws {
        let desk = try Desk(slots: 64, perSecond: 100)
        let inbound = Array(repeating: InboundMessage(phoneNumberID: "106"), count: 50)
        _ = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], inbound: inbound)))
        try desk.submit(1)
        #expect(desk.turn().attempts.isEmpty)
        desk.tick += 520_000_000
        #expect(desk.turn().attempts.count == 1)
    }

    @Test func anOperatorsMendingReleasesAtOnce() throws {
        let desk = try Desk(slots: 4)
        try desk.submit(50)
        let down = Outcome.refused(Failure(code: "190", message: "no"), .lineLater(askedFor: .seconds(60)))
        let inputs = desk.turn().attempts.map { WriterInput.outcome(AttemptOutcome(attempt: $0, outcome: down)) }
        #expect(desk.turn(inputs).attempts.isEmpty)
        #expect(desk.turn(.releaseLines).attempts.count == 4)
    }

    @Test func aWebhookIsOnDiskBeforeItIsApplied() throws {
        let desk = try Desk()
        try desk.submit(1)
        let attempt = try #require(desk.turn().attempts.first)
        let status = StatusReport(
            phoneNumberID: "106", wamid: "w", opaque: attempt.opaque, report: .read, at: desk.now, failure: nil)
        let stored = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [status])))
        #expect(stored.goOn)
        #expect(try desk.queue.unappliedWebhooks(after: 0, limit: 9).map(\.body) == [[1]])
        let reader = try QueueReader(path: desk.folder.file("outboxd.db"))
        #expect(try reader.message(attempt.message, account: defaultAccount)?.state == .processing)
        #expect(!desk.turn().goOn)
        #expect(try desk.queue.unappliedWebhooks(after: 0, limit: 9).isEmpty)
        #expect(try reader.message(attempt.message, account: defaultAccount)?.state == .read)
    }
}

@Suite struct SettingsTests {
    @Test func laterSourcesCount() throws {
        let folder = TemporaryFolder()
        try "# a comment\n\n log-level = debug \nconnections=7\n".write(
            toFile: folder.file("c"), atomically: true, encoding: .utf8)
        let settings = try Settings.load(file: folder.file("c"), flags: [("connections", "9")])
        #expect(settings.logLevel == .debug && settings.connections == 9)
    }

    @Test(arguments: [
        ("connections", "0"), ("connections", "x"), ("graph-url", "http://graph.facebook.com"),
        ("graph-url", "http://localhost.evil.example"), ("graph-version", "25"), ("socket", "relative"),
        ("mask-numbers", "maybe"), ("colour", "red"),
    ])
    func wrongOnesAreNamed(_ name: String, _ value: String) {
        do {
            _ = try Settings.load(file: nil, flags: [(name, value)])
            Issue.record("taken: \(name) \(value)")
        } catch {
            #expect(error.description.contains(name))
        }
    }
}

@Suite struct SecretsTests {
    @Test func credentialsComeFirstAndAReloadReadsAgain() throws {
        let folder = TemporaryFolder()
        let secrets = try Secrets(credentials: folder.path, folder: folder.file("secrets"))
        #expect(secrets.value("a") == nil)
        try secrets.store("a", "one")
        #expect(secrets.value("a") == "one")
        try "two\n".write(toFile: folder.file("a"), atomically: true, encoding: .utf8)
        #expect(secrets.value("a") == "one")
        secrets.reload()
        #expect(secrets.value("a") == "two")
        #expect(secrets.value("../secrets/a") == nil && secrets.value("") == nil)
        try secrets.remove("a")
        try secrets.remove("a")
    }
}
