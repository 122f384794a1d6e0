import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// The API with organisation keys (`sk_org_…`): `/v1/phones/…` and `/v1/outgoing-webhooks…`.
///
/// One thing is `{"data": {…}}`, a list `{"data": […], "meta": {"pagination": {"page", "limit", "total", "hasMore"}}}`, a
/// refusal `{"error": {"message": "…", "code": "…"}}`. The organisation is the caller's account, a phone is a line.
struct Organization: Dialect {
    let front: Frontend
    let guest: Guest

    var ids: OrganizationIDs { OrganizationIDs(codec: front.codec, account: guest.account) }

    func translate(_ call: OrganizationCall, _ request: HTTPRequest) throws(APIError) -> Translation {
        // A page that cannot be is refused whatever it is of.
        let page =
            call.takesParameters
            ? try OrganizationPage.read(try front.parameters(request.head)) : OrganizationPage()
        return switch call {
        case .phones: phones(page)
        case .phone(let phone): withPhone(phone) { line in withHealth(of: [line]) { answer($0[0]) } }
        case .health(let phone): withPhone(phone, health)
        case .messages(let phone): withPhone(phone) { messages($0, page) }
        case .send(let phone): try send(phone, try front.parse(request.body))
        case .conversations(let phone): withPhone(phone) { conversations($0, page) }
        case .conversation(let phone, let id): withConversation(phone, id, answer(conversation:))
        case .conversationMessages(let phone, let id): withConversation(phone, id) { messages(of: $0, id, page) }
        case .webhooks: webhooks(page)
        case .addWebhook: addWebhook(try OrganizationWebhookBody.read(try front.parse(request.body), isNew: true))
        case .webhook(let id): withWebhook(id) { webhook in .answer(.json(200) { write(webhook, to: &$0, "data") }) }
        case .putWebhook(let id), .patchWebhook(let id):
            changeWebhook(id, try OrganizationWebhookBody.read(try front.parse(request.body), isNew: false))
        case .deleteWebhook(let id): deleteWebhook(id)
        case .testWebhook(let id): testWebhook(id)
        }
    }

    // MARK: Words

    /// Its clients read one sentence and a code; those it has no word for have the nearest.
    static func refusal(_ error: APIError) -> HTTPResponse {
        let code =
            switch error.status {
            case 401: "UNAUTHORIZED"
            case 403: "FORBIDDEN"
            case 404: "NOT_FOUND"
            case 409: "CONFLICT"
            case 429: "RATE_LIMITED"
            case 500...: "INTERNAL_ERROR"
            default: "VALIDATION_ERROR"
            }
        let details = error.details.prefix(detailsMax).map { "\($0.field) \($0.message)" }
        let words = ([error.message] + (details.isEmpty ? [] : [details.joined(separator: "; ")]))
        var response = HTTPResponse.json(error.status) {
            $0.object("error") {
                $0.field("message", words.joined(separator: ": "))
                $0.field("code", code)
            }
        }
        response.headers += HTTPResponse.error(error).passedHeaders
        return response
    }

    /// Wrong fields that are named in a refusal.
    private static let detailsMax = 5

    /// `hasMore` and `total` are of all pages.
    func list(
        _ page: OrganizationPage, total: Int64, hasMore: Bool, _ items: (inout JSONWriter) -> Void
    ) -> Translation {
        .answer(
            .json(200) { json in
                json.array("data") { items(&$0) }
                json.object("meta") {
                    $0.object("pagination") {
                        $0.field("page", page.number)
                        $0.field("limit", page.limit)
                        $0.field("total", total)
                        $0.field("hasMore", hasMore)
                    }
                }
            })
    }

    /// Some of a list that is there whole.
    func list(
        _ all: [JSONValue], _ page: OrganizationPage, _ write: (JSONValue, inout JSONWriter) -> Void
    ) -> Translation {
        let some = all.dropFirst(page.offset).prefix(page.limit)
        return list(page, total: Int64(all.count), hasMore: some.endIndex < all.count && !some.isEmpty) { json in
            for item in some { write(item, &json) }
        }
    }

    /// The caller's lines, by name.
    func withLines(_ then: @escaping ([JSONValue]) -> Translation) -> Translation {
        ask(OwnCall(.lines, "/v1/lines")) { answer, _ in then(answer["data"]?.elements.map { $0 } ?? []) }
    }

    /// The line a caller means by a phone's id.
    func withPhone(_ text: String, _ then: @escaping (JSONValue) -> Translation) -> Translation {
        withLines { lines in
            let line = lines.first {
                ids.names(text, line: $0["line"]?.string ?? "", phoneNumberID: $0["phoneNumberId"]?.string)
            }
            guard let line else { return Self.refuse(APIError(.notFound, "there is no such phone")) }
            return then(line)
        }
    }

    /// The path of a line.
    func path(_ line: JSONValue) -> String { "/v1/lines/\(percentEncoded(line["line"]?.string ?? ""))" }
}
