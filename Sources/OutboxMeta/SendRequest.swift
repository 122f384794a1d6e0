import OutboxCore
package import OutboxHTTP

/// Where the Cloud API is.
package struct GraphEndpoint: Equatable, Sendable {
    /// Scheme and host, no slash at the end.
    package var baseURL: String
    /// `v25.0`
    package var version: String

    package static let metaURL = "https://graph.facebook.com"
    /// A version lives about two years; this one came in March 2026.
    package static let currentVersion = "v25.0"

    package init(baseURL: String = Self.metaURL, version: String = Self.currentVersion) {
        self.baseURL = baseURL
        self.version = version
    }

    /// `POST /{version}/{phone number id}/messages`
    ///
    /// `to` are digits, which leave with a `+`, for without it Meta prepends the business's own country code; or a
    /// business-scoped user id, which has a member of its own.
    /// `content` is the JSON object that stands under `type`. `opaque` comes back in status webhooks, unread by Meta
    /// (512 characters at most).
    package func send(
        phoneNumberID: String, token: String, to: String, type: String, content: [UInt8], opaque: String,
        timeout: Duration
    ) -> OutgoingRequest {
        var body: [UInt8] = []
        body.reserveCapacity(content.count + 256)
        func append(_ text: String) { body.append(contentsOf: text.utf8) }
        append("{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",")
        append(Recipient.isUserID(to) ? "\"recipient\":\"" : "\"to\":\"+")
        append(to)
        append("\",\"type\":\"")
        append(type)
        append("\",\"")
        append(type)
        append("\":")
        body.append(contentsOf: content)
        append(",\"biz_opaque_callback_data\":\"")
        append(opaque)
        append("\"}")
        return OutgoingRequest(
            method: "POST", url: "\(baseURL)/\(version)/\(phoneNumberID)/messages",
            headers: ["Authorization: Bearer \(token)", "Content-Type: application/json"], body: body,
            timeout: timeout)
    }
}
