import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxStore
import OutboxSystem

/// What an endpoint of the format `organization` is told:
///
///     {"event": "message.received", "timestamp": "…", "organizationId": "…", "data": {"messageId": "…", …}}
///
/// with `X-Webhook-Event` and `X-Webhook-Signature: sha256=…`, the HMAC-SHA256 of the body under the secret's text.
struct OrganizationCallback {
    let ids: OrganizationIDs
    let settings: SubscriptionSettings
    /// Looks people, lines and contents up.
    let reader: QueueReader

    private var account: Int64 { ids.account }

    /// `own`: the event as outboxd words it; a test's kind is nil.
    func words(_ own: JSONValue, _ kind: EventKind?, _ secrets: [CallbackSecret], _ parser: JSONParser) throws
        -> CallbackWords
    {
        let data = own["data"]
        let event = kind.map(name) ?? own["event"]?.string ?? ""
        let metaNumber = try data?["line"]?.string.flatMap { line in
            try reader.lines(account: account).first { $0.name == line }?.settings.phoneNumberID
        }
        let (contact, conversation) = try correspondents(data)
        let stored = try stored(data?["messageId"]?.string, parser)
        var json = JSONWriter(capacity: 1024)
        json.object {
            $0.field("event", event)
            $0.field("timestamp", raw: own["timestamp"]?.raw)
            $0.field("organizationId", ids.organization)
            $0.object("data") { json in
                guard let data, data["messageId"] != nil else {
                    return json.field("webhookId", data?["subscription"]?.integer.map(ids.webhook))
                }
                let isReceived = kind == .received
                json.field("messageId", raw: data["messageId"]?.raw)
                json.field("conversationId", conversation)
                json.field("phoneNumberId", ids.phone(data["line"]?.string ?? ""))
                json.field("metaPhoneNumberId", metaNumber)
                contact.writeMembers(to: &json)
                json.field("direction", isReceived ? "inbound" : "outbound")
                json.field("status", isReceived ? "received" : data["status"]?.string)
                OrganizationContent(own: isReceived ? data : stored).writeMembers(to: &json)
                for name in Organization.passed { json.field(name, raw: data[name]?.raw) }
                for name in ["groupId", "context", "referral", "errors"] {
                    if let value = data[name] { json.field(name, raw: value.raw) }
                }
                json.field("timestamp", raw: (data["timestamp"] ?? own["timestamp"])?.raw)
            }
        }
        // The newest counts: its clients know one signature.
        let key = Array((secrets.first?.text ?? "").utf8)
        let signature = hexadecimal(hmacSHA256(key: key, json.bytes))
        return CallbackWords(
            body: json.bytes, headers: ["X-Webhook-Event: \(event)", "X-Webhook-Signature: sha256=\(signature)"])
    }

    /// Of two names of what happened the first of the table that was asked for.
    private func name(of kind: EventKind) -> String {
        let names = settings.format.names(of: kind)
        return names.first { settings.events?.contains($0) ?? true } ?? names.first ?? ""
    }

    /// Who wrote or is written to, and the conversation, where something was received of them.
    private func correspondents(_ data: JSONValue?) throws -> (OrganizationContact, conversation: String?) {
        guard let data, let to = data["to"]?.string else {
            let contact = data.map(OrganizationContact.init(own:)) ?? OrganizationContact(to: "")
            return (contact, data?["conversationId"]?.string)
        }
        var filter = ContactFilter()
        filter.address = to
        guard let person = try reader.contacts(filter, account: account).items.first else {
            return (OrganizationContact(to: to), nil)
        }
        var conversations = ConversationFilter()
        conversations.contact = person.id
        conversations.line = data["line"]?.string
        conversations.limit = 1
        let conversation = try reader.conversations(conversations, account: account).items.first
        return (
            OrganizationContact(person, id: ids.codec.text(person.id, .contact)),
            conversation.map { ids.codec.text($0.id, .conversation) }
        )
    }

    /// A message of ours as it is shown; nil: it is no longer there, or none of ours.
    private func stored(_ id: String?, _ parser: JSONParser) throws -> JSONValue? {
        guard let id, let number = ids.codec.id(id), let message = try reader.message(number, account: account) else {
            return nil
        }
        var json = JSONWriter(capacity: 1024)
        message.write(to: &json, id: id, batchID: nil, timeline: nil, parser: parser)
        return try? parser.parse(json.bytes)
    }
}
