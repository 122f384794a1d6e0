import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// The writer and the caller of endpoints in one simulated time, with web servers played by the test.
final class CallbackWorld {
    let folder = TemporaryFolder()
    private var queue: Queue
    private var writer: WriterStep<Dice>
    private var caller: CallerStep<Dice>
    private(set) var now = Timestamp(milliseconds: 1_800_000_000_000)
    let start = Timestamp(milliseconds: 1_800_000_000_000)
    private var seed: UInt64
    private var toWriter: [WriterInput] = []
    private var toCaller: [CallerMail] = []
    private var underWay: [(call: CallbackCall, result: HTTPResult, endsAt: Timestamp)] = []
    private var replies: [WriterReply] = []
    private(set) var answers: [HTTPResponse] = []
    private(set) var log: [LogLine] = []
    private var people = 0
    /// When the writer wants its next turn.
    private var writerWake: Timestamp?
    var allowsHTTP = false
    var secrets: [CallbackSecret] = []
    /// The caller is not told yet of subscriptions that were changed or removed.
    var hidesChanges = false
    /// What became of calls does not reach the writer: a kill comes first.
    var losesReports = false

    /// One call as an endpoint saw it.
    struct Seen: Equatable {
        var url: String
        /// The call's.
        var id: String
        var sequence: Int64
        var message: String?
        var status: Int
        var at: Timestamp
    }
    private(set) var seen: [Seen] = []

    /// What an endpoint answers to an event, and how long that takes: to a call what it answers to the first of its
    /// events that it does not take. Asked when a call begins.
    var answer: (_ url: String, _ sequence: Int64, _ now: Timestamp) -> (HTTPResult, Duration) = { _, _, _ in
        (.answered(status: 200, headers: [], body: []), .milliseconds(20))
    }

    init(seed: UInt64 = 1) throws {
        self.seed = seed
        (queue, writer, caller) = try Self.open(folder.file("outboxd.db"), now, seed, { nil }, { false })
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: "waba", credential: "c", messagesPerSecond: 10_000)
        settings.closedWindow = .leave
        _ = queue.together(1) { _ in
            _ = try queue.put(settings, account: Account.defaultID, now: now)
            _ = try queue.change("main", account: Account.defaultID, used: nil) { _ in PoolSettings(tier: .unlimited) }
        }
        secrets = [try #require(CallbackSecret(bytes: Array(1...32)))]
        try restart()
    }

    private static func tick(_ now: Timestamp) -> UInt64 { UInt64(now.milliseconds) * 1_000_000 }

    private static func open(
        _ path: String, _ now: Timestamp, _ seed: UInt64, _ secret: @escaping () -> String?,
        _ allowsHTTP: @escaping () -> Bool
    ) throws -> (Queue, WriterStep<Dice>, CallerStep<Dice>) {
        let queue = try Queue(
            path: path, reading: LimitClock.Reading(boot: "world", tick: tick(now), wall: now, isSynchronised: true))
        let writer = try WriterStep(queue: queue, slotsMax: 64, chance: Dice(seed: seed), shown: { $0 })
        let caller = try CallerStep(
            QueueReader(path: path), chance: Dice(seed: seed &+ 1), secret: { _ in secret() }, allowsHTTP: allowsHTTP)
        return (queue, writer, caller)
    }

    /// As after a kill: whatever was not committed is gone, calls under way too.
    func restart() throws {
        seed &+= 1
        (toWriter, toCaller, underWay, writerWake) = ([], [], [], now)
        (queue, writer, caller) = try Self.open(
            folder.file("outboxd.db"), now, seed,
            { [unowned self] in secrets.isEmpty ? nil : secrets.map(\.text).joined(separator: "\n") },
            { [unowned self] in allowsHTTP })
        _ = queue.together(1) { _ in _ = try queue.recoverClaimed(now: now) }
    }

    // MARK: Time

    /// Lets time pass, with everything that happens in it.
    func pass(_ span: Duration) throws {
        let until = now + span
        var turns = 0
        while true {
            turns += 1
            try #require(turns < 50_000, "time does not pass")
            let (wake, goOn) = try turn()
            if goOn { continue }
            guard let next = ([wake, writerWake] + underWay.map(\.endsAt)).compactMap({ $0 }).min(), next <= until
            else {
                now = until
                return
            }
            now = max(next, now)
        }
    }

    private func turn() throws -> (wake: Timestamp?, goOn: Bool) {
        let ended = underWay.filter { $0.endsAt <= now }
        underWay.removeAll { $0.endsAt <= now }
        toCaller += ended.map { .ended($0.call, $0.result, at: Self.tick(now)) }
        let mail = toCaller
        toCaller = []
        let calls = caller.turn(mail, now: now, tick: Self.tick(now))
        for (request, call) in calls.calls { try begin(request, call) }
        answers += calls.answers.map(\.1)
        log += calls.log
        let inputs = toWriter + (losesReports ? [] : calls.reports.map(WriterInput.callbacks))
        toWriter = []
        guard !inputs.isEmpty || writerWake.map({ $0 <= now }) ?? false else { return (calls.wake, calls.goOn) }
        let outputs = writer.turn(inputs, now: now, tick: Self.tick(now))
        #expect(outputs.fatal == nil)
        replies += outputs.replies.map(\.1)
        let paced = outputs.wakeTick.map { Timestamp(milliseconds: Int64(($0 + 999_999) / 1_000_000)) }
        writerWake =
            outputs.goOn ? now : [outputs.wake, paced].compactMap { $0 }.map { max($0, now + .milliseconds(1)) }.min()
        toWriter += outputs.attempts.map {
            .outcome(AttemptOutcome(attempt: $0, outcome: .accepted(wamid: "wamid.\($0.message.rawValue)")))
        }
        if !outputs.recordedReports.isEmpty { toCaller.append(.recorded(outputs.recordedReports)) }
        if !outputs.changedSubscriptions.isEmpty, !hidesChanges {
            toCaller.append(.changed(outputs.changedSubscriptions))
        }
        if outputs.logEnd != nil { toCaller.append(.logged) }
        return (calls.wake, calls.goOn || outputs.goOn || !toWriter.isEmpty || !toCaller.isEmpty)
    }

