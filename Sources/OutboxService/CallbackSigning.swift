import OutboxCore
import OutboxHTTP
import OutboxSystem

/// A call to a subscription's endpoint, signed as Standard Webhooks has it
/// (github.com/standard-webhooks/standard-webhooks).
enum CallbackSigning {
    static let timeout = Duration.seconds(10)
    /// What is kept of an answer nobody reads.
    private static let answerBytesMax = 1024

    /// With one signature for each secret, separated by spaces. `reads`: the answer is read, so far and no further, and
    /// it has to come whole.
    static func request(
        to url: String, id: String, _ words: CallbackWords, secrets: [CallbackSecret], reads: Int? = nil,
        now: Timestamp
    ) -> OutgoingRequest {
        let seconds = String(now.milliseconds / 1000)
        let signed = Array("\(id).\(seconds).".utf8) + words.body
        let signatures = secrets.map { "v1,\(Base64.text(hmacSHA256(key: $0.bytes, signed)))" }
        var request = OutgoingRequest(
            method: "POST", url: url,
            headers: [
                "Content-Type: application/json", "User-Agent: outboxd/\(outboxVersion)", "webhook-id: \(id)",
                "webhook-timestamp: \(seconds)", "webhook-signature: \(signatures.joined(separator: " "))",
            ] + words.headers, body: words.body, timeout: timeout, answerBytesMax: reads ?? answerBytesMax)
        request.cutsAnswer = true
        request.headSuffices = reads == nil
        request.protocols = url.hasPrefix("https:") ? "https" : "http"
        let isLocal = CallbackAddress.isLocal(url)
        request.bypassesProxy = isLocal
        request.refusesAddress = { CallbackTarget.problem($0, onlyLoopback: isLocal) }
        return request
    }
}
