package import OutboxCore

/// What somebody and a line, or all and a line, wrote to each other, newest first: what was received by the time it
/// came, what was sent by the time it was accepted here.
extension QueueReader {
    /// A message's place in an exchange.
    private struct Place {
        var id: Int64
        var isReceived: Bool
    }

    package func messages(
        of conversation: Conversation, before: MessageID?, offset: Int = 0, limit: Int, account: Int64
    ) throws -> Page<ConversationEntry> {
        let below = before?.rawValue ?? .max
        let most = offset + limit + 1
        let received = try received(in: conversation, below, "ORDER BY id DESC LIMIT \(most)")
        let sent = try sent(in: conversation, below, account, "ORDER BY m.id DESC LIMIT \(most)")
        return try page(received, sent, offset, limit, account)
    }

    /// How many there are, of either kind `rowsExaminedMax` at most.
    package func messageCount(of conversation: Conversation, account: Int64) throws -> Int {
        let received = try received(in: conversation, .max, "LIMIT \(Self.rowsExaminedMax)")
        return try received.count + sent(in: conversation, .max, account, "").count
    }

    private func received(in conversation: Conversation, _ below: Int64, _ end: String) throws -> [Int64] {
        try database.prepare("SELECT id FROM inbound WHERE conversation = :conversation AND id < :before \(end)")
            .all(.integer(conversation.id.rawValue), .integer(below)) { $0.integer(0) }
    }

    private func sent(
        in conversation: Conversation, _ below: Int64, _ account: Int64, _ end: String
    ) throws -> [Int64] {
        let statement = try database.prepare(
            """
            SELECT m.id FROM message AS m
            WHERE m.id IN (SELECT value FROM json_each(:ids)) AND m.account = :account
                AND m.line = (SELECT line FROM conversation WHERE id = :conversation) \(end)
            """)
        return try addresses(of: conversation.correspondent.id).filter { Recipient($0) != nil }.flatMap { address in
            let ids = try recipients.ids(to: address, below: below, limit: Self.rowsExaminedMax)
            return try statement.all(
                .text(jsonNumbers(ids)), .integer(account), .integer(conversation.id.rawValue)
            ) { $0.integer(0) }
        }
    }

    // MARK: A line's

    /// Looks at `rowsExaminedMax` messages of either kind, of any line; `next` is where it stopped looking when there
    /// may be more of them.
    package func messages(of line: Line, before: MessageID?, offset: Int = 0, limit: Int) throws
        -> Page<ConversationEntry>
    {
        let below = before?.rawValue ?? .max
        let floor = max(try floor("inbound", below), try floor("message", below))
        let end = "ORDER BY id DESC LIMIT \(offset + limit + 1)"
        var page = try page(
            try ids("inbound", line, below, floor, end), try ids("message", line, below, floor, end), offset, limit,
            line.account)
        if page.next == nil, floor > 0 { page.next = MessageID(rawValue: floor) }
        return page
    }

    /// How many of the newest `rowsExaminedMax` of either kind.
    package func messageCount(of line: Line) throws -> Int {
        let floor = max(try floor("inbound", .max), try floor("message", .max))
        return try ids("inbound", line, .max, floor, "").count + ids("message", line, .max, floor, "").count
    }

    private func floor(_ table: String, _ below: Int64) throws -> Int64 {
        try database.prepare("SELECT id FROM \(table) WHERE id < :below ORDER BY id DESC LIMIT 1 OFFSET :rows")
            .first(.integer(below), .integer(Int64(Self.rowsExaminedMax))) { $0.integer(0) } ?? 0
    }

    private func ids(_ table: String, _ line: Line, _ below: Int64, _ floor: Int64, _ end: String) throws -> [Int64] {
        try database.prepare("SELECT id FROM \(table) WHERE id < :below AND id >= :floor AND +line = :line \(end)")
            .all(.integer(below), .integer(floor), .integer(line.id)) { $0.integer(0) }
    }

    // MARK: Both kinds

    private func page(
        _ received: [Int64], _ sent: [Int64], _ offset: Int, _ limit: Int, _ account: Int64
    ) throws -> Page<ConversationEntry> {
        var places = received.map { Place(id: $0, isReceived: true) } + sent.map { Place(id: $0, isReceived: false) }
        places.sort { $0.id > $1.id }
        places = Array(places.dropFirst(offset).prefix(limit + 1))
        let inbound = try inbound(
            "i.id IN (SELECT value FROM json_each(:ids)) AND i.account = :account",
            [.text(jsonNumbers(places.filter(\.isReceived).map(\.id))), .integer(account)])
        let outbound = try database.prepare(
            """
            SELECT \(StoredMessage.columns) FROM message AS m
            WHERE m.id IN (SELECT value FROM json_each(:ids)) AND m.account = :account
            """
        ).all(.text(jsonNumbers(places.filter { !$0.isReceived }.map(\.id))), .integer(account)) { StoredMessage($0) }
        let all = inbound.map { ConversationEntry.received($0) } + outbound.map { ConversationEntry.sent($0) }
        return Page(all.sorted { $0.id > $1.id }, limit: limit) { $0.id }
    }
}
