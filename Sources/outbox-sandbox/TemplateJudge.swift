import OutboxJSON

/// What Meta refuses of a template at once; what its reviewers think comes later.
func judgeTemplate(_ draft: JSONValue) throws(Refusal) {
    let template = try GraphObject(
        draft, "template",
        known: [
            "id", "name", "language", "category", "components", "parameter_format", "message_send_ttl_seconds",
            "status",
            "cta_url_link_tracking_opted_out", "allow_category_change", "sub_category", "previous_category",
            "quality_score", "rejected_reason",
        ])
    let name = try template.neededText("name", max: 512)
    guard name.wholeMatch(of: /[a-z0-9_]+/) != nil else {
        throw .parameter("Param name must only contain lowercase alphanumeric characters and underscores (_).")
    }
    try template.neededText("language", max: 15)
    try template.word("category", "MARKETING", "UTILITY", "AUTHENTICATION")
    let isAuthentication = template["category"]?.string == "AUTHENTICATION"
    let isNamed = template["parameter_format"]?.string?.lowercased() == "named"
    var kinds: [String] = []
    for (index, value) in try template.list("components", 1...10).enumerated() {
        guard let kind = value["type"]?.string?.uppercased() else { throw .missing("components[\(index)]['type']") }
        if kinds.contains(kind) { throw .value("components has more than one \(kind)") }
        kinds.append(kind)
        switch kind {
        case "HEADER": try judgeHeader(value, isNamed)
        case "BODY" where !isAuthentication: try judgeText(value, max: 1024, example: "body_text", isNamed)
        case "FOOTER" where !isAuthentication: try judgeText(value, max: 60, example: nil, isNamed)
        case "BUTTONS": try judgeButtons(value, isAuthentication)
        default: break
        }
    }
    guard kinds.contains("BODY") else { throw .missing("components['BODY']") }
}

private func judgeHeader(_ value: JSONValue, _ isNamed: Bool) throws(Refusal) {
    switch value["format"]?.string?.uppercased() {
    case "TEXT": try judgeText(value, max: 60, example: "header_text", isNamed)
    case "IMAGE", "VIDEO", "DOCUMENT", "GIF":
        guard value["example"]?["header_handle"] != nil else { throw .missing("example['header_handle']") }
    case "LOCATION": break
    default: throw .parameter("Param format must be one of {TEXT, IMAGE, VIDEO, DOCUMENT, LOCATION}")
    }
}

/// `example`: the member with what the variables stand for; nil: it takes none.
private func judgeText(_ value: JSONValue, max: Int, example: String?, _ isNamed: Bool) throws(Refusal) {
    guard let text = value["text"]?.string, !text.isEmpty else { throw .missing("text") }
    if text.unicodeScalars.count > max { throw .template(2_388_040, "The field text exceeds \(max) characters.") }
    let names = Set(text.matches(of: /\{\{\s*([^{}\s]+)\s*\}\}/).map(\.output.1))
    guard !names.isEmpty else { return }
    guard let example else { throw .template(2_388_073, "The footer must not hold variables.") }
    if example == "body_text", text.hasPrefix("{{") || text.hasSuffix("}}") {
        throw .template(2_388_299, "Variables can't be at the start or end of the template.")
    }
    if !isNamed, names.contains(where: { Int($0) == nil }) {
        throw .template(example == "body_text" ? 2_388_072 : 2_388_047, "Variables must be numbers.")
    }
    let given = value["example"]?[isNamed ? "\(example)_named_params" : example]
    let first = given?.elements.first { _ in true }
    let list = first?.kind == .array ? first : given
    let count = list?.elements.reduce(0) { count, _ in count + 1 } ?? 0
    guard count == names.count else {
        throw .template(
            example == "body_text" ? 2_388_072 : 2_388_047,
            "The field example is missing expected field(s) (\(example))")
    }
}

private func judgeButtons(_ value: JSONValue, _ isAuthentication: Bool) throws(Refusal) {
    let object = try GraphObject(value, "components['BUTTONS']", known: ["type", "buttons"])
    for (index, button) in try object.list("buttons", 1...10).enumerated() {
        let place = "buttons[\(index)]"
        guard let kind = button["type"]?.string?.uppercased() else { throw .missing("\(place)['type']") }
        if isAuthentication != (kind == "OTP") { throw .value("\(place): \(kind) is not allowed in this category") }
        if (button["text"]?.string?.unicodeScalars.count ?? 0) > 25 {
            throw .template(2_388_040, "\(place)['text'] exceeds 25 characters.")
        }
        switch kind {
        case "URL":
            guard let url = button["url"]?.string else { throw .missing("\(place)['url']") }
            if url.contains("{{"), button["example"] == nil { throw .missing("\(place)['example']") }
        case "PHONE_NUMBER": if button["phone_number"]?.string == nil { throw .missing("\(place)['phone_number']") }
        case "OTP": if button["otp_type"]?.string == nil { throw .missing("\(place)['otp_type']") }
        default: break
        }
    }
}
