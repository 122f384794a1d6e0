package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

extension GraphEndpoint {
    private static let templateFields =
        "id,name,language,status,category,components,quality_score,rejected_reason,parameter_format,previous_category"
    /// A hundred templates with carousels are long.
    private static let templatePageBytesMax = 16 << 20

    /// `GET /{version}/{account id}/message_templates?fields=…`: a page of the account's templates.
    ///
    /// `after` is the last page's cursor, nil for the first page. Meta refuses a cursor that grew old with code 131059:
    /// begin again without one.
    package func templates(
        wabaID: String, token: String, after: String? = nil, limit: Int = 100, timeout: Duration
    ) -> OutgoingRequest {
        var path = "\(wabaID)/message_templates?fields=\(Self.templateFields)&limit=\(limit)"
        if let after { path += "&after=\(percentEncoded(after))" }
        return get(path, token: token, timeout: timeout, answerBytesMax: Self.templatePageBytesMax)
    }
}

package struct TemplatePage: Equatable, Sendable {
    package var templates: [Template]
    /// The cursor to ask for the next page with; nil on the last one.
    package var after: String?

    package init(templates: [Template], after: String?) {
        self.templates = templates
        self.after = after
    }
}

/// Reads the answer to `GraphEndpoint.templates`:
///
///     {"data": [{…}], "paging": {"cursors": {"before": "…", "after": "…"}, "next": "https://…"}}
///
/// The last page has cursors, but no `next`. What is no template is left out.
package func templatePage(of result: HTTPResult, parser: JSONParser) -> Reading<TemplatePage> {
    reading(of: result, parser: parser) { json in
        guard let data = json["data"], data.kind == .array else { return nil }
        return TemplatePage(templates: data.elements.compactMap(template), after: json.nextPage)
    }
}

// MARK: One template

/// Reads an item of the list, or what was stored of one (`Template.raw`); nil without a name, language or status.
///
///     {"id": "7", "name": "order_shipped", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
///      "parameter_format": "POSITIONAL", "components": [
///          {"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "{{1}}, it is on its way."},
///          {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://a.example/{{1}}"}]}]}
package func template(from json: JSONValue) -> Template? {
    guard let name = json["name"]?.words, let language = json["language"]?.words, let status = json["status"]?.words
    else { return nil }
    let category = Template.Category(name: json["category"]?.string ?? "")
    let format = parameterFormat(json)
    return Template(
        id: json["id"]?.identifier ?? "", name: name, language: language, category: category,
        status: Template.Status(name: status), parameterFormat: format, needs: needs(json, category, format),
        raw: Array(json.raw))
}

/// Meta says it since 2024; where it does not, a variable that is no number is a name.
private func parameterFormat(_ json: JSONValue) -> Template.ParameterFormat {
    switch json["parameter_format"]?.string?.uppercased() {
    case "NAMED": return .named
    case "POSITIONAL": return .positional
    default:
        let texts = json.items("components").compactMap { $0["text"]?.string }
        return texts.flatMap(variableNames).contains { Int64($0) == nil } ? .named : .positional
    }
}

private func needs(
    _ json: JSONValue, _ category: Template.Category, _ format: Template.ParameterFormat
) -> [TemplateNeed] {
    guard let components = json["components"], components.kind == .array else {
        return ["header", "body", "button", "carousel", "limited_time_offer"].map(TemplateNeed.unchecked)
    }
    return components.elements.flatMap { component -> [TemplateNeed] in
        switch component["type"]?.string?.uppercased() {
        case "HEADER": return header(component, format)
        case "BODY":
            // The text of an authentication template is Meta's, and may be missing here.
            guard let text = component["text"]?.string else { return [.unchecked("body")] }
            let variables = TemplateVariables(in: text, format)
            return variables.count == 0 ? [] : [.body(variables)]
        case "FOOTER": return []
        case "BUTTONS":
            return component.items("buttons").enumerated().map { .button(index: $0, button($1, category)) }
        case let other: return [.unchecked(other?.lowercased() ?? "")]
        }
    }
}

private func header(_ component: JSONValue, _ format: Template.ParameterFormat) -> [TemplateNeed] {
    let kind = component["format"]?.string?.lowercased() ?? "text"
    if let media = HeaderMedia(rawValue: kind) { return [.headerMedia(media)] }
    guard kind == "text", let text = component["text"]?.string else { return [.unchecked("header")] }
    let variables = TemplateVariables(in: text, format)
    return variables.count == 0 ? [] : [.headerText(variables)]
}

/// The button that copies or fills in a login code is made as OTP and listed as URL, with the code as its variable.
private func button(_ button: JSONValue, _ category: Template.Category) -> ButtonNeed {
    let kind = button["type"]?.string?.uppercased() ?? ""
    switch kind {
    case "URL":
        if let url = button["url"]?.string {
            let variables = variableNames(in: url).count
            if variables == 0 { return .fixed(kind) }
            return category == .authentication ? .oneTimePassword : .url(variables: variables)
        }
        return button["otp_type"] == nil ? .unchecked(kind) : .oneTimePassword
    case "OTP": return .oneTimePassword
    case "COPY_CODE": return category == .authentication ? .oneTimePassword : .copyCode
    case "FLOW": return .flow
    case "CATALOG": return .catalog
    case "MPM": return .multiProduct
    case "QUICK_REPLY": return .quickReply
    case "PHONE_NUMBER": return .fixed(kind)
    default: return .unchecked(kind)
    }
}
