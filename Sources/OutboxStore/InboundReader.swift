package import OutboxCore

/// Which conversations to list, the one with the newest message received first.
package struct ConversationFilter: Equatable, Sendable {
    package var line: String?
    package var contact: MessageID?
    /// Only those whose last message is older.
    package var before: MessageID?
    package var limit = 20
    package var offset = 0

    package init() {}
}

/// Which contacts to list, the one met last first.
package struct ContactFilter: Equatable, Sendable {
    /// Digits, a user id, or `@` and a username.
    package var address: String?
    package var before: MessageID?
    package var limit = 20

    package init() {}
}

/// A message of a conversation.
package enum ConversationEntry: Equatable, Sendable {
    case received(StoredInbound)
    case sent(StoredMessage)

    package var id: MessageID {
        switch self {
        case .received(let message): message.id
        case .sent(let message): message.id
        }
    }
}

/// Some of a list, and where the next page begins; nil at its end.
package struct Page<Item: Sendable>: Sendable {
    package var items: [Item]
    package var next: MessageID?

    /// `items` holds one more than `limit` if there is more.
    init(_ items: [Item], limit: Int, place: (Item) -> MessageID) {
        self.items = Array(items.prefix(limit))
        next = items.count > limit ? self.items.last.map(place) : nil
    }
}

extension QueueReader {
    private static let people = "p.id, p.phone, p.user_id, p.username, p.name, p.last_message_at"

    // MARK: Messages

    package func inbound(_ id: MessageID, account: Int64) throws -> StoredInbound? {
        try inbound("i.id = :id AND i.account = :account", [.integer(id.rawValue), .integer(account)]).first
    }

    func inbound(_ condition: String, _ values: [SQLValue]) throws -> [StoredInbound] {
        try database.prepare(
            """
            SELECT \(Self.people), i.id, l.name, i.conversation, i.wamid, i.type, i.text, i.at, i.group_id, i.body,
                i.contact, i.id <= coalesce(c.read_up_to, 0)
            FROM inbound AS i JOIN conversation AS c ON c.id = i.conversation
                JOIN correspondent AS p ON p.id = c.correspondent JOIN line AS l ON l.id = i.line
            WHERE \(condition)
            """
        ).all(list: values) { row in
            StoredInbound(
                id: MessageID(rawValue: row.integer(6)), line: row.text(7),
                conversation: MessageID(rawValue: row.integer(8)), correspondent: Correspondent(row),
                wamid: row.optionalText(9), type: row.text(10), text: row.optionalText(11),
                at: Timestamp(milliseconds: row.integer(12)), groupID: row.optionalText(13), body: row.bytes(14),
                contact: row.optionalBytes(15), isRead: row.integer(16) != 0)
        }
    }

    /// By Meta's id of it. One row for each line of the account at most; index inbound_wamid.
    package func inbound(wamid: String, account: Int64) throws -> MessageID? {
        let found = try database.prepare(
            "SELECT id FROM inbound WHERE line = :line AND wamid = :wamid AND wamid IS NOT NULL")
        for line in try lines(account: account) {
            if let id = try found.first(.integer(line.id), .text(wamid), body: { MessageID(rawValue: $0.integer(0)) }) {
                return id
            }
        }
        return nil
    }

    /// Where a message received is answered or marked: its line, and Meta's id of it.
    package func inboundRoute(_ id: MessageID, account: Int64) throws -> (line: Line, wamid: String?)? {
        let route = try database.prepare("SELECT line, wamid FROM inbound WHERE id = :id AND account = :account")
            .first(.integer(id.rawValue), .integer(account)) { ($0.integer(0), $0.optionalText(1)) }
        guard let route, let line = try lines(account: account).first(where: { $0.id == route.0 }) else { return nil }
        return (line, route.1)
    }

    // MARK: Contacts

    /// Also under the id of somebody who turned out to be known already.
    package func contact(_ id: MessageID, account: Int64) throws -> Correspondent? {
        guard let id = try survivor(of: id, "correspondent") else { return nil }
        return try database.prepare(
            "SELECT \(Self.people) FROM correspondent AS p WHERE p.id = :id AND p.account = :account"
        ).first(.integer(id.rawValue), .integer(account)) { Correspondent($0) }
    }

