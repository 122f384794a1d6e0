import Foundation
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem
import TestKit
import Testing

@testable import OutboxService

/// The writer's turn with a clock set by hand.
final class Desk {
    let folder = TemporaryFolder()
    private(set) var queue: Queue
    private(set) var step: WriterStep<Dice>
    var now = Timestamp(milliseconds: 1_800_000_000_000)
    var tick: UInt64 = 1_000_000_000_000
    private var submitted = 0
    /// Bytes free, and the disk's size.
    let room = Lock<(free: UInt64, size: UInt64)?>(nil)

    init(slots: Int = 8, perSecond: Int64 = 10_000) throws {
        queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "desk", tick: tick, wall: now, isSynchronised: true))
        let room = room
        step = try WriterStep(
            queue: queue, slotsMax: slots, chance: Dice(seed: 5), shown: { $0 }, room: { room.withLock { $0 } })
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: nil, credential: "c", messagesPerSecond: perSecond)
        settings.closedWindow = .leave
        _ = queue.together(1) { _ in _ = try queue.put(settings, account: Account.defaultID, now: now) }
    }

    /// As after a kill: the file is opened again by another process.
    func restart() throws {
        queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "desk", tick: tick, wall: now, isSynchronised: true))
        step = try WriterStep(queue: queue, slotsMax: 8, chance: Dice(seed: 6), shown: { $0 })
        _ = queue.together(1) { _ in _ = try queue.recoverClaimed(now: now) }
    }

    /// Another line, or other settings of one.
    func put(_ name: String, number: String, _ change: (inout LineSettings) -> Void = { _ in }) {
        var settings = LineSettings(
            name: name, phoneNumberID: number, wabaID: nil, credential: "c", messagesPerSecond: 10_000)
        settings.closedWindow = .leave
        change(&settings)
        _ = turn(.putLine(exchange, settings))
    }

    let exchange = Exchange(descriptor: 1, serial: 1)

    func draft(_ to: String, line: String = "main") throws -> Draft {
        Draft(line: line, to: try #require(Recipient(to)), type: "text", content: Array("{}".utf8))
    }

    func turn(_ inputs: WriterInput...) -> WriterStep<Dice>.Outputs { turn(inputs) }
    func turn(_ inputs: [WriterInput]) -> WriterStep<Dice>.Outputs { step.turn(inputs, now: now, tick: tick) }

    func submit(_ count: Int) throws {
        _ = queue.together(1) { _ in
            for _ in 0..<count {
                submitted += 1
                guard let to = Recipient("141555\(50_000 + submitted)") else { continue }
                let draft = Draft(line: nil, to: to, type: "text", content: Array("{}".utf8))
                _ = try queue.submit(draft, account: Account.defaultID, batch: nil, now: now)
            }
        }
    }
}

private struct Missing: Error {}

