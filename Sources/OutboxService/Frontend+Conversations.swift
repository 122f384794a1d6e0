import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// Requests about people and what they wrote.
extension Frontend {
    func conversations(_ head: RequestHead) throws(APIError) -> Question {
        let query = try PageQuery.read(try parameters(head), filters: ["line", "contact"], isCounted: true)
        var filter = ConversationFilter()
        filter.line = query.filters["line"]
        filter.limit = query.limit
        filter.offset = query.offset
        if let text = query.filters["contact"] {
            guard let contact = codec.id(text, .contact) else { throw APIError(.notFound, "there is no such contact") }
            filter.contact = contact
        }
        filter.before = try cursor(query.cursor, .inbound)
        return .conversations(filter, page: query.page)
    }

    func conversationMessages(_ text: String, _ head: RequestHead) throws(APIError) -> Question {
        .conversationMessages(try conversationID(text), try place(head))
    }

    func lineMessages(_ name: String, _ head: RequestHead) throws(APIError) -> Question {
        .lineMessages(name, try place(head))
    }

    private func place(_ head: RequestHead) throws(APIError) -> PagePlace {
        let query = try PageQuery.read(try parameters(head), isCounted: true)
        return PagePlace(
            before: try cursor(query.cursor, .inbound, .message), page: query.page, offset: query.offset,
            limit: query.limit)
    }

    /// Whether Meta is asked anew though what is known is not old.
    func asksAnew(_ head: RequestHead) throws(APIError) -> Bool {
        var anew = false
        for (name, value) in try parameters(head) {
            guard name == "refresh" else {
                throw .validation([FieldError(name, "is not known here; known is refresh")])
            }
            guard ["true", "false"].contains(value) else {
                throw .validation([FieldError(name, "must be true or false")])
            }
            anew = value == "true"
        }
        return anew
    }

    func contacts(_ head: RequestHead) throws(APIError) -> Question {
        let query = try PageQuery.read(try parameters(head), filters: ["phone", "userId", "username"])
        var filter = ContactFilter()
        filter.limit = query.limit
        filter.before = try cursor(query.cursor, .contact)
        guard query.filters.count <= 1 else {
            throw .validation([FieldError("phone", "and userId and username exclude each other: give one of them")])
        }
        if let phone = query.filters["phone"] {
            guard let number = PhoneNumber(phone) else {
                throw .validation([FieldError("phone", "must be a phone number in E.164, such as 14155552671")])
            }
            filter.address = number.digits
        }
        filter.address = query.filters["userId"] ?? query.filters["username"].map { "@" + $0 } ?? filter.address
        return .contacts(filter)
    }

    func markRead(_ text: String, _ body: [UInt8]) throws(APIError) -> Errand {
        if text.hasPrefix(WhatsAppID.prefix) {
            return .markWhatsAppRead(
                wamid: text, typing: body.isEmpty ? false : try ReadBody.read(try parse(body)).typing)
        }
        guard let id = codec.id(text, .inbound) else {
            if let sent = codec.id(text) { return .markSentRead(sent) }
            throw APIError(.notFound, "there is no such message")
        }
        return .markRead(id, typing: body.isEmpty ? false : try ReadBody.read(try parse(body)).typing)
    }

    func catchUp(_ line: String, _ body: [UInt8]) throws(APIError) -> Errand {
        let wish = try CatchUpBody.read(try parse(body.isEmpty ? Array("{}".utf8) : body), now: now)
        return .catchUp(line: line, since: wish.since)
    }

    func contactID(_ text: String) throws(APIError) -> MessageID {
        guard let id = codec.id(text, .contact) else { throw APIError(.notFound, "there is no such contact") }
        return id
    }

    func conversationID(_ text: String) throws(APIError) -> MessageID {
        guard let id = codec.id(text, .conversation) else {
            throw APIError(.notFound, "there is no such conversation")
        }
        return id
    }

    /// A message, sent or received.
    func anyMessage(_ text: String) throws(APIError) -> Question {
        if let id = codec.id(text, .inbound) { return .inbound(id) }
        return .message(try id(text))
    }

    func parameters(_ head: RequestHead) throws(APIError) -> [(name: String, value: String)] {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        return parameters
    }

    private func cursor(_ text: String?, _ kinds: IDCodec.Kind...) throws(APIError) -> MessageID? {
        guard let text else { return nil }
        for kind in kinds { if let id = codec.id(text, kind) { return id } }
        throw .validation([FieldError("cursor", "must be the meta.pagination.cursor of the page before")])
    }
}
