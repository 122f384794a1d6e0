/// How much an account's callers may ask for; an account without one is bounded by the settings alone. The numbers are
/// those of WhatsAPI's document ("Rate limits", "POST /messages/bulk"), which gives the free plan no bulk of its own:
/// it takes as many at once as the smallest that has one.
package enum Plan: Int64, NamedCase {
    case free = 0
    case basic = 1
    case pro = 2
    case enterprise = 3

    /// Calls of each key.
    package var perMinute: Int {
        switch self {
        case .free: 20
        case .basic: 100
        case .pro: 500
        case .enterprise: 2000
        }
    }

    /// Messages of one bulk.
    package var bulkMax: Int {
        switch self {
        case .free, .basic: 100
        case .pro: 1000
        case .enterprise: 5000
        }
    }
}
