import OutboxJSON

/// The parts of an interactive message of one type. What is not listed Meta does not take there.
struct InteractiveRules: Sendable {
    /// The kinds of header Meta takes; none: no header.
    var headers: [String] = []
    var headerIsRequired = false
    var bodyMax = 1024
    var bodyIsRequired = true
    var hasFooter = true
    var action: ContentRule
}

/// By `interactive.type`, each with the page its limits come from (below …/whatsapp/messages, or as said). Types that
/// are not here pass as unknown.
let interactiveRules: [String: InteractiveRules] = [
    // interactive-reply-buttons-messages
    "button": InteractiveRules(headers: ["text", "image", "video", "document"], action: replyButtonsRule),
    // interactive-list-messages; the body is longer than elsewhere.
    "list": InteractiveRules(headers: ["text"], bodyMax: 4096, action: listRule),
    // interactive-cta-url-messages
    "cta_url": InteractiveRules(headers: ["text", "image", "video", "document"], action: callToActionRule),
    // …/whatsapp/flows/guides/sendingaflow
    "flow": InteractiveRules(headers: ["text", "image", "video", "document"], action: flowRule),
    // location-request-messages
    "location_request_message": InteractiveRules(
        hasFooter: false, action: .object(ContentShape([.required("name", .word(["send_location"]))]))),
    // …/whatsapp/catalogs/sell-products-and-services/share-products
    "product": InteractiveRules(bodyIsRequired: false, action: productRule),
    "product_list": InteractiveRules(headers: ["text"], headerIsRequired: true, action: productListRule),
    "catalog_message": InteractiveRules(action: catalogRule),
]

extension ContentCheck {
    mutating func lookAtInteractive(_ value: JSONValue, _ place: String) {
        guard value.kind == .object else { return refuse(place, "must be an object") }
        guard let type = value["type"]?.string, !type.isEmpty else {
            let known = interactiveRules.keys.sorted().joined(separator: ", ")
            return refuse("\(place).type", "is missing; give one of \(known)")
        }
        guard let rules = interactiveRules[type] else { return passUnknown() }
        look(at: value, place, .object(shape(type, rules)))
    }

    private func shape(_ type: String, _ rules: InteractiveRules) -> ContentShape {
        var fields: [ContentField] = [.required("type", .word([type]))]
        if !rules.headers.isEmpty {
            let header = ContentRule.object(headerShape(rules.headers))
            fields.append(ContentField(name: "header", rule: header, isRequired: rules.headerIsRequired))
        }
        let body = ContentRule.object(ContentShape([.required("text", .text(1...rules.bodyMax))]))
        fields.append(ContentField(name: "body", rule: body, isRequired: rules.bodyIsRequired))
        if rules.hasFooter { fields.append(.optional("footer", footerRule)) }
        fields.append(.required("action", rules.action))
        return ContentShape(fields)
    }
}

private let footerRule = ContentRule.object(ContentShape([.required("text", .text(1...60))]))

/// `{"type": "text", "text": "…"}` of 60 characters, or `{"type": "image", "image": {"link": "…"}}`.
private func headerShape(_ kinds: [String]) -> ContentShape {
    var fields: [ContentField] = [.required("type", .word(kinds))]
    for kind in kinds { fields.append(.optional(kind, headerRule(kind))) }
    return ContentShape(fields) { value, place, check in
        guard let kind = value["type"]?.string, kinds.contains(kind) else { return }
        if value.given(kind) == nil {
            check.refuse("\(place).\(kind)", "is missing: the header is of type \"\(kind)\"")
        }
        for other in kinds where other != kind && value.given(other) != nil {
            check.refuse("\(place).\(other)", "does not belong to a header of type \"\(kind)\"")
        }
    }
}

private func headerRule(_ kind: String) -> ContentRule {
    if kind == "text" { return .text(1...60) }
    var fields: [ContentField] = [.optional("id", .words), .optional("link", .address(schemes: ["https"]))]
    if kind == "document" { fields.append(.optional("filename", .words)) }
    fields.append(mediaMember)
    return .object(ContentShape(fields) { value, place, check in check.oneFile(in: value, place) })
}

