import OutboxCore
import OutboxJSON
import OutboxStore

/// What a call tells an endpoint.
struct CallbackWords {
    var body: [UInt8]
    /// Beside those of every call: `Name: value`.
    var headers: [String] = []

    init(body: [UInt8], headers: [String] = []) {
        self.body = body
        self.headers = headers
    }

    /// `own`: the event as outboxd words it.
    init(_ own: [UInt8], as format: CallbackFormat, _ secrets: [CallbackSecret], _ parser: JSONParser) {
        switch format {
        case .aircall: body = AircallCallback.body(own, secrets, parser)
        case .outboxd, .organization: body = own
        }
    }
}

extension CallerStep {
    /// An event, or a test, whose kind is nil, as a subscription's endpoint knows such.
    func words(
        _ own: [UInt8], _ kind: EventKind?, for subscription: Subscription, _ secrets: [CallbackSecret]
    ) throws -> CallbackWords {
        guard subscription.settings.format == .organization else {
            return CallbackWords(own, as: subscription.settings.format, secrets, parser)
        }
        let callback = OrganizationCallback(
            ids: OrganizationIDs(codec: codec, account: subscription.account), settings: subscription.settings,
            reader: store)
        return try callback.words(try parser.parse(own), kind, secrets, parser)
    }
}
