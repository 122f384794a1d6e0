/// A link by which somebody without a key connects a number to an account, once. Of its token a hash alone is known.
package struct OnboardingLink: Equatable, Sendable {
    package enum Status: String, Sendable {
        case active, completed, expired, revoked
    }

    package var id: MessageID
    package var account: Int64
    /// For people: whom it is for.
    package var name: String
    /// Where the browser goes in the end; nil: nowhere.
    package var redirectURL: String?
    /// Of the key that is made when the number is connected.
    package var role: Role
    /// SHA-256 of the token's text.
    package var hash: [UInt8]
    package var createdAt: Timestamp
    package var createdBy: String
    package var expiresAt: Timestamp
    package var completedAt: Timestamp?
    /// The line that was connected, by its name.
    package var lineName: String?
    package var revokedAt: Timestamp?

    package init(
        id: MessageID, account: Int64, name: String, redirectURL: String?, role: Role, hash: [UInt8],
        createdAt: Timestamp, createdBy: String, expiresAt: Timestamp
    ) {
        self.id = id
        self.account = account
        self.name = name
        self.redirectURL = redirectURL
        self.role = role
        self.hash = hash
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.expiresAt = expiresAt
    }

    package func status(_ now: Timestamp) -> Status {
        if completedAt != nil { return .completed }
        if revokedAt != nil { return .revoked }
        return expiresAt <= now ? .expired : .active
    }

    package static let lifeDefault = Duration.seconds(7 * 86_400)
    package static let lifeMax = Duration.seconds(90 * 86_400)
}

/// The token in a link's address.
package enum LinkToken {
    /// Random bytes in it; twice as many hexadecimal digits.
    package static let byteCount = 32

    package static func isToken(_ text: String) -> Bool {
        text.utf8.count == 2 * byteCount
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