// MARK: Reply buttons

private let replyButtonsRule = ContentRule.object(
    ContentShape([
        .required(
            "buttons",
            .list(
                1...3,
                .object(
                    ContentShape([
                        .required("type", .word(["reply"])),
                        .required(
                            "reply",
                            .object(
                                ContentShape([
                                    .required("id", .text(1...256)), .required("title", .text(1...20)),
                                ]))),
                    ]))))
    ]) { value, place, check in
        for member in ["id", "title"] {
            check.unique(
                texts(in: value["buttons"], "\(place).buttons") { $0["reply"]?[member] }
                    .map { ("\($0.place).reply.\(member)", $0.text) })
        }
    })

/// Of each item that has such a text, with the item's place.
private func texts(
    in list: JSONValue?, _ place: String, _ pick: (JSONValue) -> JSONValue?
) -> [(place: String, text: String)] {
    elements(list).enumerated().compactMap { index, item in pick(item)?.string.map { ("\(place)[\(index)]", $0) } }
}

private func elements(_ list: JSONValue?) -> [JSONValue] { list.map { Array($0.elements) } ?? [] }

// MARK: List

private let rowRule = ContentRule.object(
    ContentShape([
        .required("id", .text(1...200)), .required("title", .text(1...24)), .optional("description", .text(0...72)),
    ]))

private let listRule = ContentRule.object(
    ContentShape([
        .required("button", .text(1...20)),
        .required(
            "sections",
            .list(
                1...10,
                .object(
                    ContentShape([.optional("title", .text(0...24)), .required("rows", .list(1...10, rowRule))])))),
    ]) { value, place, check in
        check.lookAtSections(value["sections"], "\(place).sections", items: "rows", max: 10)
        var ids: [(place: String, text: String)] = []
        for (index, section) in elements(value["sections"]).enumerated() {
            let rows = "\(place).sections[\(index)].rows"
            ids += texts(in: section["rows"], rows) { $0["id"] }.map { ("\($0.place).id", $0.text) }
        }
        check.unique(ids)
    })

extension ContentCheck {
    /// Several sections need titles, and there is a limit for the items of all of them.
    mutating func lookAtSections(_ value: JSONValue?, _ place: String, items: String, max: Int) {
        let sections = elements(value)
        var count = 0
        for (index, section) in sections.enumerated() {
            count += elements(section[items]).count
            if sections.count > 1, section["title"]?.string?.isEmpty ?? true {
                refuse("\(place)[\(index)].title", "is missing: with several sections each needs one")
            }
        }
        if sections.count > 1, count > max {
            refuse(place, "\(count) \(items) in all sections; Meta allows \(max). Leave some out.")
        }
    }
}

// MARK: Call to action, flow

private let callToActionRule = ContentRule.object(
    ContentShape([
        .required("name", .word(["cta_url"])),
        .required(
            "parameters",
            .object(
                ContentShape([
                    .required("display_text", .text(1...20)),
                    .required("url", .address(schemes: ["https", "http"])),
                ]))),
    ]))

private let flowRule = ContentRule.object(
    ContentShape([
        .required("name", .word(["flow"])),
        .required(
            "parameters",
            .object(
                ContentShape([
                    .required("flow_message_version", .word(["3"])),
                    .optional("flow_id", .words),
                    .optional("flow_name", .words),
                    .required("flow_cta", .text(1...30)),
                    .optional("flow_token", .words),
                    .optional("mode", .word(["draft", "published"])),
                    .optional("flow_action", .word(["navigate", "data_exchange"])),
                    .optional(
                        "flow_action_payload",
                        .object(ContentShape([.required("screen", .words), .optional("data", .anyObject)]))),
                ]) { value, place, check in check.oneOf("flow_id", "flow_name", in: value, place) })),
    ]))
