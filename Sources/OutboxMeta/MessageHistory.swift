package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

extension GraphEndpoint {
    /// `GET /{version}/{phone number id}/message_history?message_id=…`: what Meta told, or tried to tell, of a message.
    package func messageHistory(
        phoneNumberID: String, wamid: String, token: String, after: String? = nil, timeout: Duration
    ) -> OutgoingRequest {
        let fields = "events{delivery_status,webhook_update_state,timestamp,error_description}"
        var path =
            "\(phoneNumberID)/message_history?message_id=\(percentEncoded(wamid))&fields=\(percentEncoded(fields))"
        path += "&limit=100"
        if let after { path += "&after=\(percentEncoded(after))" }
        return get(path, token: token, timeout: timeout)
    }
}

/// One page of a message's history.
package struct HistoryPage: Equatable, Sendable {
    package struct Event: Equatable, Sendable {
        package var report: Report
        package var at: Timestamp
        package var failure: Failure?

        package init(report: Report, at: Timestamp, failure: Failure? = nil) {
            self.report = report
            self.at = at
            self.failure = failure
        }
    }

    /// As listed; several apps may each have the same.
    package var events: [Event]
    /// Nil: the last page.
    package var after: String?

    package init(events: [Event], after: String?) {
        self.events = events
        self.after = after
    }
}

/// Reads the answer to `GraphEndpoint.messageHistory`; what is no status of ours, such as DELETED, is left out:
///
///     {"data": [{"id": "1", "message_id": "wamid.1", "events": {"data": [
///          {"delivery_status": "DELIVERED", "webhook_update_state": "DELIVERED", "timestamp": 1640995260}]}}],
///      "paging": {"cursors": {"before": "…", "after": "…"}, "next": "https://…"}}
package func historyPage(of result: HTTPResult, parser: JSONParser) -> Reading<HistoryPage> {
    reading(of: result, parser: parser) { json in
        guard let data = json["data"], data.kind == .array else { return nil }
        let events = data.elements.flatMap { entry in
            (entry["events"]?.items("data") ?? []).compactMap { event($0["node"] ?? $0) }
        }
        return HistoryPage(events: events, after: json.nextPage)
    }
}

private func event(_ event: JSONValue) -> HistoryPage.Event? {
    let name = event["delivery_status"]?.words?.lowercased()
    guard let report = Report.allCases.first(where: { String(describing: $0) == name }),
        let at = (event["timestamp"] ?? event["occurrence_timestamp"])?.moment
    else { return nil }
    guard report == .failed else { return HistoryPage.Event(report: report, at: at) }
    return HistoryPage.Event(report: report, at: at, failure: failure(event["error_description"]?.words))
}

/// `(#131026) Message undeliverable`, or words alone.
private func failure(_ words: String?) -> Failure {
    guard let words else { return Failure(code: "NO_CODE", message: "Meta gave no reason") }
    let digits = words.hasPrefix("(#") ? String(words.dropFirst(2).prefix { $0.isNumber }) : ""
    return Failure(code: digits.isEmpty ? "NO_CODE" : digits, message: words)
}
