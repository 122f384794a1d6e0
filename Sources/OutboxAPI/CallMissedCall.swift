package import OutboxCore

/// The calls of CallMissed's WhatsApp API (docs.callmissed.com, "WhatsApp API"), under `/api/v1/whatsapp`.
package enum CallMissedCall: Equatable, Sendable {
    case exchange
    case connect
    case accounts
    case numbers
    case linkBot(String)
    case autoReply(String)
    case send(CallMissedMessage.Kind)
    case markRead(String)
    case uploadMedia
    case templates
    case makeTemplate
    case syncTemplates
    case removeTemplate(String)
    case campaigns
    case createCampaign
    case addRecipients(String)
    case launchCampaign(String)
    case funnel
    case timeseries
    case costs

    /// The scopes `whatsapp:read`, `whatsapp:send` and `whatsapp:write` are our roles read, send and admin.
    var role: Role {
        switch self {
        case .accounts, .numbers, .templates, .campaigns, .funnel, .timeseries, .costs: .read
        case .send, .markRead: .send
        case .exchange, .connect, .linkBot, .autoReply, .uploadMedia, .makeTemplate, .syncTemplates, .removeTemplate,
            .createCampaign, .addRecipients, .launchCampaign:
            .admin
        }
    }

    /// Its name for a role.
    package static func scope(_ role: Role) -> String {
        switch role {
        case .none, .read: "whatsapp:read"
        case .send: "whatsapp:send"
        case .admin: "whatsapp:write"
        }
    }

    var takesParameters: Bool {
        switch self {
        case .templates, .campaigns, .funnel, .timeseries, .costs: true
        default: false
        }
    }

    var isBulk: Bool {
        switch self {
        case .createCampaign, .addRecipients: true
        default: false
        }
    }

    static let places: [Route.Place] = [
        Route.Place("\(base)/onboarding/exchange", ["POST": on { _ in .exchange }]),
        Route.Place("\(base)/onboarding/manual", ["POST": on { _ in .connect }]),
        Route.Place("\(base)/accounts", ["GET": on { _ in .accounts }]),
        Route.Place("\(base)/phone_numbers", ["GET": on { _ in .numbers }]),
        Route.Place("\(base)/phone_numbers/{phone_id}/link-bot", ["POST": on { .linkBot($0) }]),
        Route.Place("\(base)/phone_numbers/{phone_id}/autoreply", ["POST": on { .autoReply($0) }]),
        Route.Place("\(base)/messages", ["POST": on { _ in .send(.text) }]),
        Route.Place("\(base)/messages/template", ["POST": on { _ in .send(.template) }]),
        Route.Place("\(base)/messages/media", ["POST": on { _ in .send(.media) }]),
        Route.Place("\(base)/messages/interactive", ["POST": on { _ in .send(.interactive) }]),
        Route.Place("\(base)/messages/{message_id}/read", ["POST": on { .markRead($0) }]),
        Route.Place("\(base)/media", ["POST": on { _ in .uploadMedia }]),
        Route.Place("\(base)/templates", ["GET": on { _ in .templates }, "POST": on { _ in .makeTemplate }]),
        Route.Place("\(base)/templates/sync", ["POST": on { _ in .syncTemplates }]),
        Route.Place("\(base)/templates/{uuid}", ["DELETE": on { .removeTemplate($0) }]),
        Route.Place("\(base)/campaigns", ["GET": on { _ in .campaigns }, "POST": on { _ in .createCampaign }]),
        Route.Place("\(base)/campaigns/{id}/recipients", ["POST": on { .addRecipients($0) }]),
        Route.Place("\(base)/campaigns/{id}/launch", ["POST": on { .launchCampaign($0) }]),
        Route.Place("\(base)/analytics/funnel", ["GET": on { _ in .funnel }]),
        Route.Place("\(base)/analytics/timeseries", ["GET": on { _ in .timeseries }]),
        Route.Place("\(base)/analytics/costs", ["GET": on { _ in .costs }]),
    ]

    static let base = "/api/v1/whatsapp"

    private static func on(_ call: @escaping @Sendable (String) -> CallMissedCall) -> @Sendable (String) -> Route {
        { .hosted(.callMissed(call($0))) }
    }
}
