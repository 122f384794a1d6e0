import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import TestKit

@testable import OutboxService
@testable import OutboxStore

/// The real rules, dispatcher and store in one process, with clock, disk, Meta, callers and operators simulated from a
/// seed. The daemon is killed and restarted at any step.
final class Simulation {
    struct Report {
        var days: Double
        var calls = 0
        var posts = 0
        var turns = 0
        var kills = 0
        var digest: UInt64
        var problems: [String]
    }

    enum Deed {
        case turn(life: Int)
        case leave(Attempt, life: Int)
        case arrive(Attempt, life: Int)
        case answer(Attempt, HTTPResult, life: Int)
        case webhook(SimulatedMeta.Word, tries: Int)
        case act
        case call(Int)
        case follow
        case start
        case mendDisk
    }

    /// A caller's message, and whether it knows that it was taken.
    struct Call {
        var draft: Draft
        var key: IdempotencyKey
        var isAnswered = false
        var tries = 0
    }

    let folder = TemporaryFolder()
    var dice: Dice
    var agenda = Agenda<Deed>()
    var meta: SimulatedMeta
    var history = History()
    var calls: [Call] = []
    /// Milliseconds of true time.
    var time: Int64 = 0
    private var wallAhead: Int64 = 0
    private var isSynchronised = true
    private var bootedAt: Int64 = -1_000_000
    private var boots = 0
    private let end: Int64

    /// Nil while no daemon runs.
    var step: WriterStep<Dice>?
    private var inbox: [WriterInput] = []
    private var awaited: [Exchange: Int] = [:]
    private var webhooksAwaited: [(exchange: Exchange, word: SimulatedMeta.Word, tries: Int)] = []
    private var exchanges: UInt64 = 0
    private(set) var life = 0
    private var nextTurn: Int64 = .max
    private var diskIsFull = false
    /// Winding up: nothing new, nothing breaks, everything may end.
    private(set) var isEnding = false
    var turns = 0
    private var kills = 0
    private let parser = JSONParser()

    static let epoch: Int64 = 1_800_000_000_000
    static let requestTimeout: Int64 = 30_000
    static let lines = ["main", "other"]

    init(seed: UInt64, days: Double) {
        dice = Dice(seed: seed)
        end = Int64(days * 86_400_000)
        meta = SimulatedMeta(seed: seed ^ 0x5DEE_CE66, peopleMax: 50)
    }

    var wall: Timestamp { Timestamp(milliseconds: Self.epoch + time + wallAhead) }
    private var tick: UInt64 { UInt64(time - bootedAt) * 1_000_000 }
    private var path: String { folder.file("outboxd.db") }
    var isRunning: Bool { step != nil }

