import OutboxCore
import OutboxJSON

extension Correspondent {
    /// `InboundStatements.correspondentColumns`
    init(_ row: Row, from first: Int32 = 0) {
        self.init(
            id: MessageID(rawValue: row.integer(first)), phone: row.optionalText(first + 1),
            userID: row.optionalText(first + 2), username: row.optionalText(first + 3),
            name: row.optionalText(first + 4), lastMessageAt: Timestamp(milliseconds: row.integer(first + 5)))
    }
}

extension Queue {
    /// Whom a message is from: somebody known by one of its addresses, or by one that stands for the same person, or
    /// somebody new. Addresses that named several people until now name one.
    func correspondent(of message: InboundMessage, account: Int64, now: Timestamp) throws -> Correspondent {
        var addresses = message.addresses
        if let handle = message.handle, !addresses.contains(handle), try isAllThatIsKnown(handle, account) {
            addresses.append(handle)
        }
        // A message that names nobody is from somebody of its own.
        if addresses.isEmpty { addresses = ["message:" + (message.wamid ?? String(memory.lastEvent + 1))] }
        var known = try unify(try kin(of: addresses, account), account: account, now: now)
        if known == nil {
            let new = Correspondent(id: nextID(now), lastMessageAt: now)
            try mail.insertCorrespondent.run(
                .integer(new.id.rawValue), .null, .null, .null, .null, .integer(now.milliseconds), .integer(account))
            known = new.id
        }
        guard let id = known,
            var correspondent = try mail.correspondent.first(
                .integer(id.rawValue), body: { Correspondent($0) })
        else { preconditionFailure("a correspondent is never removed") }
        for address in try kin(of: addresses, account) {
            try mail.saveAddress.run(.integer(account), .text(address), .integer(id.rawValue))
        }
        // Whoever uses the name now has it.
        if let handle = message.handle {
            try mail.saveAddress.run(.integer(account), .text(handle), .integer(id.rawValue))
        }
        correspondent.phone = message.from ?? message.payload.waID ?? correspondent.phone
        correspondent.userID = message.userID ?? correspondent.userID
        correspondent.username = message.payload.username ?? correspondent.username
        correspondent.name = message.payload.name ?? correspondent.name
        correspondent.lastMessageAt = max(correspondent.lastMessageAt, now)
        try save(correspondent)
        return correspondent
    }

    /// Of somebody known by this username alone: the number or id that comes with it now is theirs.
    private func isAllThatIsKnown(_ handle: String, _ account: Int64) throws -> Bool {
        guard let owner = try mail.byAddress.first(.integer(account), .text(handle), body: { $0.integer(0) }),
            let known = try mail.correspondent.first(.integer(owner), body: { Correspondent($0) })
        else { return false }
        return known.phone == nil && known.userID == nil
    }

    private func save(_ correspondent: Correspondent) throws {
        try mail.saveCorrespondent.run(
            .optional(correspondent.phone), .optional(correspondent.userID), .optional(correspondent.username),
            .optional(correspondent.name), .integer(correspondent.lastMessageAt.milliseconds),
            .integer(correspondent.id.rawValue))
    }

    /// These addresses and those that stand for the same people.
    func kin(of addresses: [String], _ account: Int64) throws -> [String] {
        guard memory.knowsAliases else { return addresses }
        var all = addresses
        for address in addresses {
            let person = try person(address, account: account)
            all.append(person)
            all += try limits.addressesOf.all(.integer(account), .text(person)) { $0.text(0) }
        }
        return Array(Set(all))
    }

    /// These addresses are one person's. Whoever of the people they named has been known longest stands for all; nil
    /// when they name nobody.
    @discardableResult
    func unify(_ addresses: [String], account: Int64, now: Timestamp) throws -> MessageID? {
        let known = try Set(
            addresses.compactMap { address in
                try mail.byAddress.first(.integer(account), .text(address)) { MessageID(rawValue: $0.integer(0)) }
            }
        ).sorted()
        guard let oldest = known.first else { return nil }
        for other in known.dropFirst() { try merge(other, into: oldest, account, now) }
        for address in addresses {
            try mail.saveAddress.run(.integer(account), .text(address), .integer(oldest.rawValue))
        }
        return oldest
    }

    private func merge(_ other: MessageID, into one: MessageID, _ account: Int64, _ now: Timestamp) throws {
        func load(_ id: MessageID) throws -> Correspondent? {
            try mail.correspondent.first(.integer(id.rawValue)) { Correspondent($0) }
        }
        guard var kept = try load(one), let gone = try load(other) else { return }
        kept.phone = kept.phone ?? gone.phone
        kept.userID = kept.userID ?? gone.userID
        kept.username = kept.username ?? gone.username
        kept.name = kept.name ?? gone.name
        kept.lastMessageAt = max(kept.lastMessageAt, gone.lastMessageAt)
        try save(kept)
        try mail.moveAddresses.run(.integer(one.rawValue), .integer(other.rawValue))
        try mail.mergeCorrespondent.run(.integer(one.rawValue), .integer(other.rawValue))
        let conversations = try mail.conversations.all(.integer(other.rawValue)) { row in
            (row.integer(0), line: row.integer(1), received: row.integer(2), last: row.integer(3), read: row.integer(4))
        }
        for (id, line, received, last, read) in conversations {
            guard let own = try mail.conversation.first(.integer(one.rawValue), .integer(line), body: { $0.integer(0) })
            else {
                try mail.giveConversation.run(.integer(one.rawValue), .integer(id))
                continue
            }
            try mail.move.run(.integer(own), .integer(id))
            try mail.mergeConversation.run(.integer(own), .integer(id))
            try mail.takeConversation.run(.integer(received), .integer(last), .integer(read), .integer(own))
        }
        var detail = JSONWriter()
        detail.object {
            $0.field("contactId", codec.text(one, .contact))
            $0.field("contactIdentifier", codec.text(one, .contact))
            $0.field("contactReplyTo", kept.replyTo)
            $0.field("contactPhone", kept.phone)
            $0.field("contactUserId", kept.userID)
            $0.field("contactUsername", kept.username)
            $0.field("contactName", kept.name)
            $0.field("mergedContactId", codec.text(other, .contact))
        }
        _ = try appendEvent(
            account: account, line: nil, message: nil, previous: nil, at: now, kind: .contactUpdated,
            state: nil, attempt: 0, detail: detail.bytes)
    }
}
