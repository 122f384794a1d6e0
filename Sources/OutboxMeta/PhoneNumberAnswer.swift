package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

extension GraphEndpoint {
    private static let phoneNumberFields = [
        "display_phone_number", "verified_name", "status", "quality_rating", "throughput", "code_verification_status",
        "name_status", "platform_type", "account_mode", "whatsapp_business_manager_messaging_limit", "health_status",
        "is_official_business_account", "webhook_configuration",
    ].joined(separator: ",")

    /// `GET /{version}/{phone number id}?fields=…`: how a number does.
    package func phoneNumber(phoneNumberID: String, token: String, timeout: Duration) -> OutgoingRequest {
        get("\(phoneNumberID)?fields=\(Self.phoneNumberFields)", token: token, timeout: timeout)
    }
}

/// Reads the answer to `GraphEndpoint.phoneNumber`:
///
///     {"id": "106", "status": "CONNECTED", "quality_rating": "GREEN", "throughput": {"level": "STANDARD"},
///      "whatsapp_business_manager_messaging_limit": "TIER_250", "code_verification_status": "VERIFIED",
///      "platform_type": "CLOUD_API",
///      "health_status": {"can_send_message": "LIMITED", "entities": [
///          {"entity_type": "WABA", "id": "102", "can_send_message": "LIMITED",
///           "errors": [{"error_code": 141006, "error_description": "…", "possible_solution": "…"}],
///           "additional_info": ["…"]}]}}
package func lineHealth(of result: HTTPResult, parser: JSONParser, now: Timestamp) -> Reading<LineHealth> {
    reading(of: result, parser: parser) { json in
        // The Graph API puts the id into every object it answers with.
        json["id"]?.identifier == nil ? nil : lineHealth(json, now)
    }
}

private func lineHealth(_ number: JSONValue, _ now: Timestamp) -> LineHealth {
    let health = number["health_status"]
    let canSend = health.flatMap(verdict)
    return LineHealth(
        status: .of(
            status: number["status"]?.words, codeVerificationStatus: number["code_verification_status"]?.words,
            platformType: number["platform_type"]?.words, canSend: canSend),
        // Only Meta's own word holds a number back.
        canSend: canSend ?? .available,
        quality: QualityRating(name: number["quality_rating"]?.string ?? ""),
        tier: number["whatsapp_business_manager_messaging_limit"]?.tier,
        messagesPerSecond: messagesPerSecond(number["throughput"]?["level"]?.string),
        reasons: health.map(reasons) ?? [], readAt: now)
}

private func verdict(_ value: JSONValue) -> CanSend? { value["can_send_message"]?.string.flatMap(CanSend.init(name:)) }

/// Cloud API, "Throughput": 80 for every number, 1,000 after the upgrade.
private func messagesPerSecond(_ level: String?) -> Int64? {
    switch level {
    case "STANDARD": 80
    case "HIGH": 1000
    default: nil
    }
}

private let reasonsMax = 20

/// Every error of every entity; of an entity that is held back and has none, what else Meta says of it.
private func reasons(_ health: JSONValue) -> [String] {
    var reasons: [String] = []
    func add(_ reason: String) {
        if reasons.count < reasonsMax, !reasons.contains(reason) { reasons.append(reason) }
    }
    for entity in health.items("entities") {
        let name = entity["entity_type"]?.words ?? "Meta"
        var told = false
        for error in entity.items("errors") {
            guard let reason = reason(error) else { continue }
            add("\(name): \(reason)")
            told = true
        }
        guard let verdict = verdict(entity), verdict != .available, !told else { continue }
        for information in entity.items("additional_info") {
            guard let text = information.words else { continue }
            add("\(name): \(text)")
            told = true
        }
        if !told { add("\(name): sending is \(verdict.name); Meta gives no reason") }
    }
    if reasons.isEmpty, let verdict = verdict(health), verdict != .available {
        add("sending is \(verdict.name); Meta gives no reason")
    }
    return reasons
}

private func reason(_ error: JSONValue) -> String? {
    let words = [error["error_description"]?.words, error["possible_solution"]?.words].compactMap { $0 }
    return words.isEmpty ? error["error_code"]?.integer.map { "error \($0)" } : words.joined(separator: " ")
}