    func happens(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &dice) < share }
    func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &dice) }

    // MARK: The run

    func run() throws -> Report {
        try start()
        try setUp()
        agenda.add(.act, at: time + 1000)
        agenda.add(.follow, at: time + 3_600_000)
        while let (at, deed) = agenda.next() {
            time = max(time, at)
            if !isEnding, time > end { try beginEnding() }
            // All of Meta's patience, of the evidence, and of receipts.
            if isEnding, time > end + 45 * 86_400_000 { break }
            try perform(deed)
            if history.problems.count + meta.problems.count > 0 { break }
        }
        try finish()
        return Report(
            days: Double(time) / 86_400_000, calls: calls.count, posts: meta.posts.count, turns: turns, kills: kills,
            digest: history.digest, problems: history.problems + meta.problems)
    }

    private func perform(_ deed: Deed) throws {
        switch deed {
        case .turn(let life): if life == self.life, time >= nextTurn { try turn() }
        case .leave(let attempt, let life): if life == self.life { leave(attempt) }
        case .arrive(let attempt, let life):
            // A killed process's bytes may have been on the wire already.
            if life == self.life || happens(0.5) { arrive(attempt, life) }
        case .answer(let attempt, let result, let life):
            guard life == self.life else { return }
            let outcome = OutboxMeta.outcome(of: result, parser: parser)
            post(.outcome(AttemptOutcome(attempt: attempt, outcome: outcome)))
        case .webhook(let word, let tries): webhook(word, tries)
        case .act: try act()
        case .call(let number): call(number)
        case .follow:
            try follow()
            agenda.add(.follow, at: time + 3_600_000)
        case .start: try start()
        case .mendDisk: try setDisk(full: false)
        }
    }

    private func follow() throws {
        guard isRunning else { return }
        try history.follow(LogReader(QueueReader(path: path)), at: time)
    }

    private func beginEnding() throws {
        isEnding = true
        meta.isKind = true
        meta.outageUntil = 0
        try setDisk(full: false)
        if !isRunning { try start() }
        try endPauses()
        for (number, call) in calls.enumerated() where !call.isAnswered { agenda.add(.call(number), at: time) }
        post(.releaseLines)
    }

    private func finish() throws {
        guard let step else { return }
        history.problem(contentsOf: try step.queue.disagreements())
        let reader = try QueueReader(path: path)
        try history.follow(LogReader(reader), at: time)
        try history.compare(reader, codec: reader.codec) { _ in false }
        guard isEnding, history.problems.isEmpty else { return }
        for (number, call) in calls.enumerated() where !call.isAnswered {
            history.problem("call \(number) was never answered")
        }
        try history.settle(reader, posts: meta.posts, codec: reader.codec)
    }

    // MARK: The daemon

    private func reading() -> LimitClock.Reading {
        LimitClock.Reading(boot: "\(boots)", tick: tick, wall: wall, isSynchronised: isSynchronised)
    }

    private func start() throws {
        guard step == nil else { return }
        life += 1
        let queue = try Queue(path: path, reading: reading())
        let step = try WriterStep(
            queue: queue, slotsMax: 16, chance: Dice(seed: dice.next()), shown: { $0 }, debugs: { false })
        self.step = step
        // Power cuts are another test's affair.
        try queue.database.execute("PRAGMA synchronous = OFF")
        if diskIsFull { try setDisk(full: true) }
        _ = try? step.takeUp(now: wall)
        wake(at: time)
    }

    /// As SIGKILL does: nothing is told, nothing is finished. Sometimes the machine goes down with it, and its clock
    /// comes back wrong.
    func kill() {
        guard step != nil else { return }
        kills += 1
        step = nil
        inbox = []
        awaited = [:]
        for call in webhooksAwaited { retryWebhook(call.word, call.tries) }
        webhooksAwaited = []
        life += 1
        nextTurn = .max
        var away = happens(0.1) ? random(60_000...14_400_000) : random(50...5000)
        if happens(0.1) {
            boots += 1
            away += 10_000
            bootedAt = time + away - random(1000...10_000)
            wallAhead = happens(0.2) ? random(-3_600_000...3_600_000) : 0
            isSynchronised = wallAhead == 0
        }
        agenda.add(.start, at: time + away)
    }

    func setDisk(full: Bool) throws {
        diskIsFull = full
        guard let step else { return }
        let pages = full ? try step.queue.database.integer("PRAGMA page_count") : 1_073_741_823
        try step.queue.database.execute("PRAGMA max_page_count = \(pages)")
    }

    private func wake(at moment: Int64) {
        guard moment < nextTurn else { return }
        nextTurn = moment
        agenda.add(.turn(life: life), at: moment)
    }

    func post(_ input: WriterInput) {
        guard isRunning else { return }
        inbox.append(input)
        wake(at: time + 1)
    }

    func exchange() -> Exchange {
        exchanges += 1
        return Exchange(descriptor: 1, serial: exchanges)
    }

    private func turn() throws {
        guard let step else { return }
        nextTurn = .max
        turns += 1
        // A kill loses what was not read yet, or tells nobody of what was committed; it comes where it hurts.
        let danger = inbox.isEmpty ? 0.0003 : 0.01
        if !isEnding, happens(danger) { return kill() }
        let inputs = inbox
        inbox = []
        let outputs = step.turn(inputs, now: wall, tick: tick, isSynchronised: isSynchronised)
        if let error = outputs.fatal { history.problem("the writer gave up: \(error)") }
        if !isEnding, happens(danger) { return kill() }
        for (exchange, reply) in outputs.replies { answered(exchange, reply) }
        for attempt in outputs.attempts {
            let slot = Int64(attempt.notBefore / 1_000_000) + bootedAt
            agenda.add(.leave(attempt, life: life), at: max(time, slot))
        }
        if outputs.goOn { wake(at: time + 1) }
        if let moment = outputs.wake { wake(at: max(time + 1, moment.milliseconds - Self.epoch - wallAhead)) }
        if let tick = outputs.wakeTick { wake(at: max(time + 1, Int64(tick / 1_000_000) + bootedAt + 1)) }
    }

    private func leave(_ attempt: Attempt) {
        agenda.add(.arrive(attempt, life: life), at: time + random(5...50))
    }

    private func arrive(_ attempt: Attempt, _ life: Int) {
        let reaction = meta.receive(attempt, at: time, wall: Self.epoch + time)
        for (after, word) in reaction.webhooks { agenda.add(.webhook(word, tries: 0), at: time + after) }
        if let answer = reaction.answer {
            agenda.add(.answer(attempt, answer, life: life), at: time + reaction.answersAfter)
        } else {
            agenda.add(.answer(attempt, .broken("timeout"), life: life), at: time + Self.requestTimeout)
        }
    }

    // MARK: Webhooks

    private func webhook(_ word: SimulatedMeta.Word, _ tries: Int) {
        guard isRunning else { return retryWebhook(word, tries) }
        let exchange = exchange()
        webhooksAwaited.append((exchange, word, tries))
        post(.webhook(exchange, ReceivedWebhook.reading(app: "default", body: word.body, parser: parser)))
    }

    /// Meta tries for days, less and less often.
    private func retryWebhook(_ word: SimulatedMeta.Word, _ tries: Int) {
        guard tries < 16 else { return }
        agenda.add(.webhook(word, tries: tries + 1), at: time + (60_000 << min(tries, 9)))
    }

    // MARK: Answers

    private func answered(_ exchange: Exchange, _ reply: WriterReply) {
        if let index = webhooksAwaited.firstIndex(where: { $0.exchange == exchange }) {
            let call = webhooksAwaited.remove(at: index)
            guard case .webhookStored = reply else { return retryWebhook(call.word, call.tries) }
            if let status = call.word.status { history.told(status.report, of: status.message) }
            return
        }
        guard let number = awaited.removeValue(forKey: exchange) else { return }
        switch reply {
        case .submitted(.done(let submitted)), .replayed(let submitted):
            calls[number].isAnswered = true
            history.accepted(number, as: submitted.id)
        case .submitted(.refused), .refused:
            // Nothing is stored: the caller gives up. Had it been stored before, this would be a broken promise.
            if history.promised[number] != nil { history.problem("call \(number) was accepted and then refused") }
            calls[number].isAnswered = true
        case .storageFailed: repeatCall(number)
        default: history.problem("call \(number) was answered as something else")
        }
    }

    func call(_ number: Int) {
        guard !calls[number].isAnswered else { return }
        calls[number].tries += 1
        if isRunning {
            let exchange = exchange()
            awaited[exchange] = number
            post(.submit(exchange, calls[number].draft, calls[number].key))
        }
        // It asks again until it is answered: it does not know whether it was heard.
        repeatCall(number)
    }

    private func repeatCall(_ number: Int) {
        agenda.add(.call(number), at: time + (10_000 << Int64(min(calls[number].tries, 6))))
    }
}

extension History {
    mutating func problem(contentsOf list: [String]) { for text in list { problem(text) } }
}
