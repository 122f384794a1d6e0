import OutboxCore
import OutboxHTTP
import OutboxSystem

/// Calls to a subscription's endpoint, signed as Standard Webhooks has it
/// (github.com/standard-webhooks/standard-webhooks). What is the same in each is worked out once. Belongs to one thread.
struct CallbackSigning {
    /// Those who sign, the newest first.
    let secrets: [CallbackSecret]
    /// The text they were read from.
    let file: String
    private let keys: [HMACSHA256]
    private let url: String
    private let isLocal: Bool
    private let agent = "User-Agent: outboxd/\(outboxVersion)"

    /// Nil: there is none in `file`.
    init?(_ file: String?, url: String) {
        let secrets = CallbackSecret.all(in: file ?? "")
        if secrets.isEmpty { return nil }
        (self.file, self.secrets, self.url) = (file ?? "", secrets, url)
        keys = secrets.map { HMACSHA256(key: $0.bytes) }
        isLocal = CallbackAddress.isLocal(url)
    }

    static let timeout = Duration.seconds(10)
    /// What is kept of an answer nobody reads.
    private static let answerBytesMax = 1024

    /// With one signature for each secret, separated by spaces. `reads`: the answer is read, so far and no further, and
    /// it has to come whole.
    func request(id: String, _ words: CallbackWords, reads: Int? = nil, now: Timestamp) -> OutgoingRequest {
        let seconds = String(now.milliseconds / 1000)
        let head = Array("\(id).\(seconds).".utf8)
        let signatures = keys.map { "v1,\(Base64.text($0.sign(head, words.body)))" }
        var request = OutgoingRequest(
            method: "POST", url: url,
            headers: [
                "Content-Type: application/json", agent, "webhook-id: \(id)",
                "webhook-timestamp: \(seconds)", "webhook-signature: \(signatures.joined(separator: " "))",
            ] + words.headers, body: words.body, timeout: Self.timeout,
            answerBytesMax: reads ?? Self.answerBytesMax)
        request.cutsAnswer = true
        request.headSuffices = reads == nil
        request.protocols = url.hasPrefix("https:") ? "https" : "http"
        request.bypassesProxy = isLocal
        request.refusesAddress = { [isLocal] in CallbackTarget.problem($0, onlyLoopback: isLocal) }
        return request
    }
}
