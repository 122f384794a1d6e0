import OutboxCore

/// The calls of Aircall's WhatsApp Public API.
package enum AircallCall: Equatable, Sendable {
    case configuration(String)
    case configure(String)
    case removeConfiguration(String)
    case status(String)
    case templates(String)
    /// Told by callback, for a line that is registered.
    case send
    /// Into the line's conversations alone, for one that is not.
    case sendNative

    var role: Role {
        switch self {
        case .configuration, .status, .templates: .read
        case .send, .sendNative: .send
        case .configure, .removeConfiguration: .admin
        }
    }

    var takesParameters: Bool {
        if case .templates = self { return true }
        return false
    }

    static let places: [Route.Place] = [
        Route.Place(
            "/v1/numbers/{id}/messages/configuration",
            [
                "GET": { .hosted(.aircall(.configuration($0))) }, "POST": { .hosted(.aircall(.configure($0))) },
                "DELETE": { .hosted(.aircall(.removeConfiguration($0))) },
            ]),
        Route.Place("/v1/numbers/{id}/whatsapp_status", ["GET": { .hosted(.aircall(.status($0))) }]),
        Route.Place("/v1/numbers/{id}/templates", ["GET": { .hosted(.aircall(.templates($0))) }]),
        Route.Place("/v1/messages/whatsapp/send", ["POST": { _ in .hosted(.aircall(.send)) }]),
        Route.Place("/v1/messages/send/whatsapp/native", ["POST": { _ in .hosted(.aircall(.sendNative)) }]),
    ]
}
