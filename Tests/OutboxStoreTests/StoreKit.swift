import OutboxCore
import OutboxStore
import TestKit
import Testing

/// A queue in a folder of its own, with one line, a clock set by hand and dice from a seed.
final class Bench {
    let folder = TemporaryFolder()
    var queue: Queue
    var dice = Dice(seed: 7)
    var now = Timestamp(milliseconds: 1_800_000_000_000)

    var path: String { folder.file("outboxd.db") }

    init(policy: UnknownPolicy = .hold) throws {
        queue = try Queue(path: folder.file("outboxd.db"), reading: Self.reading(now))
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: nil, credential: "line.main.token", unknownPolicy: policy,
            unknownGrace: .seconds(60))
        settings.closedWindow = .leave
        try run { _ = try $0.put(settings, account: 1, now: self.now) }
    }

    /// One operation in a transaction of its own.
    @discardableResult
    func run<Value>(_ operation: (Queue) throws -> Value) throws -> Value {
        var value: Value?
        queue.set(tick: Self.tick(now), wall: now, isSynchronised: true)
        switch queue.together(1, { _ in value = try operation(self.queue) }) {
        case .done(let kept): if let error = kept[0] { throw error }
        case .nothing(let error): throw error
        }
        return try #require(value)
    }

    /// As after a kill: the file is opened again.
    func reopen() throws { queue = try Queue(path: path, reading: Self.reading(now)) }

    /// A boot clock that began with 1970: the limits' clock shows the bench's time.
    static func reading(_ now: Timestamp) -> LimitClock.Reading {
        LimitClock.Reading(boot: "bench", tick: tick(now), wall: now, isSynchronised: true)
    }

    static func tick(_ now: Timestamp) -> UInt64 { UInt64(now.milliseconds) * 1_000_000 }

    func draft(_ to: String = "14155552671", sendAt: Timestamp? = nil, expiresAt: Timestamp? = nil) throws -> Draft {
        Draft(
            line: nil, to: try #require(Recipient(to)), type: "text", content: Array(#"{"body":"hi"}"#.utf8),
            sendAt: sendAt, expiresAt: expiresAt, metadata: Array(#"{"order":1}"#.utf8))
    }

    @discardableResult
    func submit(
        _ to: String = "14155552671", sendAt: Timestamp? = nil, expiresAt: Timestamp? = nil, anyOrder: Bool = false
    ) throws -> MessageID {
        var draft = try draft(to, sendAt: sendAt, expiresAt: expiresAt)
        draft.anyOrder = anyOrder
        guard case .done(let submitted) = try run({ try $0.submit(draft, account: 1, batch: nil, now: self.now) })
        else { throw Unexpected() }
        return submitted.id
    }

    func submitted(_ draft: Draft) throws -> SubmitResult<Submitted> {
        try run { try $0.submit(draft, account: 1, batch: nil, now: self.now) }
    }

    /// Changes the line's settings.
    func change(_ body: (inout LineSettings) -> Void) throws {
        var settings = try #require(queue.line(named: "main", account: 1)).settings
        body(&settings)
        try run { _ = try $0.put(settings, account: 1, now: self.now) }
    }

    func setTier(_ tier: Tier) throws {
        try run { _ = try $0.change("main", account: 1, used: nil) { _ in PoolSettings(tier: tier) } }
    }

    /// People counted in a pool.
    func used(_ pool: String = "main") throws -> Int64? {
        try QueueReader(path: path).pools(account: 1, limitsNow: now).first { $0.pool.name == pool }?.used
    }

    func inbound(_ from: String, adClick: Bool = false) throws {
        let line = try #require(queue.line(named: "main", account: 1)).id
        try run { try $0.received(from: from, by: line, at: self.now, adClick: adClick, now: self.now) }
    }

    func claim(_ slots: Int = 1) throws -> [Attempt] { try run { try $0.claim(slots: slots, now: self.now) }.attempts }

    @discardableResult
    func record(_ outcome: Outcome, _ attempt: Attempt) throws -> Recorded {
        try run {
            try $0.record(outcome, attempt, now: self.now, chance: &self.dice)
        }
    }

    @discardableResult
    func report(
        _ report: Report, _ attempt: Attempt, wamid: String = "wamid.1", opaque: Bool = true, at: Timestamp? = nil,
        person: String? = nil, pricing: Pricing? = nil
    ) throws -> Applied {
        let status = StatusReport(
            phoneNumberID: "106", wamid: wamid, opaque: opaque ? attempt.opaque : nil, report: report, at: at ?? now,
            failure: report == .failed ? Failure(code: "131026", message: "Message undeliverable") : nil,
            person: person, pricing: pricing)
        return try run { try $0.apply(status, now: self.now) }
    }

    func tick(_ span: Duration) throws {
        now = now + span
        while try run({ try $0.clockMoved(self.now) }) {}
    }

    func message(_ id: MessageID) throws -> StoredMessage {
        try #require(try QueueReader(path: path).message(id, account: 1))
    }

    func events(_ id: MessageID) throws -> [EventKind] {
        let reader = try QueueReader(path: path)
        return try reader.timeline(of: #require(try reader.message(id, account: 1))).map(\.kind)
    }

    func count(_ state: MessageState) throws -> Int64 {
        try QueueReader(path: path).counts(account: 1).first { $0.state == state }?.count ?? 0
    }
}

struct Unexpected: Error {}

let down = Failure(code: "131016", message: "Service unavailable")
