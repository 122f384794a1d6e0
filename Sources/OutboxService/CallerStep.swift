import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// A call on its way.
struct CallbackCall: Sendable {
    var subscription: Int64
    /// Those it tells; none: a test.
    var events: [Int64]
    /// Who awaits the test's result.
    var exchange: Exchange?
    /// The message received that the called one may answer, as a line's bot; nil: its answer is not read.
    var question: BotQuestion?
    /// Of the steady clock.
    var startedAt: UInt64
}

enum CallerMail: Sendable {
    /// The log has grown.
    case logged
    /// Somebody made, changed or removed it, or wants events of it again.
    case changed([Int64])
    /// So many reports of each are stored.
    case recorded([Int64: Int])
    case ended(CallbackCall, HTTPResult, at: UInt64)
    case test(Exchange, Int64, account: Int64)
    case secretsReloaded
    /// Begin no more calls; what is broken off from now on is to be made again.
    case stop
    case end
}

/// One turn of whoever calls the endpoints of subscriptions: what came back is reported, what may go now goes. Knows
/// neither threads nor clocks, and writes nothing: a crash repeats the calls whose reports were not stored.
final class CallerStep<Chance: RandomNumberGenerator> {
    struct Outputs {
        var calls: [(OutgoingRequest, CallbackCall)] = []
        var reports: [CallbackReport] = []
        var answers: [(Exchange, HTTPResponse)] = []
        var log: [LogLine] = []
        /// Take the next turn at once.
        var goOn = false
        var wake: Timestamp?
    }

    struct Endpoint {
        var subscription: Subscription
        /// Nil: it is not active.
        var queue: CallbackQueue?
        /// Results that are in no report yet.
        var results: [Delivery] = []
        /// Replies of a bot that go with them.
        var replies: [BotReply] = []
        /// Reports the writer has not stored yet.
        var unconfirmed = 0
        var reportedCursor: Int64
        /// Since when it has passed by events that do not concern it, and nobody knows.
        var lagSince: Timestamp?
        var reportedBreaker: CallbackBreaker.State?
        var disable: String?
        /// What speaks against its address, under the setting it was looked at with.
        var address: (allowsHTTP: Bool, problem: String?)?
        /// With the secrets as they were last read.
        var signing: CallbackSigning?
        /// Without a secret nothing is signed: until when the journal knows.
        var noSecretUntil: Timestamp?

        var isQuiet: Bool { (queue?.underWay ?? 0) == 0 && results.isEmpty && unconfirmed == 0 && disable == nil }
    }

    /// Calls under way at a time, over all endpoints.
    static var callsMax: Int { 128 }
    static var testsMax: Int { 8 }
    /// Reports of an endpoint on their way to the disk: with more of them nothing new is begun.
    static var unconfirmedMax: Int { 16 }
    /// Slices of the log looked through in one turn.
    private static var slicesMax: Int { 20 }
    /// Events passed by that do not concern a subscription, before that is worth a write.
    private static var cursorLagMax: Int64 { 1000 }
    private static var cursorLagPatience: Duration { .seconds(10) }
    static var secretPatience: Duration { .seconds(60) }
    private static var readPatience: Duration { .seconds(1) }

    let reader: CallbackReader
    let log: LogReader
    let store: QueueReader
    let codec: IDCodec
    let secret: (String) -> String?
    let allowsHTTP: () -> Bool
    var chance: Chance
    let parser = JSONParser()
    var endpoints: [Int64: Endpoint] = [:]
    var stale: Set<Int64> = []
    var tests = 0
    var turns = 0
    private var listened = true
    var stopping = false

    /// `secret` reads one by its name.
    init(
        _ queueReader: QueueReader, chance: Chance, secret: @escaping (String) -> String?,
        allowsHTTP: @escaping () -> Bool
    ) throws {
        reader = try CallbackReader(queueReader)
        log = try LogReader(queueReader)
        store = queueReader
        codec = queueReader.codec
        self.chance = chance
        self.secret = secret
        self.allowsHTTP = allowsHTTP
        stale = Set(try reader.subscriptions().map(\.id))
    }

    /// Of active subscriptions.
    var gauges: [CallbackGauge] {
        endpoints.values.compactMap { endpoint in
            endpoint.queue.map {
                CallbackGauge(
                    subscription: endpoint.subscription.id, loaded: $0.count, readTo: $0.readTo,
                    isHeld: $0.breaker.state?.until != nil)
            }
        }
    }

