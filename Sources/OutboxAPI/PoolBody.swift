package import OutboxCore
package import OutboxJSON

/// The body of `PUT /v1/pools/{pool}`; what is left out stays as it is.
package struct PoolBody: Equatable, Sendable {
    /// Nil: unchanged.
    package var tier: TierWish?
    package var keptForHigh: Int64?
    /// All people written to in the last 24 hours, by anybody.
    package var used: Int64?

    package init() {}

    package enum TierWish: Equatable, Sendable {
        case set(Tier)
        /// Whatever Meta says.
        case learned
    }

    package static func read(_ value: JSONValue, name: String) throws(APIError) -> PoolBody {
        var reader = ObjectReader(value, path: "", known: ["tier", "keptForHigh", "used"])
        var body = PoolBody()
        if !isLineName(name) { reader.refuse("pool", poolNameRule) }
        let words = Tier.allCases.map(\.name) + ["learned"]
        body.tier = reader.choice(
            "tier", { $0 == "learned" ? .learned : Tier(name: $0).map(TierWish.set) }, words)
        body.keptForHigh = reader.integer("keptForHigh", in: 0...100)
        body.used = reader.integer("used", in: 0...1_000_000_000)
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return body
    }

    package func settings(over old: PoolSettings) -> PoolSettings {
        var settings = old
        switch tier {
        case .set(let tier): settings.tier = tier
        case .learned: settings.tier = nil
        case nil: break
        }
        settings.keptForHigh = keptForHigh ?? settings.keptForHigh
        return settings
    }
}

package let poolNameRule = "a pool's name has 1 to 64 of a-z, A-Z, 0-9, _ and -"

extension PoolStatus {
    /// `wall` turns moments of the limits' clock into the wall clock's.
    package func write(to json: inout JSONWriter, name: String? = nil, wall: (Timestamp) -> Timestamp) {
        json.object(name) {
            $0.field("pool", pool.name)
            $0.field("tier", pool.tier.name)
            $0.field("tierFrom", pool.settings.tier != nil ? "set" : pool.learned != nil ? "meta" : "default")
            $0.field("tierLearned", pool.learned?.name)
            $0.field("limit", pool.tier.people)
            $0.field("used", used + elsewhere)
            $0.field("usedElsewhere", elsewhere)
            $0.field("elsewhereUntil", elsewhere > 0 ? pool.elsewhereUntil.map { wall($0).rfc3339 } : nil)
            $0.field("free", pool.tier.people.map { max(0, $0 - used - elsewhere) })
            $0.field("keptForHigh", pool.settings.keptForHigh)
            $0.field("waiting", waiting)
            $0.field("nextFreeAt", nextFreeAt.map { wall($0).rfc3339 })
            $0.array("lines") { for line in lines { $0.value(line) } }
        }
    }
}
