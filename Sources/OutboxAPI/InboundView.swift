package import OutboxCore
package import OutboxJSON

/// The ids of a message received, as they are shown.
package struct InboundIDs: Sendable {
    package var message: String
    package var conversation: String
    package var contact: String

    package init(message: String, conversation: String, contact: String) {
        self.message = message
        self.conversation = conversation
        self.contact = contact
    }
}

extension Correspondent {
    /// The same members wherever somebody is told of. `contactIdentifier` is the contact's id: it stays when the
    /// number, the user id or the username changes or comes later.
    package func writeMembers(to json: inout JSONWriter, id: String) {
        json.field("contactId", id)
        json.field("contactIdentifier", id)
        json.field("contactReplyTo", replyTo)
        json.field("contactPhone", phone)
        json.field("contactUserId", userID)
        json.field("contactUsername", username)
        json.field("contactName", name)
    }

    /// `addresses`: all names so far; nil: not asked for.
    package func write(to json: inout JSONWriter, name: String? = nil, id: String, addresses: [String]? = nil) {
        json.object(name) {
            $0.field("id", id)
            writeMembers(to: &$0, id: id)
            $0.field("createdAt", self.id.moment.rfc3339)
            $0.field("lastMessageAt", lastMessageAt.rfc3339)
            if let addresses { $0.array("addresses") { for address in addresses { $0.value(address) } } }
        }
    }
}

extension StoredInbound {
    /// The data of the event `message.received`. `content` is what stands under the message's type, as received.
    package func eventData(_ ids: InboundIDs, parser: JSONParser) -> [UInt8] {
        var json = JSONWriter(capacity: 512 + body.count)
        json.object { writeMembers(to: &$0, ids, parser) }
        return json.bytes
    }

    private func writeMembers(to json: inout JSONWriter, _ ids: InboundIDs, _ parser: JSONParser) {
        json.field("messageId", ids.message)
        json.field("line", line)
        json.field("conversationId", ids.conversation)
        correspondent.writeMembers(to: &json, id: ids.contact)
        json.field("whatsappMessageId", wamid)
        json.field("type", type)
        json.field("text", text)
        if let groupID { json.field("groupId", groupID) }
        // What was stored was read before; a damaged row still shows the rest.
        let message = try? parser.parse(body)
        json.field("content", raw: message?[type]?.compact)
        for name in ["context", "referral", "errors"] {
            if let value = message?[name] { json.field(name, raw: value.compact) }
        }
        json.field("timestamp", at.rfc3339)
    }

    /// As a message; with `payload` also Meta's own objects.
    package func write(
        to json: inout JSONWriter, name: String? = nil, _ ids: InboundIDs, payload: Bool, parser: JSONParser
    ) {
        json.object(name) {
            $0.field("id", ids.message)
            $0.field("direction", "inbound")
            $0.field("status", "received")
            writeMembers(to: &$0, ids, parser)
            $0.field("receivedAt", id.moment.rfc3339)
            $0.field("markedRead", isRead)
            guard payload else { return }
            $0.field("payload", raw: (try? parser.parse(body))?.compact)
            $0.field("payloadContact", raw: contact.flatMap { try? parser.parse($0) }?.compact)
        }
    }
}

extension Conversation {
    /// `windowUntil` by the wall clock.
    package func write(
        to json: inout JSONWriter, name: String? = nil, id: String, contact: String, readUpTo: String?,
        windowUntil: Timestamp?, now: Timestamp
    ) {
        json.object(name) {
            $0.field("id", id)
            $0.field("line", line)
            correspondent.writeMembers(to: &$0, id: contact)
            $0.field("messagesReceived", received)
            $0.field("lastReceivedAt", lastReceived.moment.rfc3339)
            $0.field("readUpTo", readUpTo)
            $0.field("windowOpen", windowUntil.map { $0 > now } ?? false)
            $0.field("windowUntil", windowUntil?.rfc3339)
        }
    }
}