    private func begin(_ request: OutgoingRequest, _ call: CallbackCall) throws {
        let body = try JSONParser().parse(request.body)
        let events = body["events"].map { Array($0.elements) } ?? [body]
        let answers = events.map { answer(request.url, $0["seq"]?.integer ?? 0, now) }
        let (result, latency) = try #require(answers.first { Self.status($0.0) / 100 != 2 } ?? answers.first)
        let header = try #require(request.headers.first { $0.hasPrefix("webhook-id: ") })
        if body["events"] == nil { #expect(body["id"]?.string == String(header.dropFirst(12))) }
        #expect(request.headers.contains { $0.hasPrefix("webhook-signature: v1,") })
        for event in events {
            seen.append(
                Seen(
                    url: request.url, id: String(header.dropFirst(12)), sequence: event["seq"]?.integer ?? 0,
                    message: event["data"]?["messageId"]?.string, status: Self.status(result), at: now))
        }
        underWay.append((call, result, now + latency))
    }

    private static func status(_ result: HTTPResult) -> Int {
        if case .answered(let status, _, _) = result { status } else { 0 }
    }

    // MARK: Deeds

    let exchange = Exchange(descriptor: 1, serial: 1)

    func ask(_ input: WriterInput) throws -> WriterReply {
        replies = []
        toWriter.append(input)
        try pass(.milliseconds(1))
        return try #require(replies.first)
    }

    func subscribe(
        _ url: String, events: [String]? = nil, line: String? = nil, after: Int64? = nil, perCall: Int64? = nil
    )
        throws -> Int64
    {
        var json = JSONWriter()
        json.object {
            $0.field("url", url)
            $0.field("line", line)
            if let events { $0.array("events") { for event in events { $0.value(event) } } }
            $0.field("after", after)
            $0.field("eventsPerCall", perCall)
        }
        let body = try SubscriptionBody.read(
            try JSONParser().parse(json.bytes), isNew: true, allowsHTTP: allowsHTTP)
        guard case .subscription(let made, true) = try ask(.subscribe(exchange, body, secret: "s")) else {
            Issue.record("not subscribed")
            return 0
        }
        return made.id
    }

    func change(_ id: Int64, url: String, active: Bool = true, perCall: Int = 1) throws {
        let settings = SubscriptionSettings(url: url, isActive: active, eventsPerCall: perCall)
        _ = try ask(.changeSubscription(exchange, id, settings))
    }

    func replay(_ id: Int64, _ body: ReplayBody) throws -> WriterReply { try ask(.replay(exchange, id, body)) }

    func test(_ id: Int64) throws -> JSONValue? {
        answers = []
        toCaller.append(.test(exchange, id, account: 1))
        try pass(.seconds(20))
        return try answers.first.map { try JSONParser().parse($0.body) }
    }

    func tellWriter(_ input: WriterInput) { toWriter.append(input) }

    /// A few messages, each to somebody else: each is accepted, claimed and sent.
    func submit(_ count: Int) throws {
        for _ in 0..<count {
            people += 1
            let to = try #require(Recipient("1415\(5_000_000 + people)"))
            let draft = Draft(line: "main", to: to, type: "text", content: Array(#"{"body":"hi"}"#.utf8))
            toWriter.append(.submit(exchange, draft))
        }
    }

    // MARK: Looks

    var path: String { folder.file("outboxd.db") }

    func reader() throws -> CallbackReader { try CallbackReader(QueueReader(path: folder.file("outboxd.db"))) }

    func subscription(_ id: Int64) throws -> Subscription { try #require(try reader().subscription(id)) }

    func deliveries(_ id: Int64, _ status: DeliveryStatus? = nil) throws -> [Delivery] {
        try reader().deliveries(id, status: status, before: .max, limit: 100_000).map(\.delivery)
    }

    /// Every event of the log that has a public name.
    func events() throws -> [LoggedEvent] {
        try LogReader(QueueReader(path: folder.file("outboxd.db")))
            .events(after: 0, limit: 100_000, account: Account.defaultID).filter { $0.kind.publicName != nil }
    }

    func oldestNeeded() throws -> Int64? { try queue.oldestNeededEvent() }

    /// The calls that were taken, in the order they ended.
    func taken(_ url: String) -> [Seen] { seen.filter { $0.url == url && (200...299).contains($0.status) } }

    /// Whether what was taken kept each message's order, repetitions aside.
    func keptOrder(_ url: String) -> Bool {
        var last: [String: Int64] = [:]
        var known: Set<Int64> = []
        for call in taken(url) where known.insert(call.sequence).inserted {
            guard let message = call.message else { continue }
            if last[message, default: 0] > call.sequence { return false }
            last[message] = call.sequence
        }
        return true
    }
}
