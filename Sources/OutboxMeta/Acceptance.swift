package import OutboxJSON

/// What Meta says to a message it accepts:
///
///     {"contacts": [{"input": "+14155550100", "wa_id": "14155550100", "user_id": "US.1349"}],
///      "messages": [{"id": "wamid.1", "message_status": "accepted"}]}
package struct Acceptance: Equatable, Sendable {
    package var wamid: String
    /// The person's digits as WhatsApp writes them, which in Brazil and Mexico may differ from those sent to. Nil for
    /// people Meta names by `userID` only.
    package var waID: String?
    /// Meta's business-scoped user id, an opaque word.
    package var userID: String?
    /// Who it was sent to, as it was written.
    package var input: String?
    /// Meta watches the template's first messages and keeps this one back: it leaves within the hour, or fails later
    /// with 132015. It must not be sent again.
    package var held: Bool

    package init(wamid: String, waID: String? = nil, userID: String? = nil, input: String? = nil, held: Bool = false) {
        self.wamid = wamid
        self.waID = waID
        self.userID = userID
        self.input = input
        self.held = held
    }
}

/// Nil when there is no message id in it: Meta accepted nothing.
package func acceptance(in body: JSONValue) -> Acceptance? {
    func first(_ name: String) -> JSONValue? { body[name]?.elements.first { _ in true } }
    guard let message = first("messages"), let wamid = message["id"]?.words else { return nil }
    let contact = first("contacts")
    return Acceptance(
        wamid: wamid, waID: contact?["wa_id"]?.personDigits,
        userID: contact?["user_id"]?.words.flatMap { $0.utf8.count <= 160 ? $0 : nil },
        input: contact?["input"]?.words, held: message["message_status"]?.string == "held_for_quality_assessment")
}
