/// Lines whose people are counted together against one tier: Meta counts over a whole business portfolio since October
/// 2025. A line that names no pool is alone in one of its own name.
package struct Pool: Equatable, Sendable {
    package let id: Int64
    package let account: Int64
    package var name: String
    package var settings: PoolSettings
    /// What Meta said.
    package var learned: Tier?
    /// People other senders of the same portfolio wrote to, as told; they count until that moment of the limits' clock.
    package var elsewhere: Int64
    package var elsewhereUntil: Timestamp?

    /// Until Meta or an operator says more: what a new portfolio begins with.
    package static let tierUnknown = Tier.tier250

    package init(
        id: Int64, account: Int64, name: String, settings: PoolSettings = PoolSettings(), learned: Tier? = nil,
        elsewhere: Int64 = 0, elsewhereUntil: Timestamp? = nil
    ) {
        self.id = id
        self.account = account
        self.name = name
        self.settings = settings
        self.learned = learned
        self.elsewhere = elsewhere
        self.elsewhereUntil = elsewhereUntil
    }

    package var tier: Tier { settings.tier ?? learned ?? Self.tierUnknown }

    /// People told of that still count.
    package func elsewhere(at now: Timestamp) -> Int64 {
        elsewhereUntil.map { $0 > now } ?? false ? elsewhere : 0
    }

    /// How many more people messages of a class may go to, with `used` in the last 24 hours; nil: any number.
    package func room(for priority: Priority, used: Int64, now: Timestamp) -> Int64? {
        balance(for: priority, used: used, now: now).map { max(0, $0) }
    }

    /// The same, less than nothing when the pool is over its tier, as after Meta lowered that.
    package func balance(for priority: Priority, used: Int64, now: Timestamp) -> Int64? {
        guard let people = tier.people else { return nil }
        let kept = priority == .high ? 0 : (people * settings.keptForHigh + 99) / 100
        return people - kept - used - elsewhere(at: now)
    }
}

/// What an operator says of a pool.
package struct PoolSettings: Equatable, Sendable {
    /// Nil: what Meta says.
    package var tier: Tier?
    /// Percent of the tier that only messages of the class `high` may use.
    package var keptForHigh: Int64

    package init(tier: Tier? = nil, keptForHigh: Int64 = 0) {
        self.tier = tier
        self.keptForHigh = keptForHigh
    }
}

/// A place in a pool's 24 hours, as one attempt took it.
package struct TierSlot: Equatable, Sendable {
    /// From the end of an attempt on.
    package static let span = Duration.seconds(86_400)

    package var pool: Int64
    package var person: String
    package var freeAt: Timestamp
    /// When it would have become free without this attempt; nil: the attempt took a new one.
    package var before: Timestamp?

    package init(pool: Int64, person: String, freeAt: Timestamp, before: Timestamp?) {
        self.pool = pool
        self.person = person
        self.freeAt = freeAt
        self.before = before
    }
}
