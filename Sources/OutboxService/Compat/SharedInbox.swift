import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// What the page behind a shared inbox link asks for, as far as the link allows it: calls of our own about one line.
struct SharedInbox: Dialect {
    let front: Frontend
    let link: SharedInboxLink

    private static let pageLimit = 30

    static func need(_ permission: InboxPermissions, _ link: SharedInboxLink) throws(APIError) {
        guard !link.allows(permission) else { return }
        let name = InboxPermissions.named.first { $0.permission == permission }?.name ?? ""
        throw APIError(.forbidden, "this link does not allow it: it lacks the permission \(name)")
    }

    private func need(_ permission: InboxPermissions) throws(APIError) { try Self.need(permission, link) }

    func translate(_ deed: PageCall.Deed, _ request: HTTPRequest) throws(APIError) -> Translation {
        switch deed {
        case .inboxPage: return .answer(Pages.inbox.response)
        case .inboxLink:
            return .answer(
                .json(200) {
                    $0.object("data") {
                        $0.field("name", link.settings.name)
                        $0.field("line", link.lineName)
                        link.writePermissions(to: &$0)
                        $0.field("expiresAt", link.settings.expiresAt?.rfc3339)
                    }
                })
        case .conversations:
            try need(.readInbox)
            return conversations(try cursor(request.head))
        case .messages(let id):
            try need(.readDetails)
            let cursor = try cursor(request.head)
            return withConversation(id) { _ in messages(id, cursor) }
        case .send(let id):
            let content = try InboxContent.read(try front.parse(request.body))
            try need(content.permission)
            return withConversation(id) { send(content, to: $0) }
        case .markRead(let id):
            try need(.markRead)
            return withMessage(id) { _ in
                pass(OwnCall(.markRead(id), "/v1/messages/\(percentEncoded(id))/read")) { _, json in
                    json.object("data") { $0.field("id", id) }
                }
            }
        case .file(let id):
            try need(.readDetails)
            return withMessage(id) { message in file(message) }
        case .templates:
            try need(.sendTemplates)
            return templates()
        case .upload, .onboardingPage, .onboardingLink, .connect:
            throw APIError(.notFound, "there is nothing here")
        }
    }

    // MARK: Asking

    static func refusal(_ error: APIError) -> HTTPResponse { Organization.refusal(error) }

    private func pass(_ call: OwnCall, _ write: @escaping (JSONValue, inout JSONWriter) -> Void) -> Translation {
        ask(call) { answer, _ in .answer(.json(200) { write(answer, &$0) }) }
    }

    private func missing(_ what: String) -> Translation {
        Self.refuse(APIError(.notFound, "there is no such \(what)"))
    }

    /// One of the link's line.
    private func withConversation(_ id: String, _ then: @escaping (JSONValue) -> Translation) -> Translation {
        ask(OwnCall(.conversation(id), "/v1/conversations/\(percentEncoded(id))")) { answer, _ in
            guard let found = answer["data"], found["line"]?.string == link.lineName else {
                return missing("conversation")
            }
            return then(found)
        }
    }

    private func withMessage(_ id: String, _ then: @escaping (JSONValue) -> Translation) -> Translation {
        ask(OwnCall(.message(id), "/v1/messages/\(percentEncoded(id))")) { answer, _ in
            guard let found = answer["data"], found["line"]?.string == link.lineName else { return missing("message") }
            return then(found)
        }
    }

    private func cursor(_ head: RequestHead) throws(APIError) -> String {
        let given = try front.parameters(head)
        if let other = given.first(where: { $0.name != "cursor" }) {
            throw .validation([FieldError(String(other.name.prefix(64)), "is not known here; known is cursor")])
        }
        return given.first.map { "&cursor=\(percentEncoded($0.value))" } ?? ""
    }

    // MARK: Reading

    private func conversations(_ cursor: String) -> Translation {
        let query = "line=\(percentEncoded(link.lineName))&limit=\(Self.pageLimit)\(cursor)"
        return pass(OwnCall(.conversations, "/v1/conversations?\(query)")) { answer, json in
            json.array("data") { json in
                for found in answer["data"]?.elements.map({ $0 }) ?? [] { write(found, to: &json) }
            }
            json.field("cursor", answer["meta"]?["pagination"]?["cursor"]?.string)
        }
    }

    private func write(_ conversation: JSONValue, to json: inout JSONWriter) {
        let shows = link.allows(.readDetails)
        json.object { json in
            json.field("id", conversation["id"]?.string)
            json.field("name", conversation["contactName"]?.string)
            for (name, field) in [
                ("phone", "contactPhone"), ("username", "contactUsername"), ("userId", "contactUserId"),
            ] {
                json.field(name, shows ? conversation[field]?.string : nil)
            }
            json.field("lastReceivedAt", conversation["lastReceivedAt"]?.string)
            json.field("windowOpen", conversation["windowOpen"]?.bool ?? false)
            json.field("windowUntil", conversation["windowUntil"]?.string)
        }
    }

