/// Somebody who wrote to us, under every name Meta has used.
package struct Correspondent: Equatable, Sendable {
    /// Ours, and for good; of two that turn out to be one person the older id stays.
    package var id: MessageID
    /// Digits.
    package var phone: String?
    /// Meta's business-scoped user id.
    package var userID: String?
    /// Without `@`.
    package var username: String?
    package var name: String?
    package var lastMessageAt: Timestamp

    package init(
        id: MessageID, phone: String? = nil, userID: String? = nil, username: String? = nil, name: String? = nil,
        lastMessageAt: Timestamp
    ) {
        self.id = id
        self.phone = phone
        self.userID = userID
        self.username = username
        self.name = name
        self.lastMessageAt = lastMessageAt
    }

    /// What the `to` of a message to them takes, if anything does.
    package var replyTo: String? { phone ?? userID }
}

/// One person's exchange with one line.
package struct Conversation: Equatable, Sendable {
    package var id: MessageID
    package var line: String
    package var correspondent: Correspondent
    /// Messages received in it.
    package var received: Int64
    /// The last of them.
    package var lastReceived: MessageID
    /// Meta was told that everything up to this one was read.
    package var readUpTo: MessageID?
    /// Of the limits' clock: free-form text may be sent until then.
    package var windowUntil: Timestamp?

    package init(
        id: MessageID, line: String, correspondent: Correspondent, received: Int64, lastReceived: MessageID,
        readUpTo: MessageID?
    ) {
        self.id = id
        self.line = line
        self.correspondent = correspondent
        self.received = received
        self.lastReceived = lastReceived
        self.readUpTo = readUpTo
    }
}

/// A message received, with all that is kept of it. Its id holds the time it came here.
package struct StoredInbound: Equatable, Sendable {
    package var id: MessageID
    package var line: String
    package var conversation: MessageID
    package var correspondent: Correspondent
    package var wamid: String?
    package var type: String
    package var text: String?
    /// When it was written, by Meta's clock; when it came, if Meta gave no time.
    package var at: Timestamp
    package var groupID: String?
    /// JSON, as received.
    package var body: [UInt8]
    package var contact: [UInt8]?
    package var isRead: Bool

    package init(
        id: MessageID, line: String, conversation: MessageID, correspondent: Correspondent, wamid: String?,
        type: String, text: String?, at: Timestamp, groupID: String?, body: [UInt8], contact: [UInt8]?, isRead: Bool
    ) {
        self.id = id
        self.line = line
        self.conversation = conversation
        self.correspondent = correspondent
        self.wamid = wamid
        self.type = type
        self.text = text
        self.at = at
        self.groupID = groupID
        self.body = body
        self.contact = contact
        self.isRead = isRead
    }
}

extension MessageID {
    /// The time it holds.
    package var moment: Timestamp { Timestamp(milliseconds: rawValue >> Self.countBits) }
}
