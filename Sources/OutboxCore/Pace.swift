/// Spaces a line's sends so that no second holds more than its rate: one slot after the other, none saved up.
///
/// Moments are nanoseconds of a steady clock, which never jumps. After a restart the first slot is a whole interval
/// away, as if the process before had sent at its last moment.
package struct Pace: Equatable, Sendable {
    private var interval: UInt64
    private var nextSlot: UInt64

    /// Slots are this much further apart than the rate asks for: requests that leave evenly do not arrive evenly, and
    /// a second at the other end shall not hold one more.
    private static let spread = 1.005

    package init(perSecond: Int64, now: UInt64) {
        interval = Self.interval(perSecond)
        nextSlot = now + interval
    }

    private static func interval(_ perSecond: Int64) -> UInt64 { UInt64(1e9 / Double(max(perSecond, 1)) * spread) }

    /// Another rate from now on.
    package mutating func set(perSecond: Int64) { interval = Self.interval(perSecond) }

    /// The first moment at which a message may leave.
    package func next(now: UInt64) -> UInt64 { max(nextSlot, now) }

    /// How many of `wanted` messages have their slot not later than `horizon` from now.
    package func allowed(_ wanted: Int, now: UInt64, horizon: UInt64) -> Int {
        let first = next(now: now)
        guard first <= now + horizon else { return 0 }
        return min(wanted, Int((now + horizon - first) / interval) + 1)
    }

    /// Takes one slot and answers its moment.
    package mutating func take(now: UInt64) -> UInt64 {
        let slot = next(now: now)
        nextSlot = slot + interval
        return slot
    }

    /// Slots used up by what the line received: Meta counts that too.
    package mutating func spend(_ count: Int, now: UInt64) {
        nextSlot = next(now: now) + UInt64(count) * interval
    }
}
