import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem
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
        /// Taken by endpoints.
        var told = 0
        var received = 0
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
        case callerTurn(life: Int)
        case callerMail([CallerMail], life: Int)
        case ring(OutgoingRequest, Int, life: Int)
        case rang(Int, HTTPResult, life: Int)
        case replay(Int, ReplayBody, failed: [Int64]?)
        case ended(life: Int)
    }

    /// A caller's message, and whether it knows that it was taken.
    struct Call {
        var draft: Draft
        var key: IdempotencyKey
        var isAnswered = false
        var tries = 0
    }

    // Power cuts are another test's affair.
    let folder = TemporaryFolder(inMemory: true)
    var dice: Dice
    var agenda = Agenda<Deed>()
    var meta: SimulatedMeta
    var history = History()
    var endpoints: SimulatedEndpoints
    var told = Told()
    var received = Received()
    var broadcasts = Broadcasts()
    var calls: [Call] = []
    /// Milliseconds of true time.
    var time: Int64 = 0
    private(set) var wallAhead: Int64 = 0
    private var isSynchronised = true
    private var bootedAt: Int64 = -1_000_000
    private var boots = 0
    private let end: Int64

    /// Nil while no daemon runs.
    var step: WriterStep<Dice>?
    private var inbox: [WriterInput] = []
    var caller: CallerStep<Dice>?
    /// For those who look at what there is.
    private(set) var open: (reader: QueueReader, log: LogReader)?
    var callerMail: [CallerMail] = []
    var nextCallerTurn: Int64 = .max
    var lastMailAt: Int64 = 0
    /// The writer says so when the log has grown.
    var listens = false
    var callsMade = 0
    var callsUnderWay: [Int: CallbackCall] = [:]
    /// As this process knows them.
    var secrets: SubscriptionSecrets
    var requests: [Exchange: Request] = [:]
    var inboundWritten = 0
    /// Retention removes what ended a day ago: less than an endpoint may be away.
    let forgets: Bool
    static let keptFor: Int64 = 86_400_000
    var awaited: [Exchange: Int] = [:]
    var webhooksAwaited: [(exchange: Exchange, word: SimulatedMeta.Word, tries: Int)] = []
    private var exchanges: UInt64 = 0
    private(set) var life = 0
    private var nextTurn: Int64 = .max
    private var diskIsFull = false
    /// Winding up: nothing new, nothing breaks, everything may end.
    private(set) var isEnding = false
    var turns = 0
    private var kills = 0
    let parser = JSONParser()

    static let epoch: Int64 = 1_800_000_000_000
    static let requestTimeout: Int64 = 30_000
    static let lines = ["main", "other"]

    init(seed: UInt64, days: Double) throws {
        dice = Dice(seed: seed)
        forgets = seed % 2 == 0
        endpoints = SimulatedEndpoints(seed: seed ^ 0x0E4D_9017)
        secrets = try Self.secrets(folder)
        end = Int64(days * 86_400_000)
        meta = SimulatedMeta(seed: seed ^ 0x5DEE_CE66, peopleMax: 50)
    }

    var wall: Timestamp { Timestamp(milliseconds: Self.epoch + time + wallAhead) }
    var tick: UInt64 { UInt64(time - bootedAt) * 1_000_000 }
    var path: String { folder.file("outboxd.db") }
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
            if !problems.isEmpty { break }
        }
        try finish()
        return Report(
            days: Double(time) / 86_400_000, calls: calls.count, posts: meta.posts.count, turns: turns, kills: kills,
            told: told.taken, received: received.count, digest: history.digest, problems: problems)
    }

    private var problems: [String] { history.problems + meta.problems + told.problems + received.problems }

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
            agenda.add(.follow, at: time + (isEnding ? 21_600_000 : 3_600_000))
        case .start:
            try start()
            // A kill came before the first turn was stored.
            if step?.queue.allLines.isEmpty ?? false { try setUp() }
        case .mendDisk: try setDisk(full: false)
        case .callerTurn(let life): if life == self.life, time >= nextCallerTurn { callerTurn() }
        case .callerMail(let mail, let life): if life == self.life { callerGot(mail) }
        case .ring(let request, let serial, let life):
            // A killed process's bytes may have been on the wire already.
            if life == self.life || happens(0.5) { try ring(request, serial, life) }
        case .rang(let serial, let result, let life): if life == self.life { rang(serial, result) }
        case .replay(let number, let body, let failed): replay(number, body, failed: failed)
        case .ended(let life): if life == self.life { try endStopped() }
        }
    }

    private func follow() throws {
        guard isRunning else { return }
        guard let (reader, _) = open else { return }
        try readLog()
        try lookAtSubscriptions(reader)
        try history.compareCursors(reader)
    }

    /// As somebody does who reads the log to its end.
    func readLog() throws {
        guard let (reader, log) = open else { return }
        try history.follow(log, at: time) { event in
            guard event.kind.publicName != nil else { return }
            var json = JSONWriter(capacity: 512)
            let id = event.write(to: &json, reader.codec, parser)
            let body = try parser.parse(json.bytes)
            let words = Told.Words(
                id: id, event: body["event"]?.string ?? "", message: body["data"]?["messageId"]?.string,
                status: body["data"]?["status"]?.string)
            told.logged(event.sequence, words, line: event.line)
            if event.kind == .campaignCompleted || event.kind == .campaignCancelled {
                broadcasts.ended(body["data"]?["campaignId"]?.string ?? "")
            }
            if event.kind == .received { received.logged(body["data"]?["whatsappMessageId"]?.string) }
        }
    }

    private func beginEnding() throws {
        isEnding = true
        meta.isKind = true
        meta.outageUntil = 0
        endpoints.isKind = true
        endpoints.comeBack()
        try setDisk(full: false)
        if !isRunning {
            // The machine may have been about to come back.
            bootedAt = min(bootedAt, time - 1000)
            try start()
        }
        try endPauses()
        endBroadcasts()
        for (number, call) in calls.enumerated() where !call.isAnswered { agenda.add(.call(number), at: time) }
        post(.releaseLines)
    }

    private func finish() throws {
        guard let step else { return }
        history.problem(contentsOf: try step.queue.disagreements())
        let reader = try QueueReader(path: path)
        try readLog()
        try history.compare(reader, codec: reader.codec) { [forgets, time] in
            forgets && !$0.state.isWaiting && $0.at <= time - Self.keptFor
        }
        try history.compareCursors(reader)
        let callbacks = try CallbackReader(reader)
        _ = try told.look(callbacks, at: time, newest: 1_000_000)
        guard isEnding, problems.isEmpty else { return }
        let log = try LogReader(reader)
        var there: Set<Int64> = []
        while case let events = try log.events(after: there.max() ?? 0, limit: 100_000, account: 1), !events.isEmpty {
            there.formUnion(events.map(\.sequence))
        }
        try told.settle(callbacks) { there.contains($0) }
        let oldest = MessageID.first(at: wall - .milliseconds(Self.keptFor))
        try received.settle(reader, isOld: { [forgets] in forgets && $0 < oldest }, keepsAll: !forgets)
        try checkSecrets(callbacks)
        for (number, call) in calls.enumerated() where !call.isAnswered {
            history.problem("call \(number) was never answered")
        }
        try settleBroadcasts(reader)
        let campaigns = Set(broadcasts.known)
        try history.settle(reader, posts: meta.posts, codec: reader.codec) { $0.batch.map(campaigns.contains) ?? false }
    }

    /// What signs for nobody is not kept.
    private func checkSecrets(_ reader: CallbackReader) throws {
        secrets = try Self.secrets(folder)
        secrets.sweep(inUse: try step?.queue.secretsInUse())
        let names = try secrets.files.names()
        let rows = try reader.subscriptions()
        if names.count != rows.count, !rows.isEmpty {
            history.problem("\(rows.count) subscriptions have \(names.count) secrets")
        }
    }

    // MARK: The daemon

    private static func secrets(_ folder: TemporaryFolder) throws -> SubscriptionSecrets {
        SubscriptionSecrets(files: try Secrets(credentials: nil, folder: folder.file("secrets"))) { _ in }
    }

    private func reading() -> LimitClock.Reading {
        LimitClock.Reading(boot: "\(boots)", tick: tick, wall: wall, isSynchronised: isSynchronised)
    }

    private func start() throws {
        guard step == nil else { return }
        life += 1
        let queue = try Queue(path: path, reading: reading())
        let step = try WriterStep(
            queue: queue, slotsMax: 16, chance: Dice(seed: dice.next()), shown: { $0 }, writes: { _ in false })
        self.step = step
        secrets = try Self.secrets(folder)
        secrets.sweep(inUse: try queue.secretsInUse())
        let files = secrets.files
        let reader = try QueueReader(path: path)
        open = (reader, try LogReader(reader))
        caller = try CallerStep(
            QueueReader(path: path), chance: Dice(seed: dice.next()), secret: { files.value($0) }, allowsHTTP: { false }
        )
        listens = true
        if diskIsFull { try setDisk(full: true) }
        _ = try? step.takeUp(now: wall)
        wake(at: time)
        wakeCaller(at: time)
    }

    /// As SIGKILL does: nothing is told, nothing is finished. Sometimes the machine goes down with it, and its clock
    /// comes back wrong.
    func kill() {
        guard step != nil else { return }
        kills += 1
        step = nil
        caller = nil
        open = nil
        inbox = []
        callerMail = []
        nextCallerTurn = .max
        callsUnderWay = [:]
        awaited = [:]
        requests = [:]
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

    func turn() throws {
        guard let step else { return }
        nextTurn = .max
        turns += 1
        // A kill loses what was not read yet, or tells nobody of what was committed; it comes where it hurts.
        let isQuiet = inbox.allSatisfy { if case .callbacks = $0 { true } else { false } }
        let danger = inbox.isEmpty ? 0.0003 : isQuiet ? 0.001 : 0.01
        if !isEnding, happens(danger) { return kill() }
        let inputs = inbox
        inbox = []
        let outputs = step.turn(inputs, now: wall, tick: tick, isSynchronised: isSynchronised)
        if let error = outputs.fatal { history.problem("the writer gave up: \(error)") }
        if !isEnding, happens(danger) { return kill() }
        tellCaller(
            (outputs.recordedReports.isEmpty ? [] : [.recorded(outputs.recordedReports)])
                + (outputs.changedSubscriptions.isEmpty ? [] : [.changed(outputs.changedSubscriptions)]))
        for (exchange, reply) in outputs.replies { answered(exchange, reply) }
        if outputs.logEnd != nil, listens { tellCaller([.logged]) }
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
}

extension History {
    mutating func problem(contentsOf list: [String]) { for text in list { problem(text) } }
}
