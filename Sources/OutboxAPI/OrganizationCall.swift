import OutboxCore
package import OutboxJSON

/// The calls of the API with organisation keys (`sk_org_…`): phones, what is written over them, and webhooks.
package enum OrganizationCall: Equatable, Sendable {
    case phones
    case phone(String)
    case health(phone: String)
    case messages(phone: String)
    case send(phone: String)
    case conversations(phone: String)
    case conversation(phone: String, String)
    case conversationMessages(phone: String, String)
    case webhooks
    case addWebhook
    case webhook(String)
    case putWebhook(String)
    case patchWebhook(String)
    case deleteWebhook(String)
    case testWebhook(String)

    var role: Role {
        switch self {
        case .phones, .phone, .health, .messages, .conversations, .conversation, .conversationMessages, .webhooks,
            .webhook:
            .read
        case .send: .send
        case .addWebhook, .putWebhook, .patchWebhook, .deleteWebhook, .testWebhook: .admin
        }
    }

    /// `page` and `limit`.
    package var takesParameters: Bool {
        switch self {
        case .phones, .messages, .conversations, .conversationMessages, .webhooks: true
        default: false
        }
    }

    static let places: [Route.Place] = [
        Route.Place("/v1/phones", ["GET": { _ in .hosted(.organization(.phones)) }]),
        Route.Place("/v1/phones/{phoneId}", ["GET": { .hosted(.organization(.phone($0))) }]),
        Route.Place("/v1/phones/{phoneId}/health", ["GET": { .hosted(.organization(.health(phone: $0))) }]),
        Route.Place(
            "/v1/phones/{phoneId}/messages",
            [
                "GET": { .hosted(.organization(.messages(phone: $0))) },
                "POST": { .hosted(.organization(.send(phone: $0))) },
            ]),
        Route.Place(
            "/v1/phones/{phoneId}/conversations", ["GET": { .hosted(.organization(.conversations(phone: $0))) }]),
        Route.Place(
            "/v1/phones/{phoneId}/conversations/{id}",
            named: ["GET": { .hosted(.organization(.conversation(phone: $0[0], $0[1]))) }]),
        Route.Place(
            "/v1/phones/{phoneId}/conversations/{id}/messages",
            named: ["GET": { .hosted(.organization(.conversationMessages(phone: $0[0], $0[1]))) }]),
        Route.Place(
            "/v1/outgoing-webhooks",
            [
                "GET": { _ in .hosted(.organization(.webhooks)) },
                "POST": { _ in .hosted(.organization(.addWebhook)) },
            ]),
        Route.Place(
            "/v1/outgoing-webhooks/{webhookId}",
            [
                "GET": { .hosted(.organization(.webhook($0))) },
                "PUT": { .hosted(.organization(.putWebhook($0))) },
                "PATCH": { .hosted(.organization(.patchWebhook($0))) },
                "DELETE": { .hosted(.organization(.deleteWebhook($0))) },
            ]),
        Route.Place(
            "/v1/outgoing-webhooks/{webhookId}/test", ["POST": { .hosted(.organization(.testWebhook($0))) }]),
    ]
}

/// The body of `POST /v1/outgoing-webhooks`, and of the calls that change one, which name what is to be changed.
package struct OrganizationWebhookBody: Equatable, Sendable {
    package var url: String?
    package var events: [String]?
    package var secret: String?
    package var isActive: Bool?

    /// Every event.
    package static let allEvents = "*"

    package static func read(_ value: JSONValue, isNew: Bool) throws(APIError) -> OrganizationWebhookBody {
        var reader = ObjectReader(value, path: "", known: ["url", "events", "secret", "isActive"])
        var body = OrganizationWebhookBody()
        body.url =
            isNew
            ? reader.requiredString("url", example: "\"https://yourapp.com/webhooks/whatsapp\"")
            : reader.string("url")
        body.secret = reader.string("secret")
        // Before anything is changed.
        if let secret = body.secret, CallbackSecret(text: secret) == nil, CallbackSecret(plain: secret) == nil {
            reader.refuse("secret", CallbackSecret.plainRule)
        }
        body.isActive = reader.bool("isActive")
        let known = CallbackFormat.organization.eventNames
        if let value = reader["events"] {
            let names = value.elements.map { $0.string ?? "" }
            if names.isEmpty || names.contains(where: { $0 != allEvents && !known.contains($0) }) {
                let list = (known + [allEvents]).joined(separator: ", ")
                reader.refuse("events", "must be an array of names of events, of which there are \(list)")
            }
            body.events = names
        } else if isNew, value.kind == .object {
            reader.refuse("events", "is missing; give for example [\"message.received\", \"message.sent\"]")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return body
    }
}

/// `page` and `limit` of a list of the API with organisation keys.
package struct OrganizationPage: Equatable, Sendable {
    package var number = 1
    package var limit = 50

    package init() {}

    /// How many stand before it.
    package var offset: Int { (number - 1) * limit }

    package static func read(_ parameters: [(name: String, value: String)]) throws(APIError) -> OrganizationPage {
        var page = OrganizationPage()
        var errors: [FieldError] = []
        for (name, value) in parameters {
            switch (name, Int(value)) {
            case ("page", let number?) where (1...1_000_000).contains(number): page.number = number
            case ("page", _): errors.append(FieldError(name, "must be a whole number from 1 on"))
            case ("limit", let number?) where (1...ListQuery.limitMax).contains(number): page.limit = number
            case ("limit", _):
                errors.append(FieldError(name, "must be a whole number from 1 to \(ListQuery.limitMax)"))
            default: errors.append(FieldError(name, "is not known here; known are page, limit"))
            }
        }
        if page.offset > ListQuery.offsetMax {
            errors.append(FieldError("page", "leads beyond \(ListQuery.offsetMax) of them"))
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return page
    }
}
