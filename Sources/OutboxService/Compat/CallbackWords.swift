import OutboxCore
import OutboxJSON

/// What a call tells an endpoint.
struct CallbackWords {
    var body: [UInt8]
    /// Beside those of every call: `Name: value`.
    var headers: [String] = []

    /// `own`: the event as outboxd words it.
    init(_ own: [UInt8], as format: CallbackFormat, _ secrets: [CallbackSecret], _ parser: JSONParser) {
        switch format {
        case .aircall: body = AircallCallback.body(own, secrets, parser)
        case .outboxd, .organization: body = own
        }
    }
}
