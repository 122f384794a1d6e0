/// Holds an endpoint back that does not take its events: after some failures in a row only single calls see whether it
/// is there again.
package struct CallbackBreaker: Equatable, Sendable {
    /// What of it is stored: a restart goes on waiting.
    package struct State: Equatable, Sendable {
        /// In a row; nothing was taken since the first of them.
        package var failures: Int64
        /// When the first of them was.
        package var since: Timestamp
        /// The next call; nil: not held.
        package var until: Timestamp?
        package var error: String

        package init(failures: Int64, since: Timestamp, until: Timestamp?, error: String) {
            self.failures = failures
            self.since = since
            self.until = until
            self.error = error
        }
    }

    /// Nil: the last call was taken, or there was none yet.
    package private(set) var state: State?

    package static let failuresMax: Int64 = 5
    private static let firstWait = Duration.seconds(5)
    private static let waitMax = Duration.seconds(600)
    /// What an endpoint may ask for at most.
    package static let askedForMax = Duration.seconds(3600)

    package init(_ state: State? = nil) { self.state = state }

    package var isOpen: Bool { state?.until != nil }
    package var opensAt: Timestamp? { state?.until }

    /// A clock that was set back does not make the wait longer than any wait.
    package func holds(now: Timestamp) -> Bool {
        guard let until = state?.until else { return false }
        return now < until && until <= now + Self.askedForMax
    }

    /// Probes take turns: the oldest event, then one that was not tried yet, so that an event the endpoint cannot
    /// digest does not keep the others out.
    package var probesTheOldest: Bool { ((state?.failures ?? 0) - Self.failuresMax) % 2 == 0 }

    package mutating func succeeded() { state = nil }

    /// `wasProbe`: it was made to see whether the endpoint is there again.
    package mutating func failed(
        _ error: String, askedFor: Duration?, wasProbe: Bool, now: Timestamp, chance: inout some RandomNumberGenerator
    ) {
        // One of those that were under way when it opened.
        if isOpen, !wasProbe { return }
        let failures = (state?.failures ?? 0) + 1
        var until: Timestamp?
        if failures >= Self.failuresMax || askedFor != nil {
            let doublings = min(max(failures - Self.failuresMax, 0), 16)
            let bound = min(Self.firstWait.wholeMilliseconds << doublings, Self.waitMax.wholeMilliseconds)
            let wait = Duration.milliseconds(Int64.random(in: bound * 4 / 5...bound, using: &chance))
            until = now + max(wait, min(askedFor ?? .zero, Self.askedForMax))
        }
        state = State(failures: failures, since: min(state?.since ?? now, now), until: until, error: error)
    }
}
