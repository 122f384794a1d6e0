/// What holds whole lines back: nothing gets through (`LineHold`), of one line or to Meta at all, or the second is full
/// (`Pace`).
///
/// Moments in `tick` are nanoseconds of the steady clock.
package struct LineGates: Sendable {
    /// A line, as far as its gates care.
    package struct Subject: Equatable, Sendable {
        package var line: Int64
        package var perSecond: Int64
        package var burst: Int64

        package init(line: Int64, perSecond: Int64, burst: Int64 = 1) {
            self.burst = burst
            self.line = line
            self.perSecond = perSecond
        }
    }

    package enum Change: Equatable, Sendable { case held, released, metaHeld, metaReleased }

    /// Stands for Meta as a whole among the lines.
    package static let meta: Int64 = 0

    /// How long before its slot a message may be claimed, in nanoseconds: long enough for a commit on a slow disk,
    /// short enough that little is open in a crash.
    private static let horizon: UInt64 = 20_000_000
    /// Meta's words for "too fast": the rate is narrowed.
    private static let throttles: Set<String> = ["4", "17", "341", "613", "80007", "130429", "131048", "HTTP_429"]

    private var holds: [Int64: LineHold]
    private var paces: [Int64: Pace] = [:]
    /// Lines of which nothing got through since the last message that did: one alone does not speak for Meta.
    private var failing: Set<Int64> = []
    /// What all lines together may still claim.
    private var openForAll = Int.max
    /// Lines, or Meta, whose stored state is not the one here.
    package private(set) var unsaved: Set<Int64> = []

    /// Goes on with the holds of the process before.
    package init(_ stored: [Int64: LineHold.State] = [:]) { holds = stored.mapValues { LineHold($0) } }

    private mutating func pace(_ subject: Subject, _ tick: UInt64) -> Pace {
        var pace = paces[subject.line] ?? Pace(perSecond: subject.perSecond, burst: subject.burst, now: tick)
        // Meta may have given the number another rate.
        pace.set(perSecond: subject.perSecond, burst: subject.burst)
        paces[subject.line] = pace
        return pace
    }

    /// The lines are about to be asked in turn how much they may claim.
    package mutating func beginClaim(now: Timestamp) { openForAll = holds[Self.meta]?.allowed(.max, now: now) ?? .max }

    /// How many of a line's ready messages may be claimed now.
    package mutating func allowed(_ ready: Int, of subject: Subject, now: Timestamp, tick: UInt64) -> Int {
        let open = min(ready, openForAll)
        let released = holds[subject.line]?.allowed(open, now: now) ?? open
        guard released > 0 else { return 0 }
        let allowed = pace(subject, tick).allowed(released, now: tick, horizon: Self.horizon)
        // While nothing gets through to Meta one message of all lines tries.
        if openForAll != .max { openForAll -= allowed }
        return allowed
    }

    /// When a claimed message may leave, and how far from those of its line before it, should they leave late.
    package struct Slot: Equatable, Sendable {
        package var moment: UInt64
        /// Nanoseconds.
        package var interval: UInt64
        package var burst: UInt64
    }

    /// A message was claimed.
    package mutating func claimed(_ subject: Subject, tick: UInt64) -> Slot {
        holds[Self.meta]?.claimed(1)
        holds[subject.line]?.claimed(1)
        var pace = pace(subject, tick)
        defer { paces[subject.line] = pace }
        let moment = pace.take(now: tick)
        return Slot(moment: moment, interval: pace.interval(tick), burst: UInt64(max(subject.burst, 1)))
    }

    /// Received messages use slots, too.
    package mutating func received(_ count: Int, by subject: Subject, tick: UInt64) {
        var pace = pace(subject, tick)
        pace.spend(count, now: tick)
        paces[subject.line] = pace
    }

    /// Holds a line or Meta, or lets it go, by how an attempt ended.
    package mutating func attemptEnded(
        _ outcome: Outcome, line: Int64, now: Timestamp, tick: UInt64, chance: inout some RandomNumberGenerator
    ) -> [Change] {
        var (ofLine, ofMeta) = (LineHold.Sign.through, LineHold.Sign.through)
        switch outcome {
        case .refused(let failure, .lineLater(let askedFor)) where failure.code == "NO_TOKEN":
            // It never left: that says nothing of Meta.
            holds[Self.meta]?.probeLost()
            return change(line, .blocked(failure, askedFor: askedFor), now, &chance, .held, .released)
        case .refused(let failure, .lineLater(let askedFor)):
            ofLine = .blocked(failure, askedFor: askedFor)
            if failure.code == "NOT_CONNECTED" { ofMeta = .weak(failure) }
            if Self.throttles.contains(failure.code) { paces[line]?.throttled(now: tick) }
        case .refused(let failure, .forNow), .unknown(let failure):
            ofLine = .weak(failure)
            ofMeta = .weak(failure)
        case .accepted, .refused: break
        }
        if ofMeta == .through { failing = [] } else { failing.insert(line) }
        return change(line, ofLine, now, &chance, .held, .released)
            + change(Self.meta, ofMeta, now, &chance, .metaHeld, .metaReleased)
    }

    /// What held one line holds another one too: they share a business account.
    package mutating func block(
        _ line: Int64, _ failure: Failure, askedFor: Duration?, now: Timestamp,
        chance: inout some RandomNumberGenerator
    ) -> [Change] {
        change(line, .blocked(failure, askedFor: askedFor), now, &chance, .held, .released)
    }

    private mutating func change(
        _ key: Int64, _ sign: LineHold.Sign, _ now: Timestamp, _ chance: inout some RandomNumberGenerator,
        _ held: Change, _ released: Change
    ) -> [Change] {
        var hold = holds[key] ?? LineHold()
        let before = hold.state
        hold.attemptEnded(sign, mayHold: key != Self.meta || failing.count > 1, now: now, chance: &chance)
        holds[key] = hold.isIdle ? nil : hold
        if hold.state != before { unsaved.insert(key) }
        if (before == nil) == (hold.state == nil) { return [] }
        return [before == nil ? held : released]
    }

    /// An operator changed the line: it may try at once, at its new rate.
    package mutating func changed(_ subject: Subject) {
        forget(subject.line)
        paces[subject.line]?.set(perSecond: subject.perSecond, burst: subject.burst)
    }

    /// Something was mended for all.
    package mutating func release() { for key in holds.keys { forget(key) } }

    private mutating func forget(_ key: Int64) {
        if holds.removeValue(forKey: key)?.isHolding ?? false { unsaved.insert(key) }
    }

    /// What is to be stored of a line, or Meta; nil: nothing is held.
    package func state(_ key: Int64) -> LineHold.State? { holds[key]?.state }

    package var holdsSomething: Bool { holds.values.contains { $0.isHolding } }

    package mutating func saved(_ keys: Set<Int64>) { unsaved.subtract(keys) }

    /// When a new message of a line would only wait: the next try, of the line or of all; nil when it would not.
    package func refuses(_ line: Int64, now: Timestamp) -> Timestamp? {
        [line, Self.meta].compactMap { holds[$0] }.first { $0.refuses(now: now) }?.state?.until
    }

    // MARK: When to look again

    /// The next moment at which one of these lines, which have messages ready, may try whether it gets through.
    package func nextProbe(of ready: [Subject], now: Timestamp) -> Timestamp? {
        let meta = holds[Self.meta]
        // A probe that is out decides when it comes back.
        if let meta, meta.isHolding, meta.wake == nil { return nil }
        return ready.compactMap { subject in
            let hold = holds[subject.line]
            if let hold, hold.isHolding, hold.wake == nil { return nil }
            return [hold?.wake, meta?.wake].compactMap { $0 }.max()
        }.filter { $0 > now }.min()
    }

    /// The next moment at which a slot of one of these lines is near enough to claim a message for it.
    package mutating func nextSlot(of ready: [Subject], now: Timestamp, tick: UInt64) -> UInt64? {
        if holds[Self.meta]?.allowed(1, now: now) == 0 { return nil }
        var soonest: UInt64?
        for subject in ready where holds[subject.line]?.allowed(1, now: now) != 0 {
            let near = max(pace(subject, tick).next(now: tick), tick + Self.horizon) - Self.horizon / 2
            soonest = min(soonest ?? near, near)
        }
        return soonest
    }
}
