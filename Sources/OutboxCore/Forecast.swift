/// When everything that waits on a line now will have left, if nothing goes wrong.
package struct Forecast: Equatable, Sendable {
    package enum Limit: String, Sendable {
        case throughput, tier
    }

    package var leavesBy: Timestamp
    /// What it takes that long for.
    package var limit: Limit

    package init(leavesBy: Timestamp, limit: Limit) {
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
        let paced = now + .milliseconds(waiting * 1000 / max(perSecond, 1))
        guard places > 0, people > 0 else { return Forecast(leavesBy: paced, limit: .throughput) }
        let (rounds, rank) = (places - 1).quotientAndRemainder(dividingBy: people)
        // A place that nobody holds yet is held from now on, for 24 hours.
        let first = try placeFreeAt(rank) ?? now + TierSlot.span
        let placed = first + .seconds(rounds * 86_400)
        return placed > paced
            ? Forecast(leavesBy: placed, limit: .tier) : Forecast(leavesBy: paced, limit: .throughput)
    }

    /// The later of two.
    package func and(_ other: Forecast?) -> Forecast {
        guard let other, other.leavesBy > leavesBy else { return self }
        return other
    }
}
