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

    /// Where the messages of a number go: `POST /{version}/{phone number id}/messages`
    package func messages(of phoneNumberID: String, token: String) -> SendAddress {
        SendAddress(
            url: "\(baseURL)/\(version)/\(phoneNumberID)/messages",
            headers: ["Authorization: Bearer \(token)", "Content-Type: application/json"])
    }

    /// One message to there.
    package func send(
        phoneNumberID: String, token: String, to: String, type: String, content: [UInt8], opaque: String,
        timeout: Duration
    ) -> OutgoingRequest {
        messages(of: phoneNumberID, token: token).request(
            to: to, type: type, content: content, opaque: opaque, timeout: timeout)
    }
}

/// Where the messages of one number go and by whose leave, the same for all of them.
package struct SendAddress: Equatable, Sendable {
    fileprivate let url: String
    fileprivate let headers: [String]

    /// `to` are digits, which leave with a `+`, for without it Meta prepends the business's own country code; or a
    /// business-scoped user id, which has a member of its own.
    /// `content` is the JSON object that stands under `type`. `opaque` comes back in status webhooks, unread by Meta
    /// (512 characters at most).
    package func request(to: String, type: String, content: [UInt8], opaque: String, timeout: Duration)
        -> OutgoingRequest
    {
        var body: [UInt8] = []
        body.reserveCapacity(content.count + 256)
        func append(_ text: String) {
            var text = text
            text.withUTF8 { body.append(contentsOf: $0) }
        }
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
        var request = OutgoingRequest(method: "POST", url: url, headers: headers, body: body, timeout: timeout)
        request.headersWanted = sendAnswerHeaders
        return request
    }
}
