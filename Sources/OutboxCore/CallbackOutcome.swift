/// What an endpoint's answer to a call means.
package enum CallbackOutcome: Equatable, Sendable {
    case accepted(status: Int64)
    /// `status` is nil when no answer came. `askedFor`: how long to leave the endpoint alone.
    case failed(status: Int64?, error: String, askedFor: Duration?)
    /// 410: the endpoint wants nothing any more.
    case gone
    /// The address may not be called.
    case refused(String)

    package static func answered(status: Int, retryAfter: String?, now: Timestamp) -> CallbackOutcome {
        let number = Int64(status)
        switch status {
        case 200...299: return .accepted(status: number)
        case 410: return .gone
        case 300...399:
            return .failed(
                status: number, error: "HTTP \(status): redirects are not followed; set the address it leads to",
                askedFor: nil)
        case 429, 503:
            return .failed(
                status: number, error: "HTTP \(status)", askedFor: retryAfter.flatMap { span($0, now: now) })
        default: return .failed(status: number, error: "HTTP \(status)", askedFor: nil)
        }
    }

    /// RFC 9110, 10.2.3: whole seconds or a date; nil for anything else.
    private static func span(_ retryAfter: String, now: Timestamp) -> Duration? {
        if let seconds = Int64(retryAfter), seconds >= 0 { return .seconds(min(seconds, 86_400)) }
        // Wed, 21 Oct 2015 07:28:00 GMT
        let words = retryAfter.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        guard let moment = Timestamp(rfc3339: "\(words[3])-\(number)-\(words[1])T\(words[4])Z") else { return nil }
        return .milliseconds(max(0, min(moment.milliseconds - now.milliseconds, 86_400_000)))
    }
}
