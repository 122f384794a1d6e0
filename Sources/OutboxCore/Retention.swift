/// What is kept for a while after its end. The numbers are stored.
package enum RetentionKind: Int64, NamedCase {
    case read = 0
    case delivered = 1
    /// Messages Meta has given up delivering; others still wait for their receipt.
    case sent = 2
    case failed = 3
    case cancelled = 4
    /// Meta's calls that could not be read.
    case webhooks = 5
    /// Entries of the log that are of no message of ours; those of a message go with it.
    case events = 6
    /// Messages people sent to us.
    case received = 7
    /// Files handed in that no message waits for.
    case media = 8
    /// Campaigns and their reports; recipients without a message go as cancelled messages do.
    case campaigns = 9

    /// Nil: it is no message of ours.
    package var state: MessageState? {
        switch self {
        case .read: .read
        case .delivered: .delivered
        case .sent: .sent
        case .failed: .failed
        case .cancelled: .cancelled
        case .webhooks, .events, .received, .media, .campaigns: nil
        }
    }

    package static func of(_ state: MessageState) -> RetentionKind? { allCases.first { $0.state == state } }
}

/// How much of a kind is kept; nil: any.
package struct RetentionRule: Equatable, Sendable {
    /// Since its end.
    package var ageMax: Duration?
    /// The newest so many.
    package var countMax: Int64?

    package init(ageMax: Duration? = nil, countMax: Int64? = nil) {
        self.ageMax = ageMax
        self.countMax = countMax
    }

    /// Where nobody said otherwise.
    package static func standard(_ kind: RetentionKind) -> RetentionRule {
        switch kind {
        case .webhooks: RetentionRule(ageMax: .seconds(30 * 86_400))
        case .received, .campaigns: RetentionRule(ageMax: .seconds(365 * 86_400))
        case .media: RetentionRule(ageMax: .seconds(30 * 86_400))
        default: RetentionRule(ageMax: .seconds(90 * 86_400))
        }
    }
}
