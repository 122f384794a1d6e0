/// How many different people a pool of lines may write to within any 24 hours outside an open window.
///
/// Meta's words. Since October 2025 new portfolios begin with 250 and grow to 2K, 10K, 100K and unlimited; 50 and 1K
/// are older. The numbers are stored; they never change their meaning.
package enum Tier: Int64, NamedCase {
    case tier50 = 0
    case tier250 = 1
    case tier1K = 2
    case tier2K = 3
    case tier10K = 4
    case tier100K = 5
    case unlimited = 6

    /// `TIER_250`
    package var name: String {
        switch self {
        case .tier50: "TIER_50"
        case .tier250: "TIER_250"
        case .tier1K: "TIER_1K"
        case .tier2K: "TIER_2K"
        case .tier10K: "TIER_10K"
        case .tier100K: "TIER_100K"
        case .unlimited: "TIER_UNLIMITED"
        }
    }

    /// People; nil: no limit.
    package var people: Int64? {
        switch self {
        case .tier50: 50
        case .tier250: 250
        case .tier1K: 1000
        case .tier2K: 2000
        case .tier10K: 10_000
        case .tier100K: 100_000
        case .unlimited: nil
        }
    }
}