    package func contacts(_ filter: ContactFilter, account: Int64) throws -> Page<Correspondent> {
        if let address = filter.address {
            let id = try database.prepare(
                "SELECT correspondent FROM correspondent_address WHERE account = :account AND address = :address"
            ).first(.integer(account), .text(address)) { MessageID(rawValue: $0.integer(0)) }
            let found = try id.flatMap { try contact($0, account: account) }
            return Page(found.map { [$0] } ?? [], limit: 1) { $0.id }
        }
        let list = try database.prepare(
            """
            SELECT \(Self.people) FROM correspondent AS p
            WHERE p.account = :account AND p.merged_into IS NULL AND p.id < :before ORDER BY p.id DESC LIMIT :limit
            """
        ).all(.integer(account), .integer(filter.before?.rawValue ?? .max), .integer(Int64(filter.limit + 1))) {
            Correspondent($0)
        }
        return Page(list, limit: filter.limit) { $0.id }
    }

    /// Everything a contact was ever named by.
    package func addresses(of contact: MessageID) throws -> [String] {
        try database.prepare(
            "SELECT address FROM correspondent_address WHERE correspondent = :correspondent ORDER BY address LIMIT 100"
        ).all(.integer(contact.rawValue)) { $0.text(0) }
    }

    /// Whom an id stands for by now.
    private func survivor(of id: MessageID, _ table: String) throws -> MessageID? {
        try database.prepare("SELECT coalesce(merged_into, id) FROM \(table) WHERE id = :id")
            .first(.integer(id.rawValue)) { MessageID(rawValue: $0.integer(0)) }
    }

    // MARK: Conversations

    package func conversation(_ id: MessageID, account: Int64) throws -> Conversation? {
        guard let id = try survivor(of: id, "conversation") else { return nil }
        return try conversations("c.id = :id AND c.account = :account", [.integer(id.rawValue), .integer(account)])
            .first
    }

    package func conversations(_ filter: ConversationFilter, account: Int64) throws -> Page<Conversation> {
        let (condition, values) = try condition(filter, account)
        let list = try conversations(
            condition + " ORDER BY c.last_received DESC LIMIT :limit OFFSET :offset",
            values + [.integer(Int64(filter.limit + 1)), .integer(Int64(filter.offset))])
        return Page(list, limit: filter.limit) { $0.lastReceived }
    }

    /// How many there are, `rowsExaminedMax` at most.
    package func conversationCount(_ filter: ConversationFilter, account: Int64) throws -> Int {
        let (condition, values) = try condition(filter, account)
        let counts = try database.prepare(
            "SELECT count(*) FROM (SELECT 1 FROM conversation AS c WHERE \(condition) LIMIT \(Self.rowsExaminedMax))"
        ).all(list: values) { Int($0.integer(0)) }
        return counts.first ?? 0
    }

    private func condition(_ filter: ConversationFilter, _ account: Int64) throws -> (String, [SQLValue]) {
        var conditions = ["c.merged_into IS NULL"]
        var values: [SQLValue] = []
        func require(_ condition: String, _ value: SQLValue) {
            conditions.append(condition)
            values.append(value)
        }
        if let contact = filter.contact {
            require("c.correspondent = :contact", .integer(try survivor(of: contact, "correspondent")?.rawValue ?? 0))
        }
        if let name = filter.line {
            let line = try lines(account: account).first { $0.name == name }
            require("c.line = :line", .integer(line?.id ?? 0))
        }
        if filter.line == nil || filter.contact != nil { require("c.account = :account", .integer(account)) }
        if let before = filter.before { require("c.last_received < :before", .integer(before.rawValue)) }
        return (conditions.joined(separator: " AND "), values)
    }

    private func conversations(_ condition: String, _ values: [SQLValue]) throws -> [Conversation] {
        let rows = try database.prepare(
            """
            SELECT \(Self.people), c.id, l.name, c.received, c.last_received, c.read_up_to, c.line
            FROM conversation AS c JOIN correspondent AS p ON p.id = c.correspondent JOIN line AS l ON l.id = c.line
            WHERE \(condition)
            """
        ).all(list: values) { row in
            let conversation = Conversation(
                id: MessageID(rawValue: row.integer(6)), line: row.text(7), correspondent: Correspondent(row),
                received: row.integer(8), lastReceived: MessageID(rawValue: row.integer(9)),
                readUpTo: row.optionalInteger(10).map(MessageID.init(rawValue:)))
            return (conversation, line: row.integer(11))
        }
        let window = try database.prepare(
            """
            SELECT max(window_until) FROM contact
            WHERE line = :line AND person IN (
                SELECT address FROM correspondent_address WHERE correspondent = :correspondent)
            """)
        return try rows.map { row in
            var conversation = row.0
            let until = try window.first(.integer(row.line), .integer(conversation.correspondent.id.rawValue)) {
                $0.optionalInteger(0)
            }
            conversation.windowUntil = (until ?? nil).map(Timestamp.init(milliseconds:))
            return conversation
        }
    }
}
