import OutboxCore
import OutboxStore
import TestKit
import Testing

/// A queue under random load with a clock set by hand, watched by a checker that knows only what left and when.
final class World {
    let folder = TemporaryFolder()
    private(set) var queue: Queue
    private(set) var dice: Dice
    /// True time. The wall clock may be set otherwise; the boot clock begins anew with each boot.
    private(set) var time: Int64 = 0
    private var wallAhead: Int64 = 0
    private var bootedAt: Int64 = -1000
    private var boots = 0
    private var isSynchronised = true

    let people: Int64
    let persons: Int
    private(set) var submitted: [MessageID] = []
    private var info: [MessageID: Info] = [:]
    private var underWay: [(attempt: Attempt, endsAt: Int64, arrival: Int64)] = []
    private var sends: [Send] = []
    private var windows: [Key: Int64] = [:]
    private var buckets: [Key: (tokens: Double, at: Int64)] = [:]
    private(set) var attempts = 0
    private(set) var problems: [String] = []

    struct Key: Hashable {
        var line: Int64
        var person: String
    }

    private struct Info {
        var key: Key
        var priority: Priority
        var state = MessageState.queued
        var unknown = false
    }

    /// What may have reached a person outside a window, somewhere between two moments.
    private struct Send {
        var pool: Int64
        var person: String
        var from: Int64
        var to: Int64
    }

    private static let epoch: Int64 = 1_800_000_000_000

    init(seed: UInt64, people: Tier = .tier50, persons: Int = 200, attemptMax: Duration = .seconds(31)) throws {
        dice = Dice(seed: seed)
        self.people = people.people ?? .max
        self.persons = persons
        let reading = LimitClock.Reading(
            boot: "0", tick: 1_000_000_000, wall: Timestamp(milliseconds: Self.epoch), isSynchronised: true)
        queue = try Queue(path: folder.file("q.db"), reading: reading, attemptMax: attemptMax)
        for (name, pool) in [("a", "shared"), ("b", "shared"), ("c", "alone")] {
            var settings = LineSettings(name: name, phoneNumberID: "10\(name)", wabaID: nil, credential: "c")
            settings.pool = pool
            try run { _ = try $0.put(settings, account: 1, now: self.wall) }
        }
        for pool in ["shared", "alone"] {
            try run {
                _ = try $0.change(pool, account: 1, used: nil) { _ in PoolSettings(tier: people, keptForHigh: 0) }
            }
        }
    }

    var wall: Timestamp { Timestamp(milliseconds: Self.epoch + time + wallAhead) }
    private var tick: UInt64 { UInt64(time - bootedAt) * 1_000_000 }

    @discardableResult
    func run<Value>(_ operation: (Queue) throws -> Value) throws -> Value {
        var value: Value?
        queue.set(tick: tick, wall: wall, isSynchronised: wallAhead == 0)
        switch queue.together(1, { _ in value = try operation(self.queue) }) {
        case .done(let kept): if let error = kept[0] { throw error }
        case .nothing(let error): throw error
        }
        return try #require(value)
    }

