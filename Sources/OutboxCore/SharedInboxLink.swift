/// What whoever has a shared inbox link may do. The numbers are stored; they never change their meaning.
package struct InboxPermissions: OptionSet, Equatable, Sendable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// Lists the line's conversations.
    package static let readInbox = InboxPermissions(rawValue: 1)
    /// Reads the messages of a conversation, the person's number and names, and files.
    package static let readDetails = InboxPermissions(rawValue: 2)
    package static let markRead = InboxPermissions(rawValue: 4)
    package static let sendText = InboxPermissions(rawValue: 8)
    package static let sendMedia = InboxPermissions(rawValue: 16)
    package static let sendTemplates = InboxPermissions(rawValue: 32)
    /// Any other kind of message.
    package static let sendAdvanced = InboxPermissions(rawValue: 64)

    package static let named: [(name: String, permission: InboxPermissions)] = [
        ("readInbox", .readInbox), ("readDetails", .readDetails), ("markRead", .markRead), ("sendText", .sendText),
        ("sendMedia", .sendMedia), ("sendTemplates", .sendTemplates), ("sendAdvanced", .sendAdvanced),
    ]
}

/// A link by which somebody without a key works in the inbox of one line. Of its token a hash alone is known.
package struct SharedInboxLink: Equatable, Sendable {
    package enum Status: String, Sendable {
        case active, expired, revoked
    }

    /// What may be changed of it.
    package struct Settings: Equatable, Sendable {
        package var name: String
        package var permissions: InboxPermissions
        /// Nil: it does not end by itself.
        package var expiresAt: Timestamp?

        package init(name: String, permissions: InboxPermissions, expiresAt: Timestamp? = nil) {
            self.name = name
            self.permissions = permissions
            self.expiresAt = expiresAt
        }
    }

    package var id: MessageID
    package var account: Int64
    package var line: Int64
    package var lineName: String
    package var settings: Settings
    /// SHA-256 of the token's text.
    package var hash: [UInt8]
    package var createdAt: Timestamp
    package var createdBy: String
    package var updatedAt: Timestamp
    /// When it last got another token.
    package var rotatedAt: Timestamp?
    package var revokedAt: Timestamp?

    package init(
        id: MessageID, account: Int64, line: Int64, lineName: String, settings: Settings, hash: [UInt8],
        createdAt: Timestamp, createdBy: String, updatedAt: Timestamp
    ) {
        self.id = id
        self.account = account
        self.line = line
        self.lineName = lineName
        self.settings = settings
        self.hash = hash
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.updatedAt = updatedAt
    }

    package func status(_ now: Timestamp) -> Status {
        if revokedAt != nil { return .revoked }
        return settings.expiresAt.map { $0 <= now } ?? false ? .expired : .active
    }

    package func allows(_ permission: InboxPermissions) -> Bool { settings.permissions.contains(permission) }
}
