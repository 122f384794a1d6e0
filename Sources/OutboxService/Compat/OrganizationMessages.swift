import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Messages and conversations of a phone.
extension Organization {
    // MARK: Sending

    func send(_ phone: String, _ body: JSONValue) throws(APIError) -> Translation {
        guard body.kind == .object else {
            throw APIError(.malformed, "the body must be a JSON object", status: 400)
        }
        return withPhone(phone) { line in
            withRecipient(body["to"]?.string) { to in submit(body, to: to, line) }
        }
    }

    /// `to` may be the id of a contact, who is written to as `contactReplyTo` says.
    private func withRecipient(_ to: String?, _ then: @escaping (String?) -> Translation) -> Translation {
        guard let to, front.codec.id(to, .contact) != nil else { return then(to) }
        return ask(OwnCall(.contact(to), "/v1/contacts/\(percentEncoded(to))")) { answer, _ in
            guard let address = answer["data"]?["contactReplyTo"]?.string else {
                let words = "is a contact of whom neither a phone number nor a BSUID is known"
                return Self.refuse(.validation([FieldError("to", words)]))
            }
            return then(address)
        }
    }

    private func submit(_ body: JSONValue, to: String?, _ line: JSONValue) -> Translation {
        let name = line["line"]?.string ?? ""
        guard body["line"] == nil else {
            return Self.refuse(.validation([FieldError("line", "is not known here: the path says which phone sends")]))
        }
        let isPlain = body["text"]?.kind == .string
        let call = OwnCall(.submit, "/v1/messages") { json in
            json.field("line", name)
            for (field, value) in body.members {
                switch field {
                case "to" where to != nil: json.field("to", to)
                // A text stands there itself; Meta's own form of it is taken, too.
                case "text" where isPlain: json.field("message", raw: value.raw)
                case "template": writeTemplate(value, to: &json)
                case "reaction": writeReaction(value, to: &json)
                case "context" where value.kind == .object:
                    json.field("replyTo", raw: (value["message_id"] ?? value["messageId"])?.raw)
                default: json.field(field, raw: value.raw)
                }
            }
        }
        return ask(call, names: ["message": "text", "replyTo": body["context"] == nil ? "replyTo" : "context"]) {
            answer, response in
            let data = answer["data"]
            var own = HTTPResponse.json(response.status) {
                $0.object("data") {
                    $0.field("id", raw: data?["id"]?.raw)
                    $0.field("phoneNumberId", ids.phone(name))
                    $0.field("direction", "outbound")
                    $0.field("type", body["type"]?.string ?? (body["template"] == nil ? "text" : "template"))
                    $0.field("to", to)
                    $0.field("status", raw: data?["status"]?.raw)
                    $0.field("scheduledFor", raw: data?["scheduledFor"]?.raw)
                }
            }
            own.headers += response.passedHeaders
            return .answer(own)
        }
    }

    /// Meta has `"language": {"code": "en_US"}`, we `"language": "en_US"`.
    private func writeTemplate(_ template: JSONValue, to json: inout JSONWriter) {
        guard template.kind == .object, let code = template["language"]?["code"] else {
            return json.field("template", raw: template.raw)
        }
        json.object("template") {
            for (field, value) in template.members {
                $0.field(field, raw: field == "language" ? code.raw : value.raw)
            }
        }
    }

    private func writeReaction(_ reaction: JSONValue, to json: inout JSONWriter) {
        guard reaction.kind == .object else { return json.field("reaction", raw: reaction.raw) }
        json.object("reaction") {
            for (field, value) in reaction.members {
                $0.field(field == "messageId" ? "message_id" : field, raw: value.raw)
            }
        }
    }

    // MARK: Reading

    func messages(_ line: JSONValue, _ page: OrganizationPage) -> Translation {
        let call = OwnCall(.lineMessages(line["line"]?.string ?? ""), "\(path(line))/messages?\(query(page))")
        return ask(call) { answer, _ in
            let messages = answer["data"]?.elements.map { $0 } ?? []
            return withContacts(of: Set(messages.compactMap { $0["to"]?.string }).sorted()) { contacts in
                list(answer, page) { json in
                    for message in messages {
                        let contact = message["to"]?.string.flatMap { contacts[$0] }
                        write(message, contact ?? OrganizationContact(own: message), nil, to: &json)
                    }
                }
            }
        }
    }

