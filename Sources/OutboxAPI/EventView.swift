package import OutboxCore
package import OutboxJSON

extension LoggedEvent {
    /// The event as subscribers get it, by callback or from `GET /v1/events`; `kind.publicName` must not be nil:
    ///
    ///     {"id": "0193…", "seq": 1234, "event": "message.status_updated", "timestamp": "2026-11-21T10:00:00.000Z",
    ///      "data": {"messageId": "0193…", "status": "delivered", "line": "main", "to": "14155550100", …}}
    ///
    /// `id` is the same whenever and to whomever it is told. `parser` reads the detail back.
    package func write(
        to json: inout JSONWriter, id: String, messageID: String?, batchID: String?, parser: JSONParser
    ) {
        json.object {
            $0.field("id", id)
            $0.field("seq", sequence)
            $0.field("event", kind.publicName)
            $0.field("timestamp", at.rfc3339)
            if let message {
                $0.object("data") { write(message, to: &$0, messageID, batchID, parser) }
            } else {
                $0.field("data", raw: detail ?? Array("{}".utf8))
            }
        }
    }

    /// What was known when it happened: a later fact shows in its own event.
    private func write(
        _ message: Message, to json: inout JSONWriter, _ id: String?, _ batch: String?, _ parser: JSONParser
    ) {
        let state = message.state
        let wasSent = state == .sent || state == .delivered || state == .read
        json.field("messageId", id)
        json.field("status", state.name)
        json.field("line", line)
        json.field("to", message.to)
        json.field("batchId", batch)
        json.field("attempt", message.attempt)
        json.field("whatsappMessageId", wasSent || state == .failed ? message.wamid : nil)
        json.field("sentAt", (wasSent || state == .failed ? message.sentAt : nil)?.rfc3339)
        json.field("deliveredAt", (state == .delivered || state == .read ? message.deliveredAt : nil)?.rfc3339)
        json.field("readAt", (state == .read ? message.readAt : nil)?.rfc3339)
        json.field("failedAt", (state == .failed ? message.failedAt ?? at : nil)?.rfc3339)
        let detail = detail.flatMap { try? parser.parse($0) }
        json.field("errorCode", raw: detail?["code"]?.raw)
        json.field("errorMessage", raw: detail?["message"]?.raw)
        if kind == .duplicate { json.field("duplicate", raw: self.detail) }
        json.field("metadata", raw: message.metadata)
    }
}
