import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxMeta
import OutboxStore

/// What the writer counts as it goes, since the start of the process; belongs to its thread. Whoever asks gets a copy.
struct WriterMetrics: Sendable {
    struct Attempts: Hashable, Sendable {
        var line: Int64
        var outcome: String
        /// Empty for one that was accepted.
        var code: String
    }

    /// Messages at a gate, and how long they and those before them waited there together.
    private struct Waiting: Sendable {
        var messages: Int64
        /// Of the steady clock, in nanoseconds.
        var since: UInt64
        var seconds = 0.0

        func seconds(until tick: UInt64) -> Double { seconds + Double(messages) * Double(tick - since) / 1e9 }
    }

    private(set) var submitted: [Int64: Int64] = [:]
    private(set) var entered: [Tally.LineState: Int64] = [:]
    private(set) var deferred: [Tally.LineGate: Int64] = [:]
    private(set) var attempts: [Attempts: Int64] = [:]
    /// Of Meta, taken, by app.
    private(set) var webhooks: [String: Int64] = [:]
    /// Events that ended at a subscription's endpoint.
    private(set) var callbacks: [DeliveryStatus: Int64] = [:]
    private(set) var sends = Histogram([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
    private(set) var lateness = Histogram([0.01, 0.1, 0.5, 1, 5, 30, 60, 300, 1800])
    private(set) var commits = Histogram([0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5])
    private var waiting: [Tally.LineGate: Waiting] = [:]
    /// Messages that waited before the first turn.
    private var waitedBefore: [Tally.LineGate: Int64] = [:]

    /// Those who wait already count from the first turn on: until then there is no clock.
    init(_ queue: Queue) {
        for line in queue.allLines {
            for gate in Gate.allCases where gate != .none {
                let place = Tally.LineGate(line: line.id, gate: gate)
                let count = queue.count(of: place)
                if count > 0 { waitedBefore[place] = count }
            }
        }
    }

    /// After every turn.
    mutating func take(_ queue: Queue, tick: UInt64) {
        if let commit = queue.takeCommitDuration() { commits.add(commit.inSeconds) }
        let tally = queue.takeTally()
        for (place, count) in waitedBefore { waiting[place] = Waiting(messages: count, since: tick) }
        waitedBefore = [:]
        for (line, count) in tally.submitted { submitted[line, default: 0] += count }
        for (place, count) in tally.entered { entered[place, default: 0] += count }
        for (place, count) in tally.deferred { deferred[place, default: 0] += count }
        for late in tally.lateness { lateness.add(Double(late) / 1000) }
        for place in tally.touched {
            let seconds = waiting[place]?.seconds(until: tick) ?? 0
            waiting[place] = Waiting(messages: queue.count(of: place), since: tick, seconds: seconds)
        }
    }

    /// Something that is stored now.
    mutating func count(_ input: WriterInput) {
        switch input {
        case .outcome(let outcome): count(outcome)
        case .webhook(_, let webhook): webhooks[webhook.app, default: 0] += 1
        case .callbacks(let report):
            for delivery in report.deliveries where delivery.status != .waiting {
                callbacks[delivery.status, default: 0] += 1
            }
        default: break
        }
    }

    private mutating func count(_ outcome: AttemptOutcome) {
        let (name, code): (String, String) =
            switch outcome.outcome {
            case .accepted: ("accepted", "")
            case .unknown(let failure): ("unknown", failure.code)
            case .refused(let failure, .forGood): ("refused", failure.code)
            case .refused(let failure, .forNow): ("try_again", failure.code)
            case .refused(let failure, .throttled): ("throttled", failure.code)
            case .refused(let failure, .lineLater): ("line_later", failure.code)
            }
        let attempt = Attempts(line: outcome.attempt.line, outcome: name, code: Self.bounded(code))
        attempts[attempt, default: 0] += 1
        if let took = outcome.took { sends.add(took.inSeconds) }
    }

    /// A number that is not in the table of Meta's codes is `other`: nobody can say how many there are of those.
    private static func bounded(_ code: String) -> String {
        Int64(code).map { MetaError.of($0) == nil } ?? false ? "other" : code
    }

    /// The same with what waits counted up to that moment.
    func until(_ tick: UInt64) -> WriterMetrics {
        var metrics = self
        metrics.waited = waiting.mapValues { $0.seconds(until: tick) }
        return metrics
    }

    /// In seconds, by line and gate; filled by `until`.
    private(set) var waited: [Tally.LineGate: Double] = [:]
}

/// What the writer tells whoever asks for the metrics.
struct WriterMeasures: Sendable {
    var queue: QueueSnapshot
    var metrics: WriterMetrics
    /// Attempts whose outcome has not come back.
    var underWay: Int
    /// Of which nothing gets through.
    var heldLines: Set<Int64>
    var metaIsHeld: Bool
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