    /// Somebody is to be told of what happens; else nobody need say that the log has grown.
    var listens: Bool { !stale.isEmpty || endpoints.values.contains { $0.queue != nil } }

    func turn(_ mail: [CallerMail], now: Timestamp, tick: UInt64) -> Outputs {
        var outputs = Outputs()
        for mail in mail { take(mail, now, tick, &outputs) }
        do {
            for id in stale.sorted() where endpoints[id]?.isQuiet ?? true { try load(id) }
            if !stopping { try readOn(&outputs) }
        } catch {
            unreadable(error, now, &outputs)
        }
        if !stopping { startCalls(now, tick, &outputs) }
        for id in endpoints.keys.sorted() { report(id, now, &outputs) }
        outputs.wake = (endpoints.values.map { wake(of: $0, now) } + [outputs.wake]).compactMap { $0 }.min()
        // What happened before anybody listened was not told: it is looked for once more.
        if listens, !listened { outputs.goOn = true }
        listened = listens
        return outputs
    }

    /// Nothing is lost by it: it is read again.
    func unreadable(_ error: any Error, _ now: Timestamp, _ outputs: inout Outputs) {
        outputs.log.append(LogLine(.error, .readFailed, "the log could not be read for callbacks: \(error)"))
        outputs.goOn = false
        outputs.wake = now + Self.readPatience
    }

    private func wake(of endpoint: Endpoint, _ now: Timestamp) -> Timestamp? {
        guard !stopping, !stale.contains(endpoint.subscription.id), let queue = endpoint.queue else { return nil }
        // What could go already waits for a call to end or for the disk, not for time.
        return [queue.nextWake(now: now), endpoint.lagSince.map { $0 + Self.cursorLagPatience }]
            .compactMap { $0 }.filter { $0 > now }.min()
    }

    // MARK: What came

    private func take(_ mail: CallerMail, _ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs) {
        switch mail {
        case .logged, .end: break
        case .changed(let ids): stale.formUnion(ids)
        case .recorded(let counts):
            for (id, count) in counts { endpoints[id]?.unconfirmed -= count }
        case .ended(let call, let result, let at): ended(call, result, at, now, &outputs)
        case .test(let exchange, let id, let account): test(id, account, exchange, now, tick, &outputs)
        case .secretsReloaded: for id in endpoints.keys { endpoints[id]?.noSecretUntil = nil }
        case .stop: stopping = true
        }
    }

    func outcome(of result: HTTPResult, _ now: Timestamp) -> CallbackOutcome {
        switch result {
        case .answered(let status, let headers, _):
            .answered(
                status: status, retryAfter: headers.first { $0.name == "retry-after" }?.value, now: now)
        case .notSent(let text), .broken(let text):
            .failed(status: nil, error: String(text.prefix(200)), askedFor: nil)
        }
    }

    private func ended(
        _ call: CallbackCall, _ result: HTTPResult, _ at: UInt64, _ now: Timestamp, _ outputs: inout Outputs
    ) {
        let outcome = outcome(of: result, now)
        guard let event = call.events.first else { return testEnded(call, outcome, at, &outputs) }
        if stopping, case .failed(nil, _, _) = outcome {
            endpoints[call.subscription]?.queue?.abandoned(call.events)
            return
        }
        let deliveries = settle(call.subscription, call.events, outcome, now, &outputs)
        guard deliveries.first?.status == .delivered, let question = call.question,
            case .answered(_, _, let body) = result, let content = question.reply(in: body, parser, now)
        else { return }
        endpoints[call.subscription]?.replies.append(
            BotReply(
                event: event, inbound: question.inbound, line: question.line, account: question.account,
                content: content))
    }

    /// Answers how the events stand now.
    @discardableResult
    func settle(
        _ id: Int64, _ events: [Int64], _ outcome: CallbackOutcome, _ now: Timestamp, _ outputs: inout Outputs
    ) -> [Delivery] {
        guard let ended = endpoints[id]?.queue?.ended(events, outcome, now: now, chance: &chance) else { return [] }
        endpoints[id]?.results += ended.deliveries
        for (change, delivery) in ended.changes {
            if case .disabled(let reason) = change {
                endpoints[id]?.disable = reason
                // It begins nothing more until it is read again.
                stale.insert(id)
            }
            outputs.log.append(words(change, id, delivery))
        }
        return ended.deliveries
    }