    func conversations(_ line: JSONValue, _ page: OrganizationPage) -> Translation {
        let name = percentEncoded(line["line"]?.string ?? "")
        return ask(OwnCall(.conversations, "/v1/conversations?line=\(name)&\(query(page))")) { answer, _ in
            list(answer, page) { json in
                for conversation in answer["data"]?.elements.map({ $0 }) ?? [] {
                    write(conversation: conversation, to: &json)
                }
            }
        }
    }

    func withConversation(
        _ phone: String, _ id: String, _ then: @escaping (JSONValue) -> Translation
    ) -> Translation {
        withPhone(phone) { line in
            ask(OwnCall(.conversation(id), "/v1/conversations/\(percentEncoded(id))")) { answer, _ in
                guard let conversation = answer["data"], conversation["line"]?.string == line["line"]?.string else {
                    return Self.refuse(APIError(.notFound, "there is no such conversation of this phone"))
                }
                return then(conversation)
            }
        }
    }

    func answer(conversation: JSONValue) -> Translation {
        .answer(.json(200) { write(conversation: conversation, to: &$0, "data") })
    }

    func messages(of conversation: JSONValue, _ id: String, _ page: OrganizationPage) -> Translation {
        let target = "/v1/conversations/\(percentEncoded(id))/messages?\(query(page))"
        return ask(OwnCall(.conversationMessages(id), target)) { answer, _ in
            list(answer, page) { json in
                for message in answer["data"]?.elements.map({ $0 }) ?? [] {
                    write(message, OrganizationContact(own: conversation), conversation["id"]?.string, to: &json)
                }
            }
        }
    }

    private func query(_ page: OrganizationPage) -> String { "page=\(page.number)&limit=\(page.limit)" }

    private func list(
        _ answer: JSONValue, _ page: OrganizationPage, _ items: (inout JSONWriter) -> Void
    ) -> Translation {
        let pagination = answer["meta"]?["pagination"]
        return list(
            page, total: pagination?["total"]?.integer ?? 0, hasMore: pagination?["hasMore"]?.bool ?? false, items)
    }

    /// Those messages were sent to, by what the messages name them.
    private func withContacts(
        of addresses: [String], _ known: [String: OrganizationContact] = [:],
        _ then: @escaping ([String: OrganizationContact]) -> Translation
    ) -> Translation {
        guard let address = addresses.first else { return then(known) }
        let name = Recipient.isUserID(address) ? "userId" : "phone"
        return ask(OwnCall(.contacts, "/v1/contacts?\(name)=\(percentEncoded(address))")) { answer, _ in
            var known = known
            let found = answer["data"]?.elements.first { _ in true }
            known[address] = found.map(OrganizationContact.init(own:)) ?? OrganizationContact(to: address)
            return withContacts(of: Array(addresses.dropFirst()), known, then)
        }
    }

    private func write(conversation: JSONValue, to json: inout JSONWriter, _ name: String? = nil) {
        json.object(name) {
            $0.field("id", raw: conversation["id"]?.raw)
            $0.field("phoneNumberId", ids.phone(conversation["line"]?.string ?? ""))
            OrganizationContact(own: conversation).writeMembers(to: &$0)
            $0.field("messagesReceived", raw: conversation["messagesReceived"]?.raw)
            $0.field("lastMessageAt", raw: conversation["lastReceivedAt"]?.raw)
            $0.field("isWindowOpen", raw: conversation["windowOpen"]?.raw)
            $0.field("windowExpiresAt", raw: conversation["windowUntil"]?.raw)
        }
    }

    /// `conversation`: its id, where the message does not say; nil: there need be none.
    private func write(
        _ message: JSONValue, _ contact: OrganizationContact, _ conversation: String?, to json: inout JSONWriter
    ) {
        let isReceived = message["direction"]?.string == "inbound"
        json.object {
            $0.field("id", raw: message["id"]?.raw)
            $0.field("phoneNumberId", ids.phone(message["line"]?.string ?? ""))
            $0.field("conversationId", conversation ?? message["conversationId"]?.string)
            contact.writeMembers(to: &$0)
            $0.field("direction", raw: message["direction"]?.raw)
            $0.field("status", raw: message["status"]?.raw)
            OrganizationContent(own: message).writeMembers(to: &$0)
            for name in Self.passed { $0.field(name, raw: message[name]?.raw) }
            $0.field("createdAt", raw: message[isReceived ? "receivedAt" : "createdAt"]?.raw)
        }
    }

    /// Members of a message, the same here as there; null where one has none.
    static let passed = [
        "whatsappMessageId", "sentAt", "deliveredAt", "readAt", "failedAt", "errorCode", "errorMessage", "metadata",
    ]
}
