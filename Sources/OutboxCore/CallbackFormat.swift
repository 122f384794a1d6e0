/// In whose words a subscription's endpoint is called. The numbers are stored; they never change their meaning.
package enum CallbackFormat: Int64, NamedCase {
    /// As outboxd-api(7) has it.
    case outboxd = 0
    /// Of Aircall's WhatsApp Public API; see outboxd-compat(7).
    case aircall = 1
    /// Of the API with organisation keys; see outboxd-compat(7).
    case organization = 2

    /// The events of the API with organisation keys, in the order of their table.
    private static let organizationEvents: KeyValuePairs<String, [EventKind]> = [
        "message.received": [.received], "message.sent": [.sent],
        "message.status_updated": [.delivered, .read, .failed], "message.delivered": [.delivered],
        "message.read": [.read], "message.failed": [.failed],
    ]

    /// The names a subscription of this format calls events by, in the order of their table.
    package var eventNames: [String] {
        self == .organization ? Self.organizationEvents.map(\.key) : EventKind.publicNames
    }

    /// By what names it knows what happened, in the order of their table; none: it tells nobody.
    package func names(of kind: EventKind) -> [String] {
        guard self == .organization else { return kind.publicName.map { [$0] } ?? [] }
        return Self.organizationEvents.filter { $0.value.contains(kind) }.map(\.key)
    }

    /// Signs with whatever text its clients chose, and not only with Standard Webhooks' keys.
    package var takesAnySecret: Bool { self == .organization }
}
