import OutboxCore
import OutboxJSON
import OutboxStore

/// What a call tells an endpoint.
struct CallbackWords {
    var body: [UInt8]
    /// Beside those of every call: `Name: value`.
    var headers: [String] = []
}

extension CallerStep {
    /// An event, or a test, whose kind is nil, as a subscription's endpoint knows such.
    func words(
        _ own: [UInt8], _ kind: EventKind?, for subscription: Subscription, _ secrets: [CallbackSecret]
    ) throws -> CallbackWords {
        switch subscription.settings.format {
        case .outboxd: return CallbackWords(body: own)
        case .aircall: return CallbackWords(body: AircallCallback.body(own, secrets, parser))
        case .organization:
            let callback = OrganizationCallback(
                ids: OrganizationIDs(codec: codec, account: subscription.account), settings: subscription.settings,
                reader: store)
            return try callback.words(try parser.parse(own), kind, secrets, parser)
        }
    }
}
