import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// What a registered line's `callbackUrl` is told:
///
///     {"resource": "message", "event": "message.status_updated", "timestamp": 1800000000, "token": "…",
///      "data": {"id": "0193…", "direction": "outbound", "status": "failed", "external_number": "+14155552671", …,
///               "error": {"code": 63016, "message": "…"}}}
enum AircallCallback {
    private static let tokenLength = 32

    /// What a receiver compares with the `token` it was given at the registration. Made from the secret that signs the
    /// calls, which it does not give away.
    static func token(_ secret: CallbackSecret) -> String {
        String(hexadecimal(hmacSHA256(key: secret.bytes, Array("aircall token".utf8))).prefix(tokenLength))
    }

    /// `own`: the event as our own subscribers get it; with the token of the newest secret.
    static func body(_ own: [UInt8], _ secrets: [CallbackSecret], _ parser: JSONParser) -> [UInt8] {
        // What we wrote we can read.
        guard let event = try? parser.parse(own) else { return own }
        let name = event["event"]?.string ?? ""
        let at = event["timestamp"]?.string
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("resource", String(name.prefix { $0 != "." }))
            json.field("event", name)
            json.field("timestamp", at.flatMap { Timestamp(rfc3339: $0) }.map { $0.milliseconds / 1000 })
            json.field("token", secrets.first.map(token))
            let data = event["data"]
            switch name {
            case "message.received": json.object("data") { write(received: data, to: &$0) }
            case _ where name.hasPrefix("message."): json.object("data") { write(status: data, at: at, to: &$0) }
            // It has no words for others: they are ours.
            default: json.field("data", raw: data?.raw)
            }
        }
        return json.bytes
    }

    // MARK: A message

    static func write(
        id: String?, isInbound: Bool, status: String, person: String?, to json: inout JSONWriter
    ) {
        let digits = person.map { text in
            Recipient(text).map { $0.isUserID ? $0.text : "+\($0.text)" } ?? text
        }
        json.field("id", id)
        json.field("direct_link", id.map { "/v1/messages/\($0)" })
        json.field("direction", isInbound ? "inbound" : "outbound")
        json.field("channel", "whatsapp")
        json.field("status", status)
        json.field("external_number", digits)
        json.field("raw_digits", digits)
    }

    /// A line that is called by a number is shown as one.
    static func write(number name: String?, to json: inout JSONWriter) {
        json.object("number") {
            if let name, let id = Int64(name), String(id) == name { $0.field("id", id) } else { $0.field("id", name) }
            $0.field("name", name)
        }
    }

    private static func write(status data: JSONValue?, at: String?, to json: inout JSONWriter) {
        let word = data?["status"]?.string ?? ""
        let status = ["sent", "delivered", "read", "failed", "cancelled"].contains(word) ? word : "pending"
        write(
            id: data?["messageId"]?.string, isInbound: false, status: status, person: data?["to"]?.string, to: &json)
        json.field("updated_at", at)
        json.field("sent_at", data?["sentAt"]?.string)
        write(number: data?["line"]?.string, to: &json)
        guard let code = data?["errorCode"]?.string else { return }
        json.object("error") {
            let code = Self.code(code)
            if let number = Int64(code) { $0.field("code", number) } else { $0.field("code", code) }
            $0.field("message", data?["errorMessage"]?.string)
        }
    }

    /// Its document's number for a closed window; all others are Meta's there, too.
    private static func code(_ code: String) -> String { code == "131047" ? "63016" : code }

    private static func write(received data: JSONValue?, to json: inout JSONWriter) {
        write(
            id: data?["messageId"]?.string, isInbound: true, status: "received",
            person: data?["contactPhone"]?.string ?? data?["contactReplyTo"]?.string, to: &json)
        json.field("type", data?["type"]?.string)
        json.field("body", data?["text"]?.string)
        json.array("media_details") { json in
            // A file's bytes are at `GET /v1/media/{id}`, by Meta's id.
            guard let content = data?["content"], let id = content["id"]?.string, content["mime_type"] != nil else {
                return
            }
            json.object {
                $0.field("file_name", content["filename"]?.string)
                $0.field("file_type", content["mime_type"]?.string)
                $0.field("presigned_url", "/v1/media/\(id)")
            }
        }
        json.field("created_at", data?["timestamp"]?.string)
        json.field("updated_at", data?["timestamp"]?.string)
        write(number: data?["line"]?.string, to: &json)
        json.object("contact") {
            $0.field("id", data?["contactId"]?.string)
            $0.field("name", data?["contactName"]?.string)
        }
    }
}
