import OutboxCore
import OutboxJSON

/// The `messages` in a change's value, each with its sender out of the `contacts` beside them:
///
///     {"contacts": [{"wa_id": "14155550100", "user_id": "US.1349"}],
///      "messages": [{"from": "14155550100", "from_user_id": "US.1349", "id": "wamid.1", "timestamp": "1800000000",
///                    "type": "text", "referral": {…}}]}
func inboundMessages(in value: JSONValue, _ phoneNumberID: String) -> [InboundMessage] {
    let contacts = value.items("contacts")
    // Of several people only the number tells whose contact it is.
    let only = contacts.count == 1 ? contacts[0]["user_id"]?.words : nil
    var byDigits: [String: String] = [:]
    for contact in contacts {
        if let digits = contact["wa_id"]?.personDigits, let userID = contact["user_id"]?.words {
            byDigits[digits] = userID
        }
    }
    return value.items("messages").map { message in
        let from = message["from"]?.personDigits
        return InboundMessage(
            phoneNumberID: phoneNumberID, from: from,
            userID: message["from_user_id"]?.words ?? only ?? from.flatMap { byDigits[$0] },
            at: message["timestamp"]?.moment, isAdClick: message["referral"]?.kind == .object,
            isGroup: message["group_id"]?.words != nil, wamid: message["id"]?.words,
            kind: message["type"]?.words ?? "unknown")
    }
}
