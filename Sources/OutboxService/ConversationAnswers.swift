import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Which messages of a list: those before one, or a page by its number.
struct PagePlace: Sendable {
    var before: MessageID?
    /// Counted from 1.
    var page: Int?
    var offset = 0
    var limit: Int
}

/// Answers about people and what they and the lines wrote to each other.
extension Answerer {
    /// `page` is its number; nil: nobody counts.
    func conversations(_ filter: ConversationFilter, page number: Int?) throws -> HTTPResponse {
        let page = try reader.conversations(filter, account: account)
        let total = try number.map { _ in try reader.conversationCount(filter, account: account) }
        let cursor = page.next.map { reader.codec.text($0, .inbound) }
        return .page(limit: filter.limit, page: number, total: total, cursor: cursor) {
            for conversation in page.items { write(conversation, to: &$0) }
        }
    }

    func conversation(_ id: MessageID) throws -> HTTPResponse {
        let conversation = try found(id)
        return .json(200) { write(conversation, to: &$0, name: "data") }
    }

    func conversationMessages(_ id: MessageID, _ place: PagePlace) throws -> HTTPResponse {
        let conversation = try found(id)
        let page = try reader.messages(
            of: conversation, before: place.before, offset: place.offset, limit: place.limit, account: account)
        let total = try place.page.map { _ in try reader.messageCount(of: conversation, account: account) }
        return answer(page, place, total)
    }

    func lineMessages(_ name: String, _ place: PagePlace) throws -> HTTPResponse {
        let line = try line(name)
        var page = try reader.messages(of: line, before: place.before, offset: place.offset, limit: place.limit)
        let total = try place.page.map { _ in try reader.messageCount(of: line) }
        // Pages are of what is counted; a cursor leads on.
        if let total, place.offset + page.items.count >= total { page.next = nil }
        return answer(page, place, total)
    }

    private func answer(_ page: Page<ConversationEntry>, _ place: PagePlace, _ total: Int?) -> HTTPResponse {
        let cursor = page.next.map { next in
            page.items.last { $0.id == next }.map(idText) ?? reader.codec.text(next)
        }
        return .page(limit: place.limit, page: place.page, total: total, cursor: cursor) { json in
            for entry in page.items {
                switch entry {
                case .received(let message): write(message, to: &json, payload: false)
                case .sent(let message): write(message, to: &json)
                }
            }
        }
    }

    private func found(_ id: MessageID) throws -> Conversation {
        guard let conversation = try reader.conversation(id, account: account) else {
            throw APIError(.notFound, "there is no such conversation")
        }
        return conversation
    }

    private func idText(_ entry: ConversationEntry) -> String {
        switch entry {
        case .received(let message): reader.codec.text(message.id, .inbound)
        case .sent(let message): reader.codec.text(message.id)
        }
    }

    func contacts(_ filter: ContactFilter) throws -> HTTPResponse {
        let page = try reader.contacts(filter, account: account)
        return .page(limit: filter.limit, cursor: page.next.map { reader.codec.text($0, .contact) }) {
            for contact in page.items { contact.write(to: &$0, id: reader.codec.text(contact.id, .contact)) }
        }
    }

    func contact(_ id: MessageID) throws -> HTTPResponse {
        guard let contact = try reader.contact(id, account: account) else {
            throw APIError(.notFound, "there is no such contact")
        }
        let addresses = try reader.addresses(of: contact.id)
        return .json(200) {
            contact.write(
                to: &$0, name: "data", id: reader.codec.text(contact.id, .contact), addresses: addresses)
        }
    }

    /// Has Meta told; the writer answers when Meta took it.
    func markRead(
        _ id: MessageID, typing: Bool, _ exchange: Exchange, _ asker: Asker, _ calls: GraphCalls
    ) throws {
        guard let (line, wamid) = try reader.inboundRoute(id, account: account) else {
            throw APIError(.notFound, "there is no such message, or its line was removed")
        }
        guard let wamid else { throw APIError(.conflict, "Meta gave this message no id: it cannot be marked as read") }
        try calls.call(exchange, line) { endpoint, token in
            endpoint.markRead(
                phoneNumberID: line.settings.phoneNumberID, wamid: wamid, typing: typing, token: token,
                timeout: GraphCalls.patience)
        } ended: { end in
            if let error = end.error("the message was not marked as read") { return .answer(.error(error)) }
            return .write(.asked(asker, .markRead(exchange, id, typing: typing)))
        }
    }

    func inbound(_ id: MessageID) throws -> HTTPResponse {
        guard let message = try reader.inbound(id, account: account) else {
            throw APIError(.notFound, "there is no such message")
        }
        return .json(200) { write(message, to: &$0, name: "data", payload: true) }
    }

    private func write(_ message: StoredInbound, to json: inout JSONWriter, name: String? = nil, payload: Bool) {
        message.write(to: &json, name: name, reader.codec.ids(of: message), payload: payload, parser: parser)
    }

    private func write(_ conversation: Conversation, to json: inout JSONWriter, name: String? = nil) {
        conversation.write(
            to: &json, name: name, id: reader.codec.text(conversation.id, .conversation),
            contact: reader.codec.text(conversation.correspondent.id, .contact),
            readUpTo: conversation.readUpTo.map { reader.codec.text($0, .inbound) },
            windowUntil: conversation.windowUntil.map(clock.wall),
            now: Timestamp(milliseconds: wallClockMilliseconds()))
    }
}

extension CatchUpState {
    func write(to json: inout JSONWriter) {
        json.object("catchUp") {
            $0.field("since", since.rfc3339)
            $0.field("startedAt", startedAt.rfc3339)
            $0.field("total", total)
            $0.field("asked", asked)
            $0.field("changed", changed)
            $0.field("finishedAt", finishedAt?.rfc3339)
            $0.field("problem", problem)
        }
    }
}

extension WebhookTotals {
    func write(to json: inout JSONWriter, unread: Int64) {
        json.object("webhooks") {
            for what in WebhookCount.allCases { $0.field(what.rawValue, counts[what] ?? 0) }
            $0.field("waitingStatuses", waiting)
            $0.field("unread", unread)
            $0.object("others") { for (name, count) in others { $0.field(name, count) } }
        }
    }
}
