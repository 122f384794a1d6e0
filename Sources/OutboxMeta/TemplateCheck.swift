package import OutboxCore
package import OutboxJSON

/// What Meta would refuse of a message's `components`, as far as that is certain; nothing when they fit.
///
/// `field` is a path into the components, such as `components[1].parameters`, or `components` for one that is missing.
/// Meta answers these with codes 100, 131008, 132000, 132012 and 132018. What a template may want that is not known
/// here passes. At most `templateProblemsMax` are named.
///
///     [{"type": "header", "parameters": [{"type": "image", "image": {"id": "7"}}]},
///      {"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Ann"}]},
///      {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "order/7"}]}]
package func problems(of components: JSONValue?, for template: Template) -> [(field: String, message: String)] {
    var check = TemplateCheck(needs: template.needs)
    if let components, !components.isNull {
        guard components.kind == .array else { return [("components", "must be an array")] }
        for (index, component) in components.elements.enumerated() {
            check.look(at: component, "components[\(index)]")
        }
    }
    check.lookForMissing()
    return check.problems
}

package let templateProblemsMax = 50

private struct TemplateCheck {
    private(set) var problems: [(field: String, message: String)] = []

    private var headerText: TemplateVariables?
    private var headerMedia: HeaderMedia?
    private var body: TemplateVariables?
    private var buttons: [Int: ButtonNeed] = [:]
    private var unchecked: Set<String> = []

    private var seen: Set<String> = []
    private var seenButtons: Set<Int> = []

    init(needs: [TemplateNeed]) {
        for need in needs {
            switch need {
            case .headerText(let variables): headerText = variables
            case .headerMedia(let media): headerMedia = media
            case .body(let variables): body = variables
            case .button(let index, let need): buttons[index] = need
            case .unchecked(let kind): unchecked.insert(kind)
            }
        }
    }

    private mutating func refuse(_ field: String, _ message: String) {
        if problems.count < templateProblemsMax { problems.append((field, message)) }
    }

    // MARK: Components

    mutating func look(at component: JSONValue, _ place: String) {
        guard component.kind == .object, let kind = component["type"]?.words?.lowercased() else {
            return refuse(place, "must be an object with the type \"header\", \"body\" or \"button\"")
        }
        seen.insert(kind)
        if unchecked.contains(kind) { return }
        if let parameters = component["parameters"], parameters.kind != .array {
            return refuse("\(place).parameters", "must be an array")
        }
        let given = GivenParameters(place: "\(place).parameters", parameters: component.items("parameters"))
        switch kind {
        case "header":
            if let headerMedia {
                media(given, headerMedia)
            } else {
                variables(given, headerText ?? .positional(0), "header")
            }
        case "body": variables(given, body ?? .positional(0), "body")
        case "button": button(component, place, given)
        case "carousel", "limited_time_offer": refuse(place, "the template has no \(kind): leave this component out")
        default: break
        }
    }

    mutating func lookForMissing() {
        if !seen.contains("header") {
            if let headerMedia {
                refuse("components", "lack a header: it needs \(headerMedia.withArticle); none is given")
            } else if let headerText {
                refuse("components", "lack a header: \(needs("the header", headerText)); none is given")
            }
        }
        if let body, !seen.contains("body") {
            refuse("components", "lack a body: \(needs("the body", body)); none is given")
        }
        for (index, need) in buttons.sorted(by: { $0.key < $1.key }) where !seenButtons.contains(index) {
            guard !unchecked.contains("button"), let wanted = need.wanted else { continue }
            refuse(
                "components",
                "lack a button of sub_type \"\(need.subTypes[0])\" and index \(index): it needs \(wanted); none is given"
            )
        }
    }

    // MARK: Texts

    private mutating func variables(_ given: GivenParameters, _ variables: TemplateVariables, _ part: String) {
        guard variables.count > 0 else {
            if given.count > 0 {
                refuse(given.place, "the \(part) takes no parameters; \(given.counted): leave the component out")
            }
            return
        }
        switch variables {
        case .positional(let count):
            if given.count != count { refuse(given.place, "\(needs("the \(part)", variables)); \(given.counted)") }
        case .named(let names): named(given, names, part)
        }
        for (index, parameter) in given.parameters.enumerated() { text(parameter, given.place(index), part) }
    }

