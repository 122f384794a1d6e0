package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

/// How a call ended that somebody waits for.
package enum CallEnd: Sendable {
    case done(JSONValue)
    /// Meta's word: it did not do it.
    case refused(Failure, MetaError?)
    /// Meta, or the way to it, had a bad moment: NOT_CONNECTED, NO_ANSWER, HTTP_502 or Meta's own code.
    case unreachable(Failure)
}

package func callEnd(of result: HTTPResult, parser: JSONParser) -> CallEnd {
    switch reading(of: result, parser: parser, { $0 }) {
    case .read(let json): return .done(json)
    case .failed(let failure): return CallEnd(failure)
    }
}

extension CallEnd {
    package init(_ failure: Failure) {
        guard let code = Int64(failure.code) else {
            self = failure.code == "NO_CODE" ? .refused(failure, nil) : .unreachable(failure)
            return
        }
        let known = MetaError.of(code)
        self = known?.errorClass == .messageLater ? .unreachable(failure) : .refused(failure, known)
    }

    /// The request may have arrived, and nobody said what became of it.
    package var isUncertain: Bool {
        guard case .unreachable(let failure) = self else { return false }
        return failure.code == "NO_ANSWER" || failure.code.hasPrefix("HTTP_")
    }
}

extension GraphEndpoint {
    /// `POST /{version}/{phone number id}/messages` with `"status":"read"`: this message and those before it in the
    /// conversation were read; with `typing` the person sees that somebody writes, for 25 seconds or until the answer.
    package func markRead(phoneNumberID: String, wamid: String, typing: Bool, token: String, timeout: Duration)
        -> OutgoingRequest
    {
        var body = JSONWriter()
        body.object {
            $0.field("messaging_product", "whatsapp")
            $0.field("status", "read")
            $0.field("message_id", wamid)
            if typing { $0.object("typing_indicator") { $0.field("type", "text") } }
        }
        return OutgoingRequest(
            method: "POST", url: "\(baseURL)/\(version)/\(phoneNumberID)/messages",
            headers: ["Authorization: Bearer \(token)", "Content-Type: application/json"], body: body.bytes,
            timeout: timeout)
    }
}
