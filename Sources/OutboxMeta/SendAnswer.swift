package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

/// Reads how a POST to `/messages` ended out of what came back.
///
/// Certain are: Meta's message id, Meta's error body, and that no byte was sent. An answer that is neither, from a
/// server's 5xx to a page of HTML, leaves the outcome unknown: the message may have gone out.
package func outcome(of result: HTTPResult, parser: JSONParser) -> Outcome {
    switch result {
    case .notSent(let text):
        // A network that is away is no fault of the message's: it does not count.
        return .refused(Failure(code: "NOT_CONNECTED", message: text), .lineLater(askedFor: nil))
    case .broken(let text):
        return .unknown(Failure(code: "NO_ANSWER", message: text))
    case .answered(let status, let headers, let body):
        // Not JSON is an answer like any other here: one that says nothing.
        let json = try? parser.parse(body)
        if let error = json?["error"], error.kind == .object { return refusal(error, status, headers) }
        if (200...299).contains(status), let accepted = json.flatMap(acceptance(in:)) {
            return .accepted(wamid: accepted.wamid, person: accepted.waID ?? accepted.userID)
        }
        return withoutMetasWord(status, headers)
    }
}

private func refusal(_ error: JSONValue, _ status: Int, _ headers: [HTTPHeader]) -> Outcome {
    let code = error["code"]?.integer
    let failure = graphFailure(error)
    let askedFor = retryAfter(headers)
    // Of Graph's codes the one whose subcode decides: the number does not exist, or the token may not use it.
    if code == 100, error["error_subcode"]?.integer == 33 {
        return .refused(failure, .lineLater(askedFor: askedFor ?? MetaErrorClass.lineConfiguration.leastWait))
    }
    guard let code, let known = MetaError.of(code) else {
        if error["is_transient"]?.bool == true { return .refused(failure, .forNow(askedFor: askedFor)) }
        if status == 429 {
            return .refused(failure, .lineLater(askedFor: askedFor ?? MetaErrorClass.lineLater.leastWait))
        }
        return status >= 500 ? .unknown(failure) : .refused(failure, .forGood)
    }
    switch known.errorClass {
    case .messageForGood: return .refused(failure, .forGood)
    case .messageLater: return .refused(failure, .forNow(askedFor: askedFor))
    case .recipientLater, .templateLater:
        return .refused(failure, .throttled(askedFor: askedFor ?? known.errorClass.leastWait))
    case .lineLater, .businessLater, .lineConfiguration:
        return .refused(failure, .lineLater(askedFor: askedFor ?? known.errorClass.leastWait))
    }
}

/// Somebody else answered, or Meta's edge: a proxy, a load balancer, a wrong address.
private func withoutMetasWord(_ status: Int, _ headers: [HTTPHeader]) -> Outcome {
    let failure = Failure(code: "HTTP_\(status)", message: "HTTP \(status) without a word of Meta's")
    switch status {
    case 429:
        return .refused(failure, .lineLater(askedFor: retryAfter(headers) ?? MetaErrorClass.lineLater.leastWait))
    case 408: return .unknown(failure)
    case 300...499: return .refused(failure, .forNow(askedFor: nil))
    default: return .unknown(failure)
    }
}

/// What is read of an answer's head.
let sendAnswerHeaders = ["retry-after"]

/// Whole seconds, an hour at most; the form with a date is not used by Meta.
private func retryAfter(_ headers: [HTTPHeader]) -> Duration? {
    headers.first { $0.name == "retry-after" }.flatMap { Int64($0.value) }.map { .seconds(min(max($0, 0), 3600)) }
}