    private func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &dice) < share }

    func person(_ index: Int) -> String { "1415555\(1000 + index)" }

    // MARK: Deeds

    /// Whom Meta knows somebody as: every seventh person by another number than the one written to.
    private func known(_ person: String) -> String {
        (Int(person.suffix(4)) ?? 0) % 7 == 0 ? "55" + person : person
    }

    /// A message is taken back, if it can be.
    func cancelOne() throws {
        guard let id = submitted.randomElement(using: &dice) else { return }
        if case .done = try run({ try $0.cancel(id, account: 1, now: self.wall) }) { info[id]?.state = .cancelled }
    }

    func submit(
        _ person: String, line: String, _ priority: Priority, batch: MessageID? = nil, text: Bool = false,
        later: Int64? = nil
    ) throws {
        var draft = Draft(
            line: line, to: try #require(Recipient(person)), type: text ? "text" : "template",
            content: Array(#"{"name":"t","language":{"code":"en"}}"#.utf8), priority: priority)
        if !text { draft.template = TemplateName(name: "t", language: "en") }
        draft.sendAt = later.map { Timestamp(milliseconds: wall.milliseconds + $0) }
        let result = try run { try $0.submit(draft, account: 1, batch: batch, now: self.wall) }
        guard case .done(let done) = result else { return }
        let id = try #require(queue.line(named: line, account: 1)?.id)
        submitted.append(done.id)
        info[done.id] = Info(key: Key(line: id, person: known(person)), priority: priority, state: done.state)
    }

    func inbound(_ person: String, line: String, late: Int64 = 0) throws {
        let id = try #require(queue.line(named: line, account: 1)?.id)
        let at = Timestamp(milliseconds: wall.milliseconds - late)
        try run { try $0.received(from: self.known(person), by: id, at: at, adClick: false, now: self.wall) }
        let key = Key(line: id, person: known(person))
        windows[key] = max(windows[key] ?? 0, time - late + 86_400_000)
    }

    /// The process ends and another one begins; what was under way is unknown.
    func restart(reboot: Bool) throws {
        for flight in underWay { landed(flight.attempt, at: max(time, flight.arrival), reached: true) }
        underWay = []
        if reboot {
            // Down for a while; the wall clock may come back wrong, and say so.
            time += Int64.random(in: 1000...7_200_000, using: &dice)
            bootedAt = time - 5000
            boots += 1
            isSynchronised = chance(0.5)
            wallAhead = 0
            if !isSynchronised { wallAhead = Int64.random(in: -36_000_000...36_000_000, using: &dice) }
        }
        let reading = LimitClock.Reading(
            boot: String(boots), tick: tick, wall: wall, isSynchronised: isSynchronised && wallAhead == 0)
        queue = try Queue(path: folder.file("q.db"), reading: reading, attemptMax: queue.attemptMax)
        try run { _ = try $0.recoverClaimed(now: self.wall) }
        for (id, one) in info where one.state == .processing { info[id]?.unknown = true }
        isSynchronised = true
        wallAhead = 0
    }

    func setWallClock(ahead: Int64) { wallAhead = ahead }

    func batch() throws -> MessageID { try run { try $0.openBatch(account: 1, now: self.wall) } }

    func claimAll(_ slots: Int) throws -> [Attempt] {
        try run { try $0.claim(slots: slots, now: self.wall) }.attempts
    }

    /// Pauses something for a while or for good, or ends a pause.
    func pauseOrResume() throws {
        if chance(0.4) { return try resumeAll() }
        let line = chance(0.5) ? queue.line(named: "a", account: 1)?.id : nil
        let (scope, target): (PauseScope, String?) =
            [(.everything, nil), (.line, nil), (.template, "t"), (.priority, "low")][Int(random(0...3))]
        let until = chance(0.5) ? Timestamp(milliseconds: wall.milliseconds + random(1000...7_200_000)) : nil
        _ = try run {
            try $0.pause(
                Pause(
                    account: 1, scope: scope, line: scope == .everything ? nil : line, target: target, reason: nil,
                    who: "test", createdAt: self.wall, until: until))
        }
    }

    func resumeAll() throws { _ = try run { try $0.resume(1) { _ in true } } }

    // MARK: Time

    /// Lets so much time pass, doing at each moment what there is to do.
    func pass(_ span: Int64, slots: Int = 8, latency: ClosedRange<Int64> = 50...2000, errors: Double = 0) throws {
        let end = time + span
        var turns = 0
        while time < end {
            turns += 1
            if turns == 20_000 { return problem("it wakes without end: 20000 turns in \(time - end + span) ms") }
            try turn(slots: slots, latency: latency, errors: errors)
            var next = underWay.map(\.endsAt).min() ?? end
            if let gate = try queue.nextGate() {
                next = min(next, Int64(queue.tick(of: gate) / 1_000_000) + bootedAt)
            }
            if let wake = queue.nextWake() { next = min(next, wake.milliseconds - Self.epoch - wallAhead) }
            time = min(end, max(next, time + 1))
        }
    }

    private func turn(slots: Int, latency: ClosedRange<Int64>, errors: Double) throws {
        for flight in underWay where flight.endsAt <= time { try land(flight, errors) }
        underWay.removeAll { $0.endsAt <= time }
        for _ in 0..<50 {
            _ = try run { try $0.expirePauses(self.wall) }
            while try run({ try $0.clockMoved(self.wall) }) {}
            let claimed = try run { try $0.claim(slots: slots - self.underWay.count, now: self.wall) }
            for attempt in claimed.attempts { leave(attempt, latency) }
            if !claimed.goOn, claimed.attempts.isEmpty { break }
        }
    }

    private func leave(_ attempt: Attempt, _ latency: ClosedRange<Int64>) {
        attempts += 1
        guard let one = info[attempt.message] else { return problem("a message nobody submitted left") }
        // Under two names two may be on their way when Meta tells that they are one.
        let isAlias = known(attempt.to) != attempt.to
        for (id, other) in info
        where !isAlias && other.key == one.key && other.priority == one.priority && id != attempt.message {
            if other.state == .processing, !other.unknown { problem("two to one person are under way") }
            if other.state == .retrying, id < attempt.message { problem("an earlier one is to be tried again first") }
            if other.state == .queued, id < attempt.message {
                problem("out of order: \(id) waits, \(attempt.message) left")
            }
        }
        info[attempt.message]?.state = .processing
        info[attempt.message]?.unknown = false
        let endsAt = time + Int64.random(in: latency, using: &dice)
        underWay.append((attempt, endsAt, Int64.random(in: time...endsAt, using: &dice)))
    }

    private func land(_ flight: (attempt: Attempt, endsAt: Int64, arrival: Int64), _ errors: Double) throws {
        let bad = Failure(code: "131016", message: "bad moment")
        var outcome = Outcome.accepted(
            wamid: "wamid.\(attempts).\(flight.attempt.message.rawValue)", person: known(flight.attempt.to))
        if chance(errors) {
            switch Int.random(in: 0..<5, using: &dice) {
            case 0: outcome = .unknown(bad)
            case 1: outcome = .refused(bad, .forNow(askedFor: nil))
            case 2: outcome = .refused(Failure(code: "131056", message: "pair"), .throttled(askedFor: .seconds(6)))
            case 3: outcome = .refused(bad, .lineLater(askedFor: nil))
            default: outcome = .refused(bad, .forGood)
            }
        }
        if case .refused = outcome {} else { landed(flight.attempt, at: flight.arrival, reached: true) }
        var dice = dice
        let recorded = try run { try $0.record(outcome, flight.attempt, now: self.wall, chance: &dice) }
        self.dice = dice
        switch recorded {
        case .moved(let state): info[flight.attempt.message]?.state = state
        case .unknown: info[flight.attempt.message]?.unknown = true
        case .noted, .duplicate, .nothing: problem("the outcome of a running attempt changed nothing")
        }
    }

    // MARK: The checker

    private func problem(_ text: String) { if problems.count < 20 { problems.append("at \(time): \(text)") } }

    /// A message arrived with Meta then, or may have: counted as Meta counts.
    private func landed(_ attempt: Attempt, at arrival: Int64, reached: Bool) {
        guard let one = info[attempt.message], let line = queue.line(one.key.line) else { return }
        var bucket = buckets[one.key] ?? (45, arrival)
        let since = max(0, arrival - bucket.at)
        bucket = (min(45, bucket.tokens + Double(since) / 6000) - 1, max(bucket.at, arrival))
        if bucket.tokens < -0.001 { problem("the pair \(one.key) got one too many") }
        buckets[one.key] = bucket
        if let until = windows[one.key], arrival < until { return }
        sends.append(Send(pool: line.pool, person: one.key.person, from: arrival, to: arrival))
        let recent = Set(
            sends.filter { $0.pool == line.pool && $0.to > arrival - 86_400_000 && $0.from <= arrival }.map(\.person))
        if recent.count > people { problem("\(recent.count) people in 24 hours, \(people) are allowed") }
        if sends.count > 4000 { sends.removeFirst(2000) }
    }

    /// People written to outside windows within the last day, by pool.
    func peopleToday(_ pool: String) -> Int {
        guard let id = queue.pool(named: pool, account: 1)?.id else { return 0 }
        return Set(sends.filter { $0.pool == id && $0.to > time - 86_400_000 }.map(\.person)).count
    }

    func waiting() -> Int { info.values.count { $0.state.isWaiting } }

    func randomPerson() -> String { person(Int.random(in: 0..<persons, using: &dice)) }
    func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &dice) }
    func happens(_ share: Double) -> Bool { chance(share) }

    /// Memory against the file, and every message against what is known of it.
    func compare() throws {
        let reader = try QueueReader(path: folder.file("q.db"))
        for id in submitted {
            guard let message = try reader.message(id, account: 1) else {
                problem("message \(id) is gone")
                continue
            }
            let seen = info[id]?.state
            if message.state != seen, !(message.state == .queued && (seen == .retrying || seen == .scheduled)) {
                problem("message \(id) is \(message.state), \(String(describing: info[id]?.state)) was seen")
            }
        }
        problems += try queue.disagreements(nothingRemoved: true)
    }
}
