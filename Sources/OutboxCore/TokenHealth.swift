/// How a line's access token stands with Meta.
package struct TokenHealth: Equatable, Sendable {
    /// The numbers are stored; they never change their meaning.
    package enum State: Int64, NamedCase {
        case valid = 0
        /// It ends within seven days.
        case expiring = 1
        /// It ends within a day.
        case lastDay = 2
        case expired = 3
        /// Meta does not take it: it was revoked, or is none.
        case refused = 4

        package var name: String {
            switch self {
            case .valid: "valid"
            case .expiring: "expiring"
            case .lastDay: "last_day"
            case .expired: "expired"
            case .refused: "refused"
            }
        }

        /// Nothing can be sent with it.
        package var isOver: Bool { self == .expired || self == .refused }
    }

    package var state: State
    /// Nil: never, or Meta does not say.
    package var expiresAt: Timestamp?
    /// When Meta was last asked about it and answered.
    package var checkedAt: Timestamp
    /// Meta's words of why it takes it no more.
    package var reason: String?

    package init(state: State, expiresAt: Timestamp?, checkedAt: Timestamp, reason: String? = nil) {
        self.state = state
        self.expiresAt = expiresAt
        self.checkedAt = checkedAt
        self.reason = reason
    }

    private static let warned = Duration.seconds(7 * 86_400)
    private static let warnedAgain = Duration.seconds(86_400)

    /// Meta takes it, until then.
    package init(expiresAt: Timestamp?, now: Timestamp) {
        let state: State =
            switch expiresAt {
            case nil: .valid
            case let end? where end <= now: .expired
            case let end? where end <= now + Self.warnedAgain: .lastDay
            case let end? where end <= now + Self.warned: .expiring
            default: .valid
            }
        self.init(state: state, expiresAt: expiresAt, checkedAt: now)
    }

    /// The same token as time has gone on.
    package func at(_ now: Timestamp) -> TokenHealth {
        guard state != .refused else { return self }
        var health = TokenHealth(expiresAt: expiresAt, now: now)
        health.checkedAt = checkedAt
        return health
    }

    /// Meta's codes of a token it does not take (Meta's page "Error codes", Authorization errors).
    package static let refusals: Set<String> = ["0", "190"]

    /// What is said of it; nil: nothing has to be.
    package var words: String? {
        let end = expiresAt.map { " at \($0.rfc3339)" } ?? ""
        switch state {
        case .valid: return nil
        case .expiring, .lastDay: return "the access token ends\(end)"
        case .expired: return "the access token ended\(end)"
        case .refused: return "Meta does not take the access token" + (reason.map { ": \($0)" } ?? "")
        }
    }
}
