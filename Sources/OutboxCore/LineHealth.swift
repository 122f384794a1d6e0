/// What Meta says of a number: whether it works, how well it is liked, and how much it may do.
///
/// A copy of one answer; `readAt` says how old it is.
package struct LineHealth: Equatable, Sendable {
    package var status: LineStatus
    package var canSend: CanSend
    package var quality: QualityRating
    /// The portfolio's, which all its numbers share; nil: Meta did not say.
    package var tier: Tier?
    /// Messages of any direction in a second; nil: Meta did not say, or named a level that is not known.
    package var messagesPerSecond: Int64?
    /// Why it cannot send, or not well, and what Meta would do about it: one sentence or two for each cause.
    package var reasons: [String]
    package var readAt: Timestamp

    package init(
        status: LineStatus, canSend: CanSend, quality: QualityRating, tier: Tier?, messagesPerSecond: Int64?,
        reasons: [String], readAt: Timestamp
    ) {
        self.status = status
        self.canSend = canSend
        self.quality = quality
        self.tier = tier
        self.messagesPerSecond = messagesPerSecond
        self.reasons = reasons
        self.readAt = readAt
    }

    /// Free-form messages, inside an open window. A `LIMITED` number sends, too: Meta lets some of it through.
    package var canSendMessages: Bool { status == .online && canSend != .blocked }

    /// The same rule: Meta's verdict is one for all kinds.
    package var canSendTemplates: Bool { canSendMessages }

    /// A number that may not send still hears.
    package var canReceiveMessages: Bool { status == .online }
}

extension LineHealth {
    /// Why the line cannot send; nil when it can.
    package var stop: String? {
        guard !canSendMessages else { return nil }
        let words = status == .online ? "its sending is \(canSend.name)" : "it is \(status.name)"
        return "Meta says of the line's number: \(words)" + (reasons.first.map { ": \($0)" } ?? "")
    }
}

/// Whether a number is on Meta's network. The numbers are stored; they never change their meaning.
package enum LineStatus: Int64, NamedCase {
    case online = 0
    case offline = 1
    /// Its owner has to register it, or to prove that it is theirs.
    case notRegistered = 2

    package var name: String {
        switch self {
        case .online: "ONLINE"
        case .offline: "OFFLINE"
        case .notRegistered: "NOT_REGISTERED"
        }
    }

    /// Out of Meta's own words, nil where the answer held none.
    ///
    /// `status` is one of PENDING, DELETED, MIGRATED, BANNED, RESTRICTED, RATE_LIMITED, FLAGGED, CONNECTED,
    /// DISCONNECTED, UNKNOWN and UNVERIFIED (Graph API reference, "WhatsApp Business Account To Number Current
    /// Status"); a CONNECTED number sends (Cloud API, "Business phone numbers"), and a RATE_LIMITED one is slowed
    /// down. FLAGGED warned of low quality until October 2025 and sends. `codeVerificationStatus` decides only when
    /// the number is not connected: the verification of a connected number may lapse without harm. `platformType` is
    /// NOT_APPLICABLE for a number registered nowhere. Without a `status` Meta's verdict on sending stands in for it.
    package static func of(
        status: String?, codeVerificationStatus: String?, platformType: String?, canSend: CanSend?
    ) -> LineStatus {
        switch status {
        case "CONNECTED", "FLAGGED", "RATE_LIMITED": return .online
        case "PENDING", "UNVERIFIED": return .notRegistered
        case nil where platformType != "NOT_APPLICABLE" && (canSend == .available || canSend == .limited):
            return .online
        case "DISCONNECTED", "BANNED", "DELETED", "MIGRATED", "RESTRICTED", nil:
            let isUnproven = codeVerificationStatus == "NOT_VERIFIED" || platformType == "NOT_APPLICABLE"
            return isUnproven ? .notRegistered : .offline
        // A word that is not known stops nothing: Meta's answers to messages tell.
        default: return platformType == "NOT_APPLICABLE" ? .notRegistered : .online
        }
    }
}

/// Meta's `can_send_message`, the worst of number, account, business and app. The numbers are stored; they never change
/// their meaning.
package enum CanSend: Int64, NamedCase {
    case available = 0
    case limited = 1
    case blocked = 2

    package var name: String {
        switch self {
        case .available: "AVAILABLE"
        case .limited: "LIMITED"
        case .blocked: "BLOCKED"
        }
    }
}

/// What recipients thought of the last seven days' messages. The numbers are stored; they never change their meaning.
package enum QualityRating: Int64, CaseIterable, Sendable {
    case green = 0
    case yellow = 1
    case red = 2
    /// Too few messages to tell; Meta says UNKNOWN or NA.
    case unknown = 3

    package var name: String {
        switch self {
        case .green: "GREEN"
        case .yellow: "YELLOW"
        case .red: "RED"
        case .unknown: "UNKNOWN"
        }
    }

    /// Every word but the three colours is `unknown`.
    package init(name: String) {
        self = Self.allCases.first { $0.name == name } ?? .unknown
    }
}
