/// When messages will have left, if nothing goes wrong.
package struct Forecast: Equatable, Sendable {
    /// What it takes that long for.
    package enum Limit: String, Sendable {
        case throughput, tier, pause, line, template, person
    }

    /// Nil: somebody has to act first.
    package var leavesBy: Timestamp?
    package var limit: Limit

    package init(leavesBy: Timestamp?, limit: Limit) {
        self.leavesBy = leavesBy
        self.limit = limit
    }

    /// `places`: how many more people the pool needs room for than it has; `placeFreeAt`: when the last of them gets a
    /// place within one round of 24 hours; `people`: places of one round.
    package static func of(
        waiting: Int64, perSecond: Int64, places: Int64, people: Int64,
        placeFreeAt: (_ rank: Int64) throws -> Timestamp?,
        now: Timestamp
    ) rethrows -> Forecast {
        let paced = Forecast(leavesBy: now + .milliseconds(waiting * 1000 / max(perSecond, 1)), limit: .throughput)
        guard places > 0 else { return paced }
        // Everything is kept for a higher class.
        guard people > 0 else { return Forecast(leavesBy: nil, limit: .tier) }
        let (rounds, rank) = (places - 1).quotientAndRemainder(dividingBy: people)
        // A place that nobody holds yet is held from now on, for 24 hours.
        let first = try placeFreeAt(rank) ?? now + TierSlot.span
        return paced.and(Forecast(leavesBy: first + .seconds(rounds * 86_400), limit: .tier))
    }

    /// The later of two.
    package func and(_ other: Forecast?) -> Forecast {
        guard let other, let leavesBy else { return self }
        guard let later = other.leavesBy else { return other }
        return later > leavesBy ? other : self
    }

    /// What these pauses mean: it goes on when the last of them ends.
    package static func after(_ pauses: [Pause]) -> Forecast? {
        guard !pauses.isEmpty else { return nil }
        let ends = pauses.map(\.until)
        return Forecast(leavesBy: ends.contains(nil) ? nil : ends.compactMap { $0 }.max(), limit: .pause)
    }
}
