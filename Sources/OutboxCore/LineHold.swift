/// Holds a line, or Meta as a whole, back while nothing gets through, so that a dead network or a bad token costs one
/// real message now and then and not the whole backlog again and again: a circuit breaker.
package struct LineHold: Equatable, Sendable {
    /// What of it is stored: a restart goes on waiting.
    package struct State: Equatable, Sendable {
        /// Failures since the last one that got through; those that were under way together count once.
        package var failures: Int64
        package var since: Timestamp
        package var until: Timestamp
        package var failure: Failure

        package init(failures: Int64, since: Timestamp, until: Timestamp, failure: Failure) {
            self.failures = failures
            self.since = since
            self.until = until
            self.failure = failure
        }
    }

    /// Nil: nothing is held.
    package private(set) var state: State?
    /// Its outcome decides whether the hold ends.
    private var probing = false
    /// Failures in a row that do not hold alone.
    private var inARow = 0

    private static let firstWait = Duration.seconds(1)
    private static let waitMax = Duration.seconds(60)
    /// Bad moments of Meta's in a row that are one too many.
    package static let inARowMax = 10

    package init(_ state: State? = nil) { self.state = state }

    package var isHolding: Bool { state != nil }
    package var isIdle: Bool { state == nil && inARow == 0 }

    /// When the next message may try; nil while nothing is held or the probe is out.
    package var wake: Timestamp? { probing ? nil : state?.until }

    /// How many of `wanted` messages may leave now: all, none, or one to see whether it gets through.
    package func allowed(_ wanted: Int, now: Timestamp) -> Int {
        guard let state else { return wanted }
        return probing || now < state.until ? 0 : min(wanted, 1)
    }

    /// That many were let out.
    package mutating func claimed(_ count: Int) {
        if state != nil, count > 0 { probing = true }
    }

    /// The message that was to try did not get as far as saying anything: another one may.
    package mutating func probeLost() { probing = false }

    /// Whether a new message would only wait: its time to try has not come, or another one is trying.
    package func refuses(now: Timestamp) -> Bool { state.map { probing || now < $0.until } ?? false }

    /// What an attempt's end says about the way to Meta.
    package enum Sign: Equatable, Sendable {
        case through
        /// Meta had a bad moment: many in a row hold.
        case weak(Failure)
        /// Nothing gets through: holds at once.
        case blocked(Failure, askedFor: Duration?)
    }

    /// `mayHold`: what is seen is enough to hold at all.
    package mutating func attemptEnded(
        _ sign: Sign, mayHold: Bool = true, now: Timestamp, chance: inout some RandomNumberGenerator
    ) {
        switch sign {
        case .through: self = LineHold()
        case .weak(let failure):
            inARow += 1
            if state != nil || (mayHold && inARow >= Self.inARowMax) { hold(failure, nil, now, &chance) }
        case .blocked(let failure, let askedFor): hold(failure, askedFor, now, &chance)
        }
    }

    private mutating func hold(
        _ failure: Failure, _ askedFor: Duration?, _ now: Timestamp, _ chance: inout some RandomNumberGenerator
    ) {
        // One of many that were under way when the hold began.
        if let state, !probing, now < state.until { return }
        let failures = (state?.failures ?? 0) + 1
        probing = false
        let bound = min(Self.firstWait.wholeMilliseconds << min(failures - 1, 16), Self.waitMax.wholeMilliseconds)
        let wait = Duration.milliseconds(Int64.random(in: bound / 2...bound, using: &chance))
        state = State(
            failures: failures, since: state?.since ?? now, until: now + max(wait, askedFor ?? .zero),
            failure: failure)
    }
}