    private mutating func named(_ given: GivenParameters, _ names: [String], _ part: String) {
        let list = names.map(braced).joined(separator: ", ")
        var missing = Set(names)
        for (index, parameter) in given.parameters.enumerated() {
            let place = "\(given.place(index)).parameter_name"
            guard let name = parameter["parameter_name"]?.words else {
                refuse(place, "is missing: the \(part)'s variables have names (\(list))")
                continue
            }
            if missing.remove(name) != nil { continue }
            let isTwice = names.contains(name)
            refuse(
                place,
                isTwice ? "is given twice" : "names no variable of the \(part): it has \(list)")
        }
        let lacking = names.filter(missing.contains)
        if !lacking.isEmpty {
            let lackingList = lacking.map(braced).joined(separator: ", ")
            refuse(given.place, "\(needs("the \(part)", .named(names))); not given: \(lackingList)")
        }
    }

    /// Meta also takes `currency` and `date_time`; what is certainly no text is refused.
    private mutating func text(_ parameter: JSONValue, _ place: String, _ part: String) {
        guard parameter.kind == .object else {
            return refuse(place, "must be an object such as {\"type\":\"text\",\"text\":\"Ann\"}")
        }
        let kind = parameter["type"]?.string?.lowercased() ?? "text"
        if kindsWithoutText.contains(kind) {
            refuse("\(place).type", "is \"\(kind)\"; the \(part) needs \"text\"")
        } else if kind == "text", parameter.lacks("text") {
            refuse("\(place).text", "is missing or empty; Meta refuses an empty text")
        }
    }

    // MARK: Media

    private mutating func media(_ given: GivenParameters, _ media: HeaderMedia) {
        guard given.count == 1 else {
            return refuse(given.place, "the header needs 1 parameter (\(media.withArticle)); \(given.counted)")
        }
        let parameter = given.parameters[0]
        let place = given.place(0)
        guard parameter.kind == .object else {
            return refuse(place, "must be an object of type \"\(media.rawValue)\"")
        }
        let kind = parameter["type"]?.string?.lowercased() ?? media.rawValue
        guard kind == media.rawValue else {
            return refuse("\(place).type", "is \"\(kind)\"; the header needs \(media.withArticle)")
        }
        let object = parameter[media.rawValue]
        guard object?.kind == .object, let object else {
            return refuse("\(place).\(media.rawValue)", "is missing: give an object with \(media.members)")
        }
        switch media {
        case .image, .video, .document:
            if object.lacks("id"), object.lacks("link"), object.lacks(mediaField) {
                refuse("\(place).\(media.rawValue)", "has neither id nor link nor media: give one of them")
            }
        case .location, .product: break
        }
    }

    // MARK: Buttons

    private mutating func button(_ component: JSONValue, _ place: String, _ given: GivenParameters) {
        guard let index = component["index"].flatMap({ $0.integer ?? $0.string.flatMap { Int64($0) } }) else {
            return refuse("\(place).index", "is missing: give the button's place, counted from 0")
        }
        guard let need = buttons[Int(index)] else {
            let all = buttons.count == 1 ? "its only button is 0" : "its buttons are 0 to \(buttons.count - 1)"
            return refuse(
                "\(place).index",
                "is \(index); " + (buttons.isEmpty ? "the template has no buttons: leave this component out" : all))
        }
        seenButtons.insert(Int(index))
        if case .unchecked = need { return }
        if case .fixed(let kind) = need {
            if given.count > 0 {
                refuse(
                    given.place,
                    "button \(index) (\(kind)) takes no parameters; \(given.counted): leave the component out")
            }
            return
        }
        guard let subType = component["sub_type"]?.words?.lowercased() else {
            return refuse("\(place).sub_type", "is missing: button \(index) needs \"\(need.subTypes[0])\"")
        }
        guard need.subTypes.contains(subType) else {
            return refuse("\(place).sub_type", "is \"\(subType)\"; button \(index) is \"\(need.subTypes[0])\"")
        }
        guard let wanted = need.wanted else { return }
        guard given.count == need.count else {
            return refuse(given.place, "button \(index) needs \(wanted); \(given.counted)")
        }
        for (number, parameter) in given.parameters.enumerated() {
            content(parameter, given.place(number), need, wanted, index)
        }
    }

    private mutating func content(
        _ parameter: JSONValue, _ place: String, _ need: ButtonNeed, _ wanted: String, _ index: Int64
    ) {
        switch (need, parameter["type"]?.string?.lowercased()) {
        case (.copyCode, "coupon_code"), (.copyCode, nil):
            if parameter.lacks("coupon_code") { refuse("\(place).coupon_code", "is missing or empty") }
        case (.copyCode, "text"), (.oneTimePassword, "coupon_code"): break
        case (.multiProduct, let kind):
            if parameter["action"]?.kind != .object || kind.map({ $0 != "action" }) ?? false {
                refuse(place, "must be {\"type\":\"action\",\"action\":{…}}: button \(index) needs \(wanted)")
            }
        default: text(parameter, place, "button")
        }
    }
}