    func words(_ change: CallbackQueue.Change, _ id: Int64, _ delivery: Delivery) -> LogLine {
        var fields: [(LogLine.Field, String)] = [(.subscription, String(id))]
        let error = delivery.error ?? ""
        switch change {
        case .gaveUp:
            if let message = delivery.message { fields.append((.message, codec.text(message))) }
            let text = "event \(delivery.event) is given up after \(delivery.attempts) tries: \(error)"
            return LogLine(.warning, .eventGivenUp, text, fields)
        case .held:
            let text = "a subscription's endpoint takes nothing; single calls will see when it does: \(error)"
            return LogLine(.warning, .endpointHeld, text, fields)
        case .released:
            return LogLine(.notice, .endpointReleased, "a subscription's endpoint takes events again", fields)
        case .disabled(let reason):
            return LogLine(.error, .subscriptionDisabled, "a subscription is inactive from now on: \(reason)", fields)
        }
    }

    // MARK: What there is

    /// Nothing of it is under way: what the file says is all there is.
    private func load(_ id: Int64) throws {
        guard let subscription = try reader.subscription(id) else {
            endpoints[id] = nil
            stale.remove(id)
            return
        }
        var endpoint = Endpoint(
            subscription: subscription, reportedCursor: subscription.cursor, reportedBreaker: subscription.breaker)
        if subscription.settings.isActive {
            endpoint.queue = CallbackQueue(
                cursor: subscription.cursor, breaker: subscription.breaker,
                eventsPerCall: subscription.settings.eventsPerCall)
            try readStored(&endpoint, after: 0)
        }
        endpoints[id] = endpoint
        stale.remove(id)
    }

    private func readStored(_ endpoint: inout Endpoint, after event: Int64) throws {
        let limit = CallbackQueue.loadedMax / 2
        let waiting = try reader.waiting(endpoint.subscription.id, after: event, limit: limit + 1)
        endpoint.queue?.take(stored: Array(waiting.prefix(limit)), hasMore: waiting.count > limit)
    }

    /// Answers whether there is more to look through.
    private func readOn(_ endpoint: inout Endpoint) throws -> Bool {
        while let event = endpoint.queue?.storedWanted { try readStored(&endpoint, after: event) }
        for _ in 0..<Self.slicesMax {
            guard let queue = endpoint.queue, queue.freshWanted > 0 else { return false }
            let (fresh, readTo) = try reader.fresh(
                endpoint.subscription, after: queue.readTo, limit: queue.freshWanted)
            guard readTo > queue.readTo else { return false }
            endpoint.queue?.take(fresh: fresh, readTo: readTo)
        }
        return true
    }

    // MARK: What goes

    /// Endpoints that may be called.
    var open: [Int64] { endpoints.keys.sorted().filter { endpoints[$0]?.queue != nil && !stale.contains($0) } }

    private func readOn(_ outputs: inout Outputs) throws {
        for id in open {
            guard var endpoint = endpoints[id] else { continue }
            if try readOn(&endpoint) { outputs.goOn = true }
            endpoint.results += endpoint.queue?.park() ?? []
            endpoints[id] = endpoint
        }
    }

    private func report(_ id: Int64, _ now: Timestamp, _ outputs: inout Outputs) {
        guard let endpoint = endpoints[id], let queue = endpoint.queue else { return }
        let cursor = queue.cursor
        let breaker = queue.breaker.state
        let lag = cursor - endpoint.reportedCursor
        if lag == 0 {
            endpoints[id]?.lagSince = nil
        } else if endpoint.lagSince == nil {
            endpoints[id]?.lagSince = now
        }
        let lagIsOld = endpoint.lagSince.map { $0 + Self.cursorLagPatience <= now } ?? false
        guard
            !endpoint.results.isEmpty || endpoint.disable != nil || breaker != endpoint.reportedBreaker
                || lag >= Self.cursorLagMax || lag > 0 && (stopping || lagIsOld)
        else { return }
        var report = CallbackReport(
            subscription: id, revision: endpoint.subscription.revision,
            replays: endpoint.subscription.replays, cursor: cursor, breaker: breaker, deliveries: endpoint.results,
            disable: endpoint.disable)
        report.replies = endpoint.replies
        outputs.reports.append(report)
        endpoints[id]?.results = []
        endpoints[id]?.replies = []
        endpoints[id]?.disable = nil
        endpoints[id]?.unconfirmed += 1
        endpoints[id]?.reportedCursor = cursor
        endpoints[id]?.lagSince = nil
        endpoints[id]?.reportedBreaker = breaker
    }
}
