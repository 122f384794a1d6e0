package import OutboxCore
package import OutboxJSON
package import OutboxSystem

/// What one of Meta's calls tells, as far as it is understood.
package struct WebhookContent: Equatable, Sendable {
    package var statuses: [StatusReport] = []
    /// Messages received.
    package var inbound: [InboundMessage] = []
    /// Changes of numbers, accounts, templates and people's wishes.
    package var news: [AccountNews] = []
    /// Everything else, counted by field.
    package var others: [String: Int] = [:]
}

/// Reads a webhook's body: every entry, every change, every status in it. Unknown fields and kinds are counted,
/// never refused; nil when it is no object with an `entry`.
package func webhookContent(_ body: JSONValue) -> WebhookContent? {
    guard let entries = body["entry"], entries.kind == .array else { return nil }
    var content = WebhookContent()
    for entry in entries.elements {
        guard let changes = entry["changes"] else { continue }
        let wabaID = entry["id"]?.identifier ?? ""
        for change in changes.elements { read(change, wabaID, into: &content) }
    }
    return content
}

private func read(_ change: JSONValue, _ wabaID: String, into content: inout WebhookContent) {
    let field = change["field"]?.string ?? "none"
    guard field == "messages", let value = change["value"] else {
        if let value = change["value"], let news = accountNews(field, value, wabaID: wabaID) {
            content.news += news
        } else {
            content.others[field, default: 0] += 1
        }
        return
    }
    let phoneNumberID = value["metadata"]?["phone_number_id"]?.string ?? ""
    if let statuses = value["statuses"] {
        for status in statuses.elements {
            if let report = statusReport(status, phoneNumberID) {
                content.statuses.append(report)
            } else {
                content.others["messages.status", default: 0] += 1
            }
        }
    }
    let received = inboundMessages(in: value, phoneNumberID)
    for message in received where !inboundKinds.contains(message.kind) {
        content.others["messages.\(message.kind)", default: 0] += 1
    }
    content.inbound += received
    if let errors = value["errors"] {
        for _ in errors.elements { content.others["messages.error", default: 0] += 1 }
    }
}

private func statusReport(_ status: JSONValue, _ phoneNumberID: String) -> StatusReport? {
    guard let wamid = status["id"]?.string, !wamid.isEmpty,
        let name = status["status"]?.string,
        let report = Report.allCases.first(where: { String(describing: $0) == name }),
        let at = status["timestamp"]?.moment
    else { return nil }
    return StatusReport(
        phoneNumberID: phoneNumberID, wamid: wamid, opaque: status["biz_opaque_callback_data"]?.string,
        report: report, at: at, failure: status["errors"]?.elements.first { _ in true }.map(graphFailure),
        person: status["recipient_id"]?.personDigits, userID: status["recipient_user_id"]?.words,
        pricing: status["pricing"].flatMap { pricing in
            Pricing(
                category: pricing["category"]?.words, type: pricing["type"]?.words,
                isBillable: pricing["billable"]?.bool)
        })
}

// MARK: Signature

/// `sha256=` and the HMAC-SHA256 of the raw body under the app's secret, in hexadecimal.
package func webhookSignature(secret: String, body: [UInt8]) -> String {
    webhookSignature(key: HMACSHA256(key: Array(secret.utf8)), body: body)
}

/// The same under a secret that is used again and again.
package func webhookSignature(key: HMACSHA256, body: [UInt8]) -> String { "sha256=" + hexadecimal(key.sign(body)) }

/// Compared in constant time, over the bytes as they came.
package func isSigned(_ body: [UInt8], header: String?, secret: String) -> Bool {
    isSigned(body, header: header, key: HMACSHA256(key: Array(secret.utf8)))
}

/// The same under a secret that is used again and again.
package func isSigned(_ body: [UInt8], header: String?, key: HMACSHA256) -> Bool {
    guard let header else { return false }
    return equalInConstantTime(
        Array(header.lowercased().utf8), Array(webhookSignature(key: key, body: body).utf8))
}
