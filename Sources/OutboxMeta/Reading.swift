package import OutboxCore
import OutboxHTTP
import OutboxJSON

/// What came of asking Meta for something. Asking changes nothing, so every failure may simply be asked again.
package enum Reading<Value: Sendable>: Sendable {
    case read(Value)
    /// Meta's code and words, or a code of ours: NOT_CONNECTED, NO_ANSWER, HTTP_502.
    case failed(Failure)
}

extension Reading: Equatable where Value: Equatable {}

/// Meta's answer to a GET as `read` understands it, which answers nil for what is not what was asked for.
func reading<Value>(of result: HTTPResult, parser: JSONParser, _ read: (JSONValue) -> Value?) -> Reading<Value> {
    switch result {
    case .notSent(let text): return .failed(Failure(code: "NOT_CONNECTED", message: text))
    case .broken(let text): return .failed(Failure(code: "NO_ANSWER", message: text))
    case .answered(let status, _, let body):
        // Not JSON is an answer like any other here: one that says nothing.
        let json = try? parser.parse(body)
        if let error = json?["error"], error.kind == .object { return .failed(graphFailure(error)) }
        if (200...299).contains(status), let value = json.flatMap(read) { return .read(value) }
        return .failed(Failure(code: "HTTP_\(status)", message: "HTTP \(status) without what was asked for"))
    }
}

private let failureWordsMax = 1000

/// Meta's `error` object, which statuses give a `title`. `error_data` is an object, or on templates a text.
func graphFailure(_ error: JSONValue) -> Failure {
    let title = error["title"]?.words ?? error["message"]?.words ?? "Meta gave no reason"
    let details = error["error_data"]?["details"]?.words ?? error["error_data"]?.words
    var words = details.map { $0 == title ? title : "\(title): \($0)" } ?? title
    // On templates the reason stands here alone.
    if let said = error["error_user_msg"]?.words, !words.contains(said) { words += ": \(said)" }
    // Kept with every attempt.
    let message = String(words.prefix(failureWordsMax))
    return Failure(
        code: error["code"]?.integer.map { String($0) } ?? "NO_CODE", message: message,
        subcode: error["error_subcode"]?.integer)
}

extension GraphEndpoint {
    /// `path` with its query stands behind the version.
    func get(_ path: String, token: String, timeout: Duration, answerBytesMax: Int = 1 << 20) -> OutgoingRequest {
        OutgoingRequest(
            method: "GET", url: "\(baseURL)/\(version)/\(path)", headers: ["Authorization: Bearer \(token)"],
            timeout: timeout, answerBytesMax: answerBytesMax)
    }
}

extension JSONValue {
    /// The cursor of the next page of one of Meta's lists: `{"paging": {"cursors": {"after": "…"}, "next": "https://…"}}`.
    /// Nil on the last one, which has cursors, but no `next`.
    var nextPage: String? {
        let paging = self["paging"]
        return paging?["next"]?.words == nil ? nil : paging?["cursors"]?["after"]?.words
    }
}
