/// Spaces a line's sends so that no second holds more than its rate: one slot after the other, none saved up, unless a
/// burst is set: then an idle line saves up slots, and so many messages may leave at once.
///
/// Moments are nanoseconds of a steady clock, which never jumps. After a restart the first slot is a whole interval
/// away, as if the process before had sent at its last moment. When Meta says the rate is too high it is narrowed, and
/// widens again by itself.
package struct Pace: Equatable, Sendable {
    private var full: Double
    /// Less than the full rate, as of a moment.
    private var narrowed: (rate: Double, at: UInt64)?
    private var nextSlot: UInt64
    private var burst: UInt64

    /// Slots are this much further apart than the rate asks for: requests that leave evenly do not arrive evenly, and
    /// a second at the other end shall not hold one more.
    private static let spread = 1.005
    /// What is left of the rate when Meta throttles, at most once a second, and the least that is.
    private static let narrowing = 0.7
    private static let leastShare = 0.05
    /// Share of the full rate that comes back each second.
    private static let widening = 0.04

    package init(perSecond: Int64, burst: Int64 = 1, now: UInt64) {
        self.burst = UInt64(max(burst, 1))
        full = Double(max(perSecond, 1))
        nextSlot = 0
        nextSlot = now + interval(now)
    }

    package static func == (a: Pace, b: Pace) -> Bool {
        a.full == b.full && a.burst == b.burst && a.nextSlot == b.nextSlot && a.narrowed?.rate == b.narrowed?.rate
            && a.narrowed?.at == b.narrowed?.at
    }

    /// Messages in a second, now.
    package func rate(now: UInt64) -> Double {
        guard let narrowed else { return full }
        let seconds = Double(max(now, narrowed.at) - narrowed.at) / 1e9
        return min(full, narrowed.rate + full * Self.widening * seconds)
    }

    /// From one slot to the next.
    func interval(_ now: UInt64) -> UInt64 { UInt64(1e9 / rate(now: now) * Self.spread) }

    /// Another rate from now on.
    package mutating func set(perSecond: Int64, burst: Int64 = 1) {
        self.burst = UInt64(max(burst, 1))
        guard Double(max(perSecond, 1)) != full else { return }
        full = Double(max(perSecond, 1))
        narrowed = nil
    }

    /// Meta said that it was too fast.
    package mutating func throttled(now: UInt64) {
        if let narrowed, now < narrowed.at + 1_000_000_000 { return }
        narrowed = (max(rate(now: now) * Self.narrowing, full * Self.leastShare), now)
    }

    /// The first moment at which a message may leave.
    package func next(now: UInt64) -> UInt64 { max(nextFree(now), now) }

    /// The next slot, saved up ones included.
    private func nextFree(_ now: UInt64) -> UInt64 {
        let saved = (burst - 1) * interval(now)
        return max(nextSlot, now > saved ? now - saved : 0)
    }

    /// How many of `wanted` messages have their slot not later than `horizon` from now.
    package func allowed(_ wanted: Int, now: UInt64, horizon: UInt64) -> Int {
        let first = nextFree(now)
        guard first <= now + horizon else { return 0 }
        return min(wanted, Int((now + horizon - first) / interval(now)) + 1)
    }

    /// Takes one slot and answers its moment.
    package mutating func take(now: UInt64) -> UInt64 {
        let slot = nextFree(now)
        nextSlot = slot + interval(now)
        return max(slot, now)
    }

    /// Slots used up by what the line received: Meta counts that too.
    package mutating func spend(_ count: Int, now: UInt64) {
        nextSlot = nextFree(now) + UInt64(count) * interval(now)
    }
}
