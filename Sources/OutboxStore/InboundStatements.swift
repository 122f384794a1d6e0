/// The writer's statements about what is received and from whom. Prepared once.
final class InboundStatements {
    /// One id at most; index inbound_wamid.
    let byWamid: Statement
    /// One row by primary key.
    let route: Statement
    /// The event that told of it, and what it was answered; one row by primary key.
    let answer: Statement
    let saveAnswer: Statement
    /// One row in, by primary key.
    let insert: Statement
    /// Puts the messages of one conversation into another; index inbound_conversation.
    let move: Statement

    /// Whom an address names; one row by primary key.
    let byAddress: Statement
    let saveAddress: Statement
    /// One row by primary key.
    let told: Statement
    /// Gives all addresses of one to another; index correspondent_address_of.
    let moveAddresses: Statement
    /// One row by primary key.
    let correspondent: Statement
    let insertCorrespondent: Statement
    let saveCorrespondent: Statement
    /// With those that were merged into it before; index correspondent_merged.
    let mergeCorrespondent: Statement

    /// One row at most; index conversation_pair.
    let conversation: Statement
    /// All of one correspondent; same index.
    let conversations: Statement
    let insertConversation: Statement
    /// One row by primary key.
    let addToConversation: Statement
    let giveConversation: Statement
    /// With those that were merged into it before; index conversation_merged.
    let mergeConversation: Statement
    /// What one conversation brings into another; one row by primary key.
    let takeConversation: Statement
    let markRead: Statement

    let saveWebhookCount: Statement

    static let correspondentColumns = "id, phone, user_id, username, name, last_message_at"

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        byWamid = try prepare("SELECT id FROM inbound WHERE line = :line AND wamid = :wamid AND wamid IS NOT NULL")
        route = try prepare("SELECT line, wamid FROM inbound WHERE id = :id AND account = :account")
        answer = try prepare("SELECT event, answer FROM inbound WHERE id = :id AND account = :account")
        saveAnswer = try prepare("UPDATE inbound SET answer = :message WHERE id = :id")
        insert = try prepare(
            """
            INSERT INTO inbound (id, account, line, conversation, wamid, type, text, at, group_id, body, contact, media)
            VALUES (:id, :account, :line, :conversation, :wamid, :type, :text, :at, :group_id, :body, :contact, :media)
            """)
        move = try prepare("UPDATE inbound SET conversation = :new WHERE conversation = :old")
        byAddress = try prepare(
            "SELECT correspondent FROM correspondent_address WHERE account = :account AND address = :address")
        told = try prepare("UPDATE inbound SET event = :event WHERE id = :id")
        saveAddress = try prepare(
            """
            INSERT INTO correspondent_address (account, address, correspondent)
            VALUES (:account, :address, :correspondent)
            ON CONFLICT (account, address) DO UPDATE SET correspondent = excluded.correspondent
            """)
        moveAddresses = try prepare(
            "UPDATE correspondent_address SET correspondent = :new WHERE correspondent = :old")
        correspondent = try prepare("SELECT \(Self.correspondentColumns) FROM correspondent WHERE id = :id")
        insertCorrespondent = try prepare(
            """
            INSERT INTO correspondent (\(Self.correspondentColumns), account)
            VALUES (:id, :phone, :user_id, :username, :name, :last_message_at, :account)
            """)
        saveCorrespondent = try prepare(
            """
            UPDATE correspondent SET phone = :phone, user_id = :user_id, username = :username, name = :name,
                last_message_at = :last_message_at
            WHERE id = :id
            """)
        mergeCorrespondent = try prepare(
            """
            UPDATE correspondent SET merged_into = ?1 WHERE id = ?2 OR (merged_into IS NOT NULL AND merged_into = ?2)
            """)
        conversation = try prepare(
            """
            SELECT id FROM conversation WHERE correspondent = :correspondent AND line = :line AND merged_into IS NULL
            """)
        conversations = try prepare(
            """
            SELECT id, line, received, last_received, read_up_to FROM conversation
            WHERE correspondent = :correspondent AND merged_into IS NULL
            """)
        insertConversation = try prepare(
            """
            INSERT INTO conversation (id, account, line, correspondent, received, last_received)
            VALUES (:id, :account, :line, :correspondent, 0, :last)
            """)
        addToConversation = try prepare(
            "UPDATE conversation SET received = received + 1, last_received = :inbound WHERE id = :id")
        giveConversation = try prepare("UPDATE conversation SET correspondent = :correspondent WHERE id = :id")
        mergeConversation = try prepare(
            """
            UPDATE conversation SET merged_into = ?1 WHERE id = ?2 OR (merged_into IS NOT NULL AND merged_into = ?2)
            """)
        takeConversation = try prepare(
            """
            UPDATE conversation SET received = received + :received, last_received = max(last_received, :last),
                read_up_to = nullif(max(coalesce(read_up_to, 0), :read), 0)
            WHERE id = :id
            """)
        markRead = try prepare(
            """
            UPDATE conversation SET read_up_to = max(coalesce(read_up_to, 0), :inbound)
            WHERE id = (SELECT conversation FROM inbound WHERE id = :inbound AND account = :account)
            """)
        saveWebhookCount = try prepare(
            """
            INSERT INTO webhook_count (name, count) VALUES (:name, :count)
            ON CONFLICT (name) DO UPDATE SET count = excluded.count
            """)
    }
}
