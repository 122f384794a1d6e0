import OutboxCore
import OutboxJSON

/// The `messages` in a change's value, each with its sender out of the `contacts` beside them:
///
///     {"contacts": [{"wa_id": "14155550100", "user_id": "US.1349", "profile": {"name": "Ann", "username": "ann"}}],
///      "messages": [{"from": "14155550100", "from_user_id": "US.1349", "id": "wamid.1", "timestamp": "1800000000",
///                    "type": "text", "text": {"body": "Hi"}, "referral": {…}}]}
///
/// Every message is read, of whatever kind; any name of its sender may be missing.
func inboundMessages(in value: JSONValue, _ phoneNumberID: String) -> [InboundMessage] {
    let senders = value.items("contacts").map(Sender.init)
    return value.items("messages").map { message in
        let from = message["from"]?.personDigits
        let named = message["from_user_id"]?.words
        let sender = senders.first { $0.isNamed(from, named) } ?? (senders.count == 1 ? senders[0] : nil)
        // Two numbers, or two ids, are two people, whoever stands alone beside the message.
        let mine = sender.flatMap { $0.isOther(than: from, named) ? nil : $0 }
        let kind = message["type"]?.words ?? "unknown"
        var payload = InboundMessage.Payload(
            body: Array(message.raw), contact: mine.map { Array($0.contact.raw) }, groupID: message["group_id"]?.words,
            text: words(of: message, kind))
        payload.quotes = message["context"]?["id"]?.words
        payload.waID = mine?.waID
        payload.media = mediaKinds.contains(kind) ? message[kind]?["id"]?.identifier : nil
        payload.name = mine?.contact["profile"]?["name"]?.words
        payload.username = mine?.contact["profile"]?["username"]?.words ?? mine?.contact["username"]?.words
        return InboundMessage(
            phoneNumberID: phoneNumberID, from: from, userID: named ?? mine?.userID,
            at: message["timestamp"]?.moment, isAdClick: message["referral"]?.kind == .object,
            isGroup: payload.groupID != nil, wamid: message["id"]?.words, kind: kind, payload: payload)
    }
}

private struct Sender {
    let contact: JSONValue
    let waID: String?
    let userID: String?

    init(_ contact: JSONValue) {
        self.contact = contact
        waID = contact["wa_id"]?.personDigits
        userID = contact["user_id"]?.words
    }

    func isOther(than digits: String?, _ userID: String?) -> Bool {
        if let digits, let waID { return digits != waID }
        if let userID, let own = self.userID { return userID != own }
        return false
    }

    func isNamed(_ digits: String?, _ userID: String?) -> Bool {
        (digits != nil && digits == waID) || (userID != nil && userID == self.userID)
    }
}

/// What a person would read out of it; nil for kinds without words.
private func words(of message: JSONValue, _ kind: String) -> String? {
    let content = message[kind]
    switch kind {
    case "text", "system": return content?["body"]?.words
    case "image", "video", "document": return content?["caption"]?.words
    case "button": return content?["text"]?.words
    case "interactive":
        return content?["button_reply"]?["title"]?.words ?? content?["list_reply"]?["title"]?.words
            ?? content?["nfm_reply"]?["body"]?.words
    case "order": return content?["text"]?.words
    default: return nil
    }
}

/// Kinds that bring a file.
private let mediaKinds: Set = ["image", "video", "audio", "document", "sticker"]

/// Kinds Meta documents; others are kept as well, and counted.
let inboundKinds: Set = [
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "button", "interactive",
    "reaction", "order", "system", "unsupported", "edit", "revoke",
]
