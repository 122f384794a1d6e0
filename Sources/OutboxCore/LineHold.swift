/// Holds a line back while nothing of it gets through, so that a dead network or a bad token costs one probe now and
/// then and not the whole backlog again and again.
///
/// Kept in memory: a restart probes at once.
package struct LineHold: Equatable, Sendable {
    /// Failures since the last one that got through; those that were under way together count once.
    private var failures: Int64 = 0
    private var until: Timestamp?
    /// Its outcome decides whether the hold ends.
    private var probing = false

    private static let firstWait = Duration.seconds(1)
    private static let waitMax = Duration.seconds(60)

    package init() {}

    package var isHolding: Bool { until != nil }

    /// When the next message may try; nil while nothing is held or the probe is out.
    package var wake: Timestamp? { probing ? nil : until }

    /// How many of `wanted` messages may leave now: all, none, or one to see whether it gets through.
    package func allowed(_ wanted: Int, now: Timestamp) -> Int {
        guard let until else { return wanted }
        return probing || now < until ? 0 : min(wanted, 1)
    }

    /// That many were let out.
    package mutating func claimed(_ count: Int) {
        if until != nil, count > 0 { probing = true }
    }

    /// An attempt ended; `held` when it met what holds the whole line.
    package mutating func attemptEnded(
        held: Bool, askedFor: Duration?, now: Timestamp, chance: inout some RandomNumberGenerator
    ) {
        guard held else {
            self = LineHold()
            return
        }
        // One of many that were under way when the hold began.
        if let until, !probing, now < until { return }
        failures += 1
        probing = false
        let bound = min(Self.firstWait.wholeMilliseconds << min(failures - 1, 16), Self.waitMax.wholeMilliseconds)
        let wait = Duration.milliseconds(Int64.random(in: bound / 2...bound, using: &chance))
        until = now + max(wait, askedFor ?? .zero)
    }
}
