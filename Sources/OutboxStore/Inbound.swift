package import OutboxCore

extension Queue {
    /// Keeps a message a line received. Nil: it was here already.
    package func keep(_ message: InboundMessage, line: Int64, now: Timestamp) throws -> StoredInbound? {
        guard let receiver = memory.lines[line] else { return nil }
        if let wamid = message.wamid,
            try mail.byWamid.first(.integer(line), .text(wamid), body: { $0.integer(0) }) != nil
        {
            return nil
        }
        let account = receiver.account
        let correspondent = try correspondent(of: message, account: account, now: now)
        let conversation = try conversation(correspondent.id, line, account, now)
        let id = nextID(now)
        let stored = StoredInbound(
            id: id, line: receiver.name, conversation: conversation, correspondent: correspondent,
            wamid: message.wamid, type: message.kind, text: message.payload.text, at: message.at ?? now,
            groupID: message.payload.groupID, body: message.payload.body, contact: message.payload.contact,
            isRead: false)
        try mail.insert.run(
            .integer(id.rawValue), .integer(account), .integer(line), .integer(conversation.rawValue),
            .optional(message.wamid), .text(stored.type), .optional(stored.text), .integer(stored.at.milliseconds),
            .optional(stored.groupID), .utf8(stored.body), .optional(stored.contact),
            .optional(message.payload.media))
        try mail.addToConversation.run(.integer(id.rawValue), .integer(conversation.rawValue))
        try countReply(message, line, account, now)
        return stored
    }

    /// How long after a message what a person writes is taken for its answer.
    private static let repliesCounted = Duration.seconds(7 * 86_400)

    /// It answers the message it quotes, or else the last one they were sent.
    private func countReply(_ message: InboundMessage, _ line: Int64, _ account: Int64, _ now: Timestamp) throws {
        guard !message.isGroup, !["reaction", "system"].contains(message.kind) else { return }
        let quoted = try message.payload.quotes.flatMap { try load(wamid: $0)?.id }
        let last = try message.addresses.lazy.compactMap {
            try self.contact(line, self.person($0, account: account))?.lastMessage
        }.first
        guard let id = quoted ?? last, var record = try load(id), record.line == line, record.repliedAt == nil,
            let sentAt = record.sentAt, sentAt + Self.repliesCounted > now
        else { return }
        record.repliedAt = max(now, sentAt)
        try store(&record)
    }

    private func conversation(_ correspondent: MessageID, _ line: Int64, _ account: Int64, _ now: Timestamp) throws
        -> MessageID
    {
        if let known = try mail.conversation.first(
            .integer(correspondent.rawValue), .integer(line), body: { MessageID(rawValue: $0.integer(0)) })
        {
            return known
        }
        let id = nextID(now)
        try mail.insertConversation.run(
            .integer(id.rawValue), .integer(account), .integer(line), .integer(correspondent.rawValue),
            .integer(id.rawValue))
        return id
    }

    /// Tells the log of a message that was kept; `detail` is the event's data.
    package func tell(_ message: StoredInbound, line: Int64, detail: [UInt8], now: Timestamp) throws {
        guard let account = memory.lines[line]?.account else { return }
        let sequence = try appendEvent(
            account: account, line: line, message: nil, previous: nil, at: now, kind: .received, state: nil, attempt: 0,
            detail: detail)
        try mail.told.run(.integer(sequence), .integer(message.id.rawValue))
    }

    /// Meta knows that everything of the conversation up to this message was read.
    package func markRead(_ inbound: MessageID, account: Int64) throws {
        try mail.markRead.run(.integer(inbound.rawValue), .integer(account))
    }
}
