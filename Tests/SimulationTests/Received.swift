import OutboxCore
import OutboxJSON
import OutboxStore

/// What people wrote and what is kept of it, and whether the two agree. Knows what Meta and readers see.
struct Received {
    /// One message of a person, as Meta tells of it.
    struct Written: Equatable {
        var wamid: String
        var phoneNumberID: String
        /// One of them may be missing.
        var digits: String?
        var userID: String?
    }

    private var written: [String: Written] = [:]
    /// Answered with 200.
    private var stored: Set<String> = []
    /// In the log.
    private var told: Set<String> = []
    /// Acknowledged to be marked as read.
    private var marked: Set<MessageID> = []
    /// Named together, by number.
    private var namedTogether: [String: String] = [:]
    private(set) var problems: [String] = []

    var count: Int { stored.count }

    private mutating func problem(_ text: String) { if problems.count < 20 { problems.append(text) } }

    mutating func writes(_ message: Written) { written[message.wamid] = message }

    mutating func isStored(_ wamids: [String]) {
        for wamid in wamids {
            stored.insert(wamid)
            if let message = written[wamid], let digits = message.digits, let userID = message.userID {
                namedTogether[digits] = userID
            }
        }
    }

    mutating func isMarked(_ id: MessageID) { marked.insert(id) }

    /// An event `message.received`.
    mutating func logged(_ wamid: String?) {
        guard let wamid, written[wamid] != nil else { return problem("\(wamid ?? "nothing") was received from nobody") }
        if !told.insert(wamid).inserted { problem("\(wamid) was told twice") }
    }

    /// `isOld`: what came then may have been removed since.
    mutating func settle(_ reader: QueueReader, isOld: (MessageID) -> Bool, keepsAll: Bool) throws {
        var kept: Set<String> = []
        var pairs: Set<String> = []
        var filter = ConversationFilter()
        filter.limit = 200
        while true {
            let page = try reader.conversations(filter, account: 1)
            for conversation in page.items {
                let pair = "\(conversation.line) \(conversation.correspondent.id.rawValue)"
                if !pairs.insert(pair).inserted { problem("there are two conversations of \(pair)") }
                try settle(conversation, reader, &kept)
            }
            guard let next = page.next else { break }
            filter.before = next
        }
        for wamid in stored where !kept.contains(wamid) && (keepsAll || !told.contains(wamid)) {
            problem("\(wamid) was answered with 200 and is gone")
        }
        for wamid in kept where !told.contains(wamid) { problem("\(wamid) is kept, and the log does not tell of it") }
        for id in marked {
            guard let message = try reader.inbound(id, account: 1) else {
                if !isOld(id) { problem("the marked message \(id.rawValue) is gone") }
                continue
            }
            if !message.isRead { problem("the mark of message \(id.rawValue) is lost") }
        }
        for (digits, userID) in namedTogether {
            let found = try [digits, userID].map { address in
                var filter = ContactFilter()
                filter.address = address
                return try reader.contacts(filter, account: 1).items.first?.id
            }
            if found[0] != found[1] { problem("\(digits) and \(userID) are not one: \(found)") }
        }
    }

    private mutating func settle(_ conversation: Conversation, _ reader: QueueReader, _ kept: inout Set<String>) throws
    {
        var before: MessageID?
        repeat {
            let page = try reader.messages(of: conversation, before: before, limit: 200, account: 1)
            for case .received(let message) in page.items {
                guard let wamid = message.wamid, let one = written[wamid] else {
                    problem("message \(message.id.rawValue) is nobody's")
                    continue
                }
                if !kept.insert(wamid).inserted { problem("\(wamid) is kept twice") }
                let isRight =
                    (one.digits == nil || one.digits == conversation.correspondent.phone)
                    && (one.userID == nil || one.userID == conversation.correspondent.userID)
                if !isRight { problem("\(wamid) stands in the conversation of somebody else") }
            }
            before = page.next
        } while before != nil
    }
}
