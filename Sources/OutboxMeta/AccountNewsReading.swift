import OutboxCore
import OutboxJSON

/// What a change other than `messages` tells; nil for other fields, and when what makes it news is missing.
///
/// `wabaID` is the entry's. The shapes are those of Meta's webhook reference, one page for each field.
func accountNews(_ field: String, _ value: JSONValue, wabaID: String) -> [AccountNews]? {
    guard value.kind == .object else { return nil }
    switch field {
    case "phone_number_quality_update": return quality(value, wabaID).map { [$0] }
    case "business_capability_update": return [.capability(wabaID: wabaID, tier: capability(value))]
    case "account_update": return account(value, wabaID).map { [$0] }
    case "account_alerts": return alert(value, wabaID).map { [.alert($0)] }
    case "message_template_status_update": return templateStatus(value, wabaID).map { [$0] }
    case "template_category_update": return templateCategory(value, wabaID).map { [$0] }
    case "message_template_quality_update":
        return templateKey(value).map { key in
            let quality = QualityRating(name: value["new_quality_score"]?.string ?? "")
            return [.templateChanged(wabaID: wabaID, name: key.name, language: key.language, quality: quality)]
        }
    case "message_template_components_update":
        return templateKey(value).map { key in
            [.templateChanged(wabaID: wabaID, name: key.name, language: key.language, quality: nil)]
        }
    case "user_preferences": return preferences(value)
    default: return nil
    }
}

// MARK: Numbers and accounts

private func quality(_ value: JSONValue, _ wabaID: String) -> AccountNews? {
    guard let event = value["event"]?.words else { return nil }
    // current_limit is the older name.
    let tier = value["max_daily_conversations_per_business"]?.tier ?? value["current_limit"]?.tier
    return .quality(
        wabaID: wabaID, displayPhoneNumber: value["display_phone_number"]?.words, event: event, tier: tier)
}

/// Documented as `TIER_2K`, sampled as 2000; -1 in the older name for each number.
private func capability(_ value: JSONValue) -> Tier? {
    value["max_daily_conversations_per_business"]?.tier ?? value["max_daily_conversation_per_phone"]?.tier
}

private func account(_ value: JSONValue, _ wabaID: String) -> AccountNews? {
    guard let event = value["event"]?.words else { return nil }
    let ban = event == "DISABLED_UPDATE" ? value["ban_info"]?["waba_ban_state"]?.string : nil
    return .account(
        // Of partners' events the entry is the partner's.
        wabaID: value["waba_info"]?["waba_id"]?.identifier ?? wabaID, phoneNumber: value["phone_number"]?.identifier,
        event: event, restricted: event == "ACCOUNT_RESTRICTION" && restrictsMessages(value),
        reinstated: ban == "REINSTATE", banned: ban == "DISABLE")
}

/// Meta's kinds are RESTRICTED_BIZ_INITIATED_MESSAGING, RESTRICTED_CUSTOMER_INITIATED_MESSAGING,
/// RESTRICTED_ADD_PHONE_NUMBER_ACTION and some of calling; told of no kind, the worst is believed.
private func restrictsMessages(_ value: JSONValue) -> Bool {
    let kinds = value.items("restriction_info").compactMap { $0["restriction_type"]?.words }
    return kinds.isEmpty || kinds.contains { $0.hasSuffix("MESSAGING") }
}

private func alert(_ value: JSONValue, _ wabaID: String) -> AccountAlert? {
    // Older calls have the alert's fields beside the entity's.
    let alert = value["alert_info"] ?? value
    guard let type = alert["alert_type"]?.words else { return nil }
    return AccountAlert(
        wabaID: wabaID, entityType: value["entity_type"]?.words, entityID: value["entity_id"]?.identifier,
        severity: alert["alert_severity"]?.words, status: alert["alert_status"]?.words, type: type,
        description: alert["alert_description"]?.words)
}

// MARK: Templates

private func templateKey(_ value: JSONValue) -> (name: String, language: String)? {
    guard let name = value["message_template_name"]?.words, let language = value["message_template_language"]?.words
    else { return nil }
    return (name, language.replacing("-", with: "_"))
}

private func templateStatus(_ value: JSONValue, _ wabaID: String) -> AccountNews? {
    guard let key = templateKey(value), let event = value["event"]?.words else { return nil }
    // Meta's page: a reinstated template can be sent again.
    let status = event == "REINSTATED" ? Template.Status.approved : Template.Status(name: event)
    let details = value["rejection_info"]?["reason"]?.words ?? value["other_info"]?["description"]?.words
    let reason = [value["reason"]?.words, details].compactMap { $0 == "NONE" ? nil : $0 }
    return .template(
        wabaID: wabaID, name: key.name, language: key.language, status: status,
        reason: reason.isEmpty ? nil : reason.joined(separator: ": "))
}

private func templateCategory(_ value: JSONValue, _ wabaID: String) -> AccountNews? {
    guard let key = templateKey(value), let category = value["new_category"]?.words else { return nil }
    return .templateCategory(
        wabaID: wabaID, name: key.name, language: key.language, category: Template.Category(name: category),
        correct: value["correct_category"]?.words.map(Template.Category.init(name:)))
}

// MARK: People

private func preferences(_ value: JSONValue) -> [AccountNews]? {
    let phoneNumberID = value["metadata"]?["phone_number_id"]?.identifier ?? ""
    let news = value.items("user_preferences").compactMap { preference -> AccountNews? in
        guard preference["category"]?.words ?? "marketing_messages" == "marketing_messages" else { return nil }
        let person = preference["wa_id"]?.personDigits
        let userID = preference["user_id"]?.words
        guard person != nil || userID != nil else { return nil }
        let wish = preference["value"]?.string
        guard wish == "stop" || wish == "resume" else { return nil }
        return .preference(
            phoneNumberID: phoneNumberID, person: person, userID: userID, stopsMarketing: wish == "stop",
            at: preference["timestamp"]?.moment)
    }
    return news.isEmpty ? nil : news
}
