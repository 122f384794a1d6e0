/// What holds whole lines back: nothing gets through (`LineHold`), or the second is full (`Pace`).
///
/// Moments in `tick` are nanoseconds of the steady clock.
package struct LineGates: Sendable {
    /// A line, as far as its gates care.
    package struct Subject: Equatable, Sendable {
        package var line: Int64
        package var perSecond: Int64

        package init(line: Int64, perSecond: Int64) {
            self.line = line
            self.perSecond = perSecond
        }
    }

    package enum Change: Equatable, Sendable { case held, released }

    /// How long before its slot a message may be claimed, in nanoseconds: long enough for a commit on a slow disk,
    /// short enough that little is open in a crash.
    private static let horizon: UInt64 = 20_000_000

    private var holds: [Int64: LineHold] = [:]
    private var paces: [Int64: Pace] = [:]

    package init() {}

    private mutating func pace(_ subject: Subject, _ tick: UInt64) -> Pace {
        let pace = paces[subject.line] ?? Pace(perSecond: subject.perSecond, now: tick)
        paces[subject.line] = pace
        return pace
    }

    /// How many of a line's ready messages may be claimed now.
    package mutating func allowed(_ ready: Int, of subject: Subject, now: Timestamp, tick: UInt64) -> Int {
        let released = holds[subject.line]?.allowed(ready, now: now) ?? ready
        return released == 0 ? 0 : pace(subject, tick).allowed(released, now: tick, horizon: Self.horizon)
    }

    /// A message was claimed: answers the moment of its slot.
    package mutating func claimed(_ subject: Subject, tick: UInt64) -> UInt64 {
        holds[subject.line]?.claimed(1)
        var pace = pace(subject, tick)
        defer { paces[subject.line] = pace }
        return pace.take(now: tick)
    }

    /// Received messages use slots, too.
    package mutating func received(_ count: Int, by subject: Subject, tick: UInt64) {
        var pace = pace(subject, tick)
        pace.spend(count, now: tick)
        paces[subject.line] = pace
    }

    /// Holds a line, or lets it go, by how an attempt of it ended.
    package mutating func attemptEnded(
        _ outcome: Outcome, line: Int64, now: Timestamp, chance: inout some RandomNumberGenerator
    ) -> Change? {
        var hold = holds[line] ?? LineHold()
        let wasHolding = hold.isHolding
        switch outcome {
        case .refused(_, .lineLater(let askedFor)):
            hold.attemptEnded(held: true, askedFor: askedFor, now: now, chance: &chance)
        case .unknown where wasHolding, .refused(_, .forNow) where wasHolding:
            // No sign that anything gets through.
            hold.attemptEnded(held: true, askedFor: nil, now: now, chance: &chance)
        case .accepted, .refused, .unknown:
            hold.attemptEnded(held: false, askedFor: nil, now: now, chance: &chance)
        }
        holds[line] = hold.isHolding ? hold : nil
        return hold.isHolding == wasHolding ? nil : wasHolding ? .released : .held
    }

    /// An operator changed the line: it may try at once, at its new rate.
    package mutating func changed(_ subject: Subject) {
        holds[subject.line] = nil
        paces[subject.line]?.set(perSecond: subject.perSecond)
    }

    /// Something was mended for all.
    package mutating func release() { holds = [:] }

    // MARK: When to look again

    /// The next moment at which one of these lines, which have messages ready, may try whether it gets through.
    package func nextProbe(of ready: [Subject], now: Timestamp) -> Timestamp? {
        ready.compactMap { holds[$0.line]?.wake }.filter { $0 > now }.min()
    }

    /// The next moment at which a slot of one of these lines is near enough to claim a message for it.
    package mutating func nextSlot(of ready: [Subject], now: Timestamp, tick: UInt64) -> UInt64? {
        var soonest: UInt64?
        for subject in ready where holds[subject.line]?.allowed(1, now: now) != 0 {
            let near = max(pace(subject, tick).next(now: tick), tick + Self.horizon) - Self.horizon / 2
            soonest = min(soonest ?? near, near)
        }
        return soonest
    }
}
