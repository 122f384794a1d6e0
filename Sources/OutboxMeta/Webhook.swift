package import OutboxCore
package import OutboxJSON
import OutboxSystem

/// What one of Meta's calls tells, as far as it is understood.
package struct WebhookContent: Equatable, Sendable {
    package var statuses: [StatusReport] = []
    /// Messages received, by the business number they came to.
    package var inbound: [String: Int] = [:]
    /// Account changes and everything else, counted by field.
    package var others: [String: Int] = [:]
}

/// Reads a webhook's body: every entry, every change, every status in it. Unknown fields and kinds are counted,
/// never refused; nil when it is no object with an `entry`.
package func webhookContent(_ body: JSONValue) -> WebhookContent? {
    guard let entries = body["entry"], entries.kind == .array else { return nil }
    var content = WebhookContent()
    for entry in entries.elements {
        guard let changes = entry["changes"] else { continue }
        for change in changes.elements { read(change, into: &content) }
    }
    return content
}

private func read(_ change: JSONValue, into content: inout WebhookContent) {
    let field = change["field"]?.string ?? "none"
    guard field == "messages", let value = change["value"] else {
        content.others[field, default: 0] += 1
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
    if let messages = value["messages"] {
        for _ in messages.elements { content.inbound[phoneNumberID, default: 0] += 1 }
    }
    if let errors = value["errors"] {
        for _ in errors.elements { content.others["messages.error", default: 0] += 1 }
    }
}

private func statusReport(_ status: JSONValue, _ phoneNumberID: String) -> StatusReport? {
    guard let wamid = status["id"]?.string, !wamid.isEmpty,
        let name = status["status"]?.string,
        let report = Report.allCases.first(where: { String(describing: $0) == name }),
        let seconds = status["timestamp"].flatMap({ $0.integer ?? $0.string.flatMap(Int64.init) }),
        (0..<253_402_300_800).contains(seconds)
    else { return nil }
    return StatusReport(
        phoneNumberID: phoneNumberID, wamid: wamid, opaque: status["biz_opaque_callback_data"]?.string,
        report: report, at: Timestamp(milliseconds: seconds * 1000),
        failure: status["errors"]?.elements.first { _ in true }.map(failure))
}

private func failure(_ error: JSONValue) -> Failure {
    let code = error["code"]?.integer.map(String.init) ?? "NO_CODE"
    let title = error["title"]?.string ?? error["message"]?.string ?? "Meta gave no reason"
    let details = error["error_data"]?["details"]?.string
    return Failure(code: code, message: details.map { $0 == title ? title : "\(title): \($0)" } ?? title)
}

// MARK: Signature

/// `sha256=` and the HMAC-SHA256 of the raw body under the app's secret, in hexadecimal.
package func webhookSignature(secret: String, body: [UInt8]) -> String {
    "sha256=" + hexadecimal(hmacSHA256(key: Array(secret.utf8), body))
}

/// Compared in constant time, over the bytes as they came.
package func isSigned(_ body: [UInt8], header: String?, secret: String) -> Bool {
    guard let header else { return false }
    return equalInConstantTime(
        Array(header.lowercased().utf8), Array(webhookSignature(secret: secret, body: body).utf8))
}