    private func messages(_ id: String, _ cursor: String) -> Translation {
        let target = "/v1/conversations/\(percentEncoded(id))/messages?limit=\(Self.pageLimit)\(cursor)"
        return pass(OwnCall(.conversationMessages(id), target)) { answer, json in
            json.array("data") { json in
                for message in answer["data"]?.elements.map({ $0 }) ?? [] { write(message: message, to: &json) }
            }
            json.field("cursor", answer["meta"]?["pagination"]?["cursor"]?.string)
        }
    }

    private func write(message: JSONValue, to json: inout JSONWriter) {
        let type = message["type"]?.string ?? ""
        let isReceived = message["direction"]?.string == "inbound"
        let content = isReceived ? message["content"] : message[type]
        json.object { json in
            json.field("id", message["id"]?.string)
            json.field("direction", message["direction"]?.string)
            json.field("type", type)
            json.field("text", (isReceived ? message["text"] : message["message"])?.string)
            json.field("caption", content?["caption"]?.string)
            json.field("filename", content?["filename"]?.string)
            json.field("hasFile", Self.fileID(message) != nil)
            json.field("template", message["template"]?["name"]?.string)
            json.field("status", message["status"]?.string)
            json.field("problem", message["errorMessage"]?.string)
            json.field("at", (isReceived ? message["timestamp"] : message["createdAt"])?.string)
            json.field("markedRead", message["markedRead"]?.bool ?? true)
        }
    }

    /// Ours or Meta's, of what the message itself brings.
    private static func fileID(_ message: JSONValue) -> String? {
        guard let type = message["type"]?.string,
            ["image", "video", "audio", "voice", "document", "sticker"].contains(type)
        else { return nil }
        let content = message["direction"]?.string == "inbound" ? message["content"] : message[type]
        return content?["media"]?.string ?? content?["id"]?.string
    }

    private func file(_ message: JSONValue) -> Translation {
        guard let id = Self.fileID(message) else { return missing("file") }
        let guest = Frontend.Visited.inbox(link).guest
        return .perform { (front, exchange) throws(APIError) in
            try front.checkFiles(of: link, among: front.followers.values)
            let request = HTTPRequest(
                head: RequestHead(method: "GET", target: "/v1/media/\(percentEncoded(id))"), body: [], peer: .remote,
                listener: Door.pages.rawValue)
            front.getMedia(id, request, exchange, guest)
        } then: { response in
            .answer(response.refusal(parser).map { Self.refusal($0) } ?? response)
        }
    }

    private func templates() -> Translation {
        let target = "/v1/lines/\(percentEncoded(link.lineName))/templates?status=APPROVED&limit=100"
        return pass(OwnCall(.lineTemplates(link.lineName), target)) { answer, json in
            json.array("data") { json in
                for template in answer["data"]?.elements.map({ $0 }) ?? [] {
                    json.object { json in
                        for name in ["name", "language", "category", "components"] {
                            json.field(name, raw: template[name]?.raw)
                        }
                    }
                }
            }
        }
    }

    // MARK: Sending

    private func send(_ content: InboxContent, to conversation: JSONValue) -> Translation {
        guard let to = conversation["contactReplyTo"]?.string else {
            let error = APIError(.conflict, "nobody knows an address of this person any more")
            return Self.refuse(error)
        }
        let call = OwnCall(.submit, "/v1/messages") { json in
            json.field("line", link.lineName)
            json.field("to", to)
            json.field(content.field, raw: content.json)
            json.object("metadata") { $0.field("sharedInboxLink", front.codec.text(link.id, .sharedInboxLink)) }
        }
        return pass(call) { answer, json in
            json.object("data") {
                $0.field("id", answer["data"]?["id"]?.string)
                $0.field("status", answer["data"]?["status"]?.string)
            }
        }
    }

    static func uploaded(_ response: HTTPResponse, _ parser: JSONParser) -> Translation {
        if let error = response.refusal(parser) { return .answer(Self.refusal(error)) }
        let file = (try? parser.parse(response.body))?["data"]
        let type = file?["type"]?.string
        return .answer(
            .json(201) {
                $0.object("data") {
                    $0.field("id", file?["id"]?.string)
                    $0.field("type", type)
                    $0.field("kind", type.flatMap { MediaType.named($0) }?.messages.first)
                }
            })
    }
}