extension PoolBody {
    fileprivate static func of(tier: Tier) throws -> PoolBody {
        try PoolBody.read(try JSONParser().parse(Array(#"{"tier":"\#(tier.name)"}"#.utf8)), name: "main")
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

    /// What comes while a turn is under way goes into its transaction, and leaves with it.
    @Test func whatComesMeanwhileIsPartOfTheTurn() throws {
        let desk = try Desk(slots: 8)
        var bad = try desk.draft("14155550002")
        bad.type = ""  // the schema refuses an empty type
        let exchanges = (1...3).map { Exchange(descriptor: 1, serial: UInt64($0)) }
        let first: [WriterInput] = [.submit(exchanges[0], try desk.draft("14155550001"))]
        var later: [[WriterInput]] = [
            [.ping(7)], [.submit(exchanges[1], bad)], [.submit(exchanges[2], try desk.draft("14155550003"))],
        ]
        var stored: [Exchange] = []
        func more() -> [WriterInput] { later.isEmpty ? [] : later.removeFirst() }
        let outputs = desk.step.turn(first, now: desk.now, tick: desk.tick, more: more) { outputs in
            for case (let exchange, .submitted(.done)) in outputs.replies { stored.append(exchange) }
        }
        #expect(later.isEmpty && outputs.pong?.number == 7)
        #expect(stored == [exchanges[0], exchanges[2]])
        #expect(outputs.replies.count == 3 && outputs.attempts.map(\.to) == ["14155550001", "14155550003"])
        #expect(try desk.queue.disagreements() == [])
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

    @Test func aHeldLineStaysHeldAcrossARestart() throws {
        let desk = try Desk(slots: 4)
        try desk.submit(50)
        let refused = Outcome.refused(Failure(code: "190", message: "token"), .lineLater(askedFor: .seconds(60)))
        let inputs = desk.turn().attempts.map { WriterInput.outcome(AttemptOutcome(attempt: $0, outcome: refused)) }
        let held = desk.turn(inputs)
        #expect(held.attempts.isEmpty && held.log.contains { $0.kind == .lineHeld })
        _ = desk.turn()
        try desk.restart()
        #expect(desk.turn().attempts.isEmpty)
        desk.now = desk.now + .seconds(61)
        desk.tick += 61_000_000_000
        #expect(desk.turn().attempts.count == 1, "one probes")
    }

    @Test func manyBadMomentsHoldMetaAsAWhole() throws {
        let desk = try Desk(slots: 8)
        desk.put("second", number: "107")
        var attempts: [Attempt] = []
        for index in 0..<80 {
            let draft = try desk.draft("1415556\(1000 + index)", line: index % 2 == 0 ? "main" : "second")
            attempts += desk.turn(.submit(desk.exchange, draft)).attempts
        }
        let lost = Outcome.unknown(Failure(code: "NO_ANSWER", message: "timeout"))
        var posts = 0
        for _ in 0..<20 where !attempts.isEmpty {
            posts += attempts.count
            attempts = desk.turn(attempts.map { .outcome(AttemptOutcome(attempt: $0, outcome: lost)) }).attempts
        }
        #expect(posts >= LineHold.inARowMax && posts < LineHold.inARowMax + 16, "\(posts)")
        var outputs = desk.turn()
        desk.now = try #require(outputs.wake)
        desk.tick += 2_000_000_000
        outputs = desk.turn()
        try #require(outputs.attempts.count == 1, "one message of all lines tries")
        desk.now = desk.now + .seconds(1)
        #expect(
            desk.turn(.outcome(AttemptOutcome(attempt: outputs.attempts[0], outcome: .accepted(wamid: "w")))).attempts
                .count > 1)
    }

    @Test func aLineMayRefuseWhileNothingGetsThrough() throws {
        let desk = try Desk(slots: 4)
        desk.put("main", number: "106") { $0.whenDown = .refuse }
        let down = Outcome.refused(Failure(code: "NOT_CONNECTED", message: "no"), .lineLater(askedFor: nil))
        let first = desk.turn(.submit(desk.exchange, try desk.draft("14155550001")))
        _ = desk.turn(first.attempts.map { .outcome(AttemptOutcome(attempt: $0, outcome: down)) })
        let second = desk.turn(.submit(desk.exchange, try desk.draft("14155550002"))).replies.first?.1
        guard case .submitted(.refused(.lineDown("main", _))) = second else {
            Issue.record("it took a message")
            return
        }
    }

    @Test func dryRunsAndBulksTellWhenAllWillHaveLeft() throws {
        let desk = try Desk(slots: 8, perSecond: 100)
        _ = desk.turn(.putPool(desk.exchange, name: "main", try PoolBody.of(tier: .tier250)))
        let drafts = try (0..<600).map { try desk.draft("1415557\(1000 + $0)") }
        let slice = BulkSlice(batch: nil, drafts: drafts, refusedBefore: 0, atomic: false)
        guard case .sliceStored(_, _, let forecast?) = desk.turn(.slice(desk.exchange, slice)).replies.first?.1 else {
            throw Missing()
        }
        // 250 at once, 250 a day later, the rest after two days.
        #expect(forecast.limit == .tier && forecast.leavesBy == desk.now + .seconds(2 * 86_400))
        let stranger = try desk.draft("14155589999")
        guard
            case .estimated(let refusals, let estimate?, nil) = desk.turn(.estimate(desk.exchange, [stranger])).replies
                .first?.1
        else { throw Missing() }
        #expect(refusals == [nil] && estimate.forecast.limit == .tier)
        #expect(estimate.forecast.leavesBy.map { $0 >= desk.now + .seconds(2 * 86_400) } == true)
        guard case .estimated(_, _, let all?) = desk.turn(.estimate(desk.exchange, drafts)).replies.first?.1 else {
            throw Missing()
        }
        #expect(all.leavesBy.map { $0 >= desk.now + .seconds(3 * 86_400) } == true, "as many again, but who is counted")
        _ = desk.turn(.pause(desk.exchange, PauseBody(scope: .line, line: "main"), who: "t"))
        guard case .estimated(_, let paused?, _) = desk.turn(.estimate(desk.exchange, [stranger])).replies.first?.1
        else { throw Missing() }
        #expect(paused.forecast == Forecast(leavesBy: nil, limit: .pause))
    }

    @Test func whoeverRefusesWhileDownTakesTheOneThatTries() throws {
        let desk = try Desk(slots: 4)
        desk.put("main", number: "106") { $0.whenDown = .refuse }
        let first = desk.turn(.submit(desk.exchange, try desk.draft("14155550001")))
        let lost = Outcome.refused(Failure(code: "190", message: "token"), .lineLater(askedFor: .seconds(60)))
        _ = desk.turn(first.attempts.map { .outcome(AttemptOutcome(attempt: $0, outcome: lost)) })
        guard case .submitted(.done(let waiting)) = first.replies.first?.1 else { throw Missing() }
        _ = desk.turn(.cancel(desk.exchange, waiting.id))
        desk.now = desk.now + .seconds(61)
        desk.tick += 61_000_000_000
        let next = desk.turn(.submit(desk.exchange, try desk.draft("14155550002")))
        #expect(next.attempts.count == 1, "its time has come: it is the probe")
        guard
            case .submitted(.refused(.lineDown)) = desk.turn(
                .submit(desk.exchange, try desk.draft("14155550003"))
            ).replies.first?.1
        else { throw Missing() }
    }

    @Test func oneLineAloneDoesNotSpeakForMeta() throws {
        let desk = try Desk(slots: 8)
        desk.put("second", number: "107")
        var attempts: [Attempt] = []
        for index in 0..<40 {
            let draft = try desk.draft("1415556\(1000 + index)")
            attempts += desk.turn(.submit(desk.exchange, draft)).attempts
        }
        let bad = Outcome.unknown(Failure(code: "NO_ANSWER", message: "timeout"))
        for _ in 0..<20 where !attempts.isEmpty {
            attempts = desk.turn(attempts.map { .outcome(AttemptOutcome(attempt: $0, outcome: bad)) }).attempts
        }
        let other = desk.turn(.submit(desk.exchange, try desk.draft("14155559999", line: "second")))
        #expect(other.attempts.map(\.lineName) == ["second"])
    }

    @Test func aChangedLineForgetsWhatItWas() throws {
        let desk = try Desk()
        desk.put("main", number: "106") { $0.wabaID = "900" }
        let line = try #require(desk.queue.line(named: "main", account: Account.defaultID))
        let health = LineHealth(
            status: .offline, canSend: .blocked, quality: .red, tier: nil, messagesPerSecond: nil, reasons: [],
            readAt: desk.now)
        let news = LineNews(subject: Refresher.Subject(line), health: .read(health), templates: [])
        _ = desk.turn(.lineNews(news))
        #expect(desk.queue.health(line.id)?.stop != nil && desk.queue.knowsTemplates(of: line.id))
        desk.put("main", number: "108") { $0.wabaID = "901" }
        #expect(desk.queue.health(line.id) == nil && !desk.queue.knowsTemplates(of: line.id))
        _ = desk.turn(.lineNews(news))
        #expect(desk.queue.health(line.id) == nil, "news of what it was")
    }

    @Test func aLineWithoutARateHasTheOneMetaGives() throws {
        let desk = try Desk(slots: 500)
        desk.put("main", number: "106") { $0.messagesPerSecond = nil }
        let line = try #require(desk.queue.line(named: "main", account: Account.defaultID))
        try desk.submit(2000)
        func sent(seconds: UInt64) -> Int {
            var count = 0
            for _ in 0..<(seconds * 100) {
                desk.tick += 10_000_000
                let attempts = desk.turn().attempts
                count += attempts.count
                _ = desk.turn(
                    attempts.map {
                        .outcome(AttemptOutcome(attempt: $0, outcome: .accepted(wamid: "w\($0.message.rawValue)")))
                    })
            }
            return count
        }
        let before = sent(seconds: 2)
        #expect((150...165).contains(before), "80 a second: \(before)")
        let health = LineHealth(
            status: .online, canSend: .available, quality: .green, tier: .unlimited, messagesPerSecond: 400,
            reasons: [], readAt: desk.now)
        _ = desk.turn(.lineNews(LineNews(subject: Refresher.Subject(line), health: .read(health))))
        let after = sent(seconds: 2)
        #expect((750...810).contains(after), "400 a second: \(after)")
    }

    @Test func aTierOutOfAWebhookIsShownAtOnce() throws {
        let desk = try Desk()
        desk.put("main", number: "106") { $0.wabaID = "900" }
        let line = try #require(desk.queue.line(named: "main", account: Account.defaultID))
        let health = LineHealth(
            status: .online, canSend: .available, quality: .green, tier: .tier250, messagesPerSecond: nil, reasons: [],
            readAt: desk.now)
        _ = desk.turn(.lineNews(LineNews(subject: Refresher.Subject(line), health: .read(health))))
        let news = [AccountNews.capability(wabaID: "900", tier: .tier10K)]
        _ = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], news: news)))
        _ = desk.turn()
        let reader = try QueueReader(path: desk.folder.file("outboxd.db"))
        let answer = try Answerer(
            reader: reader, path: desk.folder.file("outboxd.db"), clock: desk.queue.clock, deadline: .seconds(31)
        ).health("main")
        let shown = try JSONParser().parse(answer.body)["data"]?["messagingLimitTier"]?.string
        #expect(shown == "TIER_10K")
    }

    @Test func aBreakerClosedByAnOperatorStaysClosed() throws {
        let desk = try Desk(slots: 4)
        try desk.submit(1)
        let attempt = try #require(desk.turn().attempts.first)
        let refused = Outcome.refused(Failure(code: "190", message: "token"), .lineLater(askedFor: .seconds(60)))
        let settings = try #require(desk.queue.line(named: "main", account: Account.defaultID)).settings
        _ = desk.turn(
            .outcome(AttemptOutcome(attempt: attempt, outcome: refused)), .putLine(desk.exchange, settings))
        _ = desk.turn()
        #expect(try desk.queue.breakers().isEmpty)
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
        #expect(try reader.message(attempt.message, account: Account.defaultID)?.state == .processing)
        #expect(!desk.turn().goOn)
        #expect(try desk.queue.unappliedWebhooks(after: 0, limit: 9).isEmpty)
        #expect(try reader.message(attempt.message, account: Account.defaultID)?.state == .read)
    }
}
