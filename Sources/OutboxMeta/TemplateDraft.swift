import OutboxCore
package import OutboxJSON

/// What a template is checked for before it goes to Meta.
package enum TemplateDraftKind: Equatable, Sendable {
    case new
    /// A change of a template of this category, in Meta's word, whose variables have names or numbers.
    case change(category: String, isNamed: Bool)
}

/// What Meta would refuse of a template that is to be made or changed, as far as its pages tell it ("Templates",
/// "Template components", "Authentication templates"); nothing when it is right. Components of kinds that are not known
/// here are left to Meta. At most `templateProblemsMax` are named.
///
///     {"name": "order_shipped", "language": "en_US", "category": "UTILITY", "parameter_format": "POSITIONAL",
///      "components": [{"type": "BODY", "text": "Dear {{1}}, it is on its way.", "example": {"body_text": [["Ann"]]}},
///                     {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Thanks"}]}]}
package func templateDraftProblems(_ draft: JSONValue, _ kind: TemplateDraftKind) -> [(field: String, message: String)]
{
    guard draft.kind == .object else { return [("body", "must be an object")] }
    var check = TemplateDraftCheck()
    check.look(at: draft, kind)
    return check.problems
}

private let changeable = [
    "category", "components", "parameter_format", "message_send_ttl_seconds", "cta_url_link_tracking_opted_out",
]
private let makable =
    ["name", "language"] + changeable + [
        "allow_category_change", "sub_category", "library_template_name", "library_template_body_inputs",
        "library_template_button_inputs",
    ]

struct TemplateDraftCheck {
    private(set) var problems: [(field: String, message: String)] = []
    var isNamed = false
    var category = ""

    static let categories = ["MARKETING", "UTILITY", "AUTHENTICATION"]

    mutating func refuse(_ field: String, _ message: String) {
        if problems.count < templateProblemsMax { problems.append((field, message)) }
    }

    mutating func look(at draft: JSONValue, _ kind: TemplateDraftKind) {
        let known = kind == .new ? makable : changeable
        var seen: Set<String> = []
        for (name, _) in draft.members where name != "dryRun" {
            if !known.contains(name) {
                refuse(String(name.prefix(64)), "is not known here; known are \(known.joined(separator: ", "))")
            } else if !seen.insert(name).inserted {
                refuse(name, "is given twice")
            }
        }
        if kind == .new { names(draft) }
        categoryAndFormat(draft, kind)
        lifetime(draft)
        let isFromLibrary = draft["library_template_name"]?.words != nil
        guard let components = draft["components"], !components.isNull else {
            if case .change = kind {
                if seen.isEmpty { refuse("components", "is missing: give what is to change") }
            } else if !isFromLibrary {
                refuse("components", "is missing: give at least a BODY")
            }
            return
        }
        guard components.kind == .array else { return refuse("components", "must be an array") }
        self.components(Array(components.elements), path: "components")
    }

    // MARK: Beside the components

    private mutating func names(_ draft: JSONValue) {
        if let name = draft["name"]?.words {
            let isPlain = name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
            }
            if !isPlain || name.utf8.count > 512 { refuse("name", "must be 1 to 512 of a-z, 0-9 and _") }
        } else {
            refuse("name", "is missing; give for example \"order_shipped\"")
        }
        if let language = draft["language"]?.words {
            if !isTemplateLanguage(language) {
                refuse("language", "must be a language code such as \"en\", \"fil\" or \"en_US\"")
            }
        } else {
            refuse("language", "is missing; give for example \"en_US\"")
        }
    }

    private mutating func categoryAndFormat(_ draft: JSONValue, _ kind: TemplateDraftKind) {
        let all = Self.categories.joined(separator: ", ")
        switch (draft["category"]?.words, kind) {
        case (let word?, _):
            category = word
            if !Self.categories.contains(word) { refuse("category", "must be one of \(all)") }
        case (nil, .change(let before, _)) where draft["category"] == nil: category = before
        case (nil, _): refuse("category", "is missing: give one of \(all)")
        }
        switch draft["parameter_format"]?.string?.uppercased() {
        case "NAMED": isNamed = true
        case "POSITIONAL": break
        case nil where draft["parameter_format"] == nil:
            if case .change(_, let before) = kind { isNamed = before }
        case nil where draft["parameter_format"]?.isNull ?? true: break
        default: refuse("parameter_format", "must be \"POSITIONAL\" ({{1}}, {{2}}) or \"NAMED\" ({{first_name}})")
        }
    }

    /// How long Meta goes on trying, in seconds; -1: 30 days ("Time-to-live").
    private mutating func lifetime(_ draft: JSONValue) {
        guard let value = draft["message_send_ttl_seconds"], !value.isNull else { return }
        let range: ClosedRange<Int64> =
            switch category {
            case "AUTHENTICATION": 30...900
            case "MARKETING": 43_200...2_592_000
            default: 30...43_200
            }
        guard let seconds = value.integer, seconds == -1 || range.contains(seconds) else {
            let words = "must be -1, or \(range.lowerBound) to \(range.upperBound) seconds"
            return refuse("message_send_ttl_seconds", words + (category.isEmpty ? "" : " for \(category)"))
        }
    }

    // MARK: Components

    private mutating func components(_ components: [JSONValue], path: String) {
        var places: [String: Int] = [:]
        for (index, component) in components.enumerated() {
            let place = "\(path)[\(index)]"
            guard component.kind == .object, let type = component["type"]?.words?.uppercased() else {
                refuse(place, "must be an object with a type: HEADER, BODY, FOOTER, BUTTONS, CAROUSEL, …")
                continue
            }
            if let before = places[type] {
                refuse("\(place).type", "is \(type) once more: \(path)[\(before)] is one already")
                continue
            }
            places[type] = index
            switch type {
            case "HEADER": header(component, place)
            case "BODY": body(component, place, max: places["LIMITED_TIME_OFFER"] == nil ? 1024 : 600)
            case "FOOTER": footer(component, place)
            case "BUTTONS": buttons(component, place)
            case "CAROUSEL": carousel(component, place)
            case "LIMITED_TIME_OFFER": offer(component, place)
            default: break
            }
        }
        if places["BODY"] == nil { refuse(path, "lack a BODY: every template has one") }
        if category == "AUTHENTICATION" {
            if places["BUTTONS"] == nil { refuse(path, "lack BUTTONS: an authentication template has one OTP button") }
            if let index = places["HEADER"] {
                refuse("\(path)[\(index)]", "is a HEADER: an authentication template has none")
            }
        }
        if places["LIMITED_TIME_OFFER"] != nil, let index = places["FOOTER"] {
            refuse("\(path)[\(index)]", "is a FOOTER: a template with a limited-time offer has none")
        }
    }

    private mutating func header(_ component: JSONValue, _ place: String) {
        let format = component["format"]?.words?.uppercased()
        switch format {
        case "TEXT":
            guard let found = text(component, "text", place, max: 60) else { return }
            if found.count > 1 { refuse("\(place).text", "has \(found.count) variables; a header may have one") }
            examples(component, place, found, many: "header_text", named: "header_text_named_params")
        case "IMAGE", "VIDEO", "DOCUMENT", "GIF":
            let given = component["example"]?["header_handle"]
            let handles = given.map {
                $0.kind == .array ? $0.elements.compactMap(\.words) : [$0.words].compactMap(\.self)
            }
            guard let handle = handles?.first, handles?.count == 1 else {
                return refuse(
                    "\(place).example.header_handle",
                    "is missing: an array of one handle, as Meta's Resumable Upload API answers it (4::…)")
            }
            if handle.hasPrefix("http:") || handle.hasPrefix("https:") {
                refuse(
                    "\(place).example.header_handle[0]",
                    "is an address; Meta wants the handle of a file uploaded by its Resumable Upload API (4::…)")
            }
        case "LOCATION", "PRODUCT": break
        case nil: refuse("\(place).format", "is missing: TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION")
        default: refuse("\(place).format", "must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION")
        }
    }

    mutating func body(_ component: JSONValue, _ place: String, max: Int) {
        if category == "AUTHENTICATION" {
            if component["text"] != nil {
                refuse("\(place).text", "is Meta's own in an authentication template: leave it out")
            }
            if let flag = component["add_security_recommendation"], flag.bool == nil {
                refuse("\(place).add_security_recommendation", "must be true or false")
            }
            return
        }
        guard let found = text(component, "text", place, max: max) else { return }
        let words = (component["text"]?.string ?? "").trimmedOfSpace
        if !found.isEmpty, words.hasPrefix("{{") || words.hasSuffix("}}") {
            refuse("\(place).text", "begins or ends with a variable: Meta wants words around it")
        }
        examples(component, place, found, many: "body_text", named: "body_text_named_params")
    }

    private mutating func footer(_ component: JSONValue, _ place: String) {
        if category == "AUTHENTICATION" {
            if component["text"] != nil {
                refuse("\(place).text", "is Meta's own in an authentication template: give code_expiration_minutes")
            }
            guard let minutes = component["code_expiration_minutes"], !minutes.isNull else { return }
            if !(minutes.integer.map { (1...90).contains($0) } ?? false) {
                refuse("\(place).code_expiration_minutes", "must be a whole number from 1 to 90")
            }
            return
        }
        guard let found = text(component, "text", place, max: 60) else { return }
        if !found.isEmpty { refuse("\(place).text", "has a variable; a footer takes none") }
    }

    private mutating func offer(_ component: JSONValue, _ place: String) {
        guard let offer = component["limited_time_offer"], offer.kind == .object else {
            return refuse("\(place).limited_time_offer", "is missing: {\"text\", \"has_expiration\"}")
        }
        if category != "MARKETING" { refuse(place, "is for MARKETING templates alone") }
        _ = text(offer, "text", "\(place).limited_time_offer", max: 16)
        if let flag = offer["has_expiration"], flag.bool == nil {
            refuse("\(place).limited_time_offer.has_expiration", "must be true or false")
        }
    }

    private mutating func carousel(_ component: JSONValue, _ place: String) {
        let cards = component.items("cards")
        guard (2...10).contains(cards.count) else {
            return refuse("\(place).cards", "must be an array of 2 to 10 cards; \(cards.count) are given")
        }
        var kinds: [[String]] = []
        for (index, card) in cards.enumerated() {
            let path = "\(place).cards[\(index)].components"
            let parts = card.items("components")
            kinds.append(parts.compactMap { $0["type"]?.words?.uppercased() })
            if !kinds[index].contains("HEADER") { refuse(path, "lack a HEADER: every card has an image or a video") }
            for (number, part) in parts.enumerated() {
                let place = "\(path)[\(number)]"
                switch part["type"]?.words?.uppercased() {
                case "HEADER": header(part, place)
                case "BODY": body(part, place, max: 160)
                case "BUTTONS": buttons(part, place, max: 2)
                default: refuse("\(place).type", "must be HEADER, BODY or BUTTONS in a card")
                }
            }
        }
        if let odd = kinds.firstIndex(where: { $0 != kinds[0] }) {
            refuse("\(place).cards[\(odd)]", "has other components than the first card: all cards have the same")
        }
    }

    // MARK: Texts

    /// The variables of a text, each once; nil when there is no text that could be looked at.
    mutating func text(_ object: JSONValue, _ name: String, _ place: String, max: Int) -> [String]? {
        guard let value = object[name], !value.isNull, let text = value.string, !text.isEmpty else {
            refuse("\(place).\(name)", "is missing: a text of 1 to \(max) characters")
            return nil
        }
        let length = text.unicodeScalars.count
        if length > max { refuse("\(place).\(name)", "has \(length) characters; \(max) are allowed") }
        let names = variableNames(in: text)
        if holdsBrokenVariable(text) {
            refuse(
                "\(place).\(name)", "holds braces that are no variable: write {{1}} or {{first_name}}, without spaces")
        }
        return order(names, "\(place).\(name)") ? names : nil
    }

    /// Whether they are as the template's format has them.
    private mutating func order(_ names: [String], _ place: String) -> Bool {
        let numbers = names.compactMap { Int64($0) }
        if isNamed {
            let wrong = names.first { name in
                !name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
                    || !(name.utf8.first.map { (0x61...0x7A).contains($0) } ?? false)
            }
            guard let wrong else { return true }
            refuse(place, "has {{\(wrong)}}: a name begins with a letter and has a-z, 0-9 and _ alone")
            return false
        }
        if numbers.count < names.count {
            let name = names.first { Int64($0) == nil } ?? ""
            refuse(place, "has {{\(name)}}: variables with names want \"parameter_format\": \"NAMED\"")
            return false
        }
        guard names.isEmpty || numbers.sorted() == Array(1...Int64(names.count)) else {
            refuse(place, "has \(names.map(braced).joined(separator: ", ")): they are counted from {{1}} without gaps")
            return false
        }
        return true
    }

    private mutating func examples(
        _ component: JSONValue, _ place: String, _ names: [String], many: String, named: String
    ) {
        guard !names.isEmpty else { return }
        let example = component["example"]
        if isNamed {
            let given = Array(example?[named]?.elements.map { $0 } ?? [])
            let told = Set(given.compactMap { $0["example"]?.words == nil ? nil : $0["param_name"]?.words })
            let missing = names.filter { !told.contains($0) }
            guard !missing.isEmpty else { return }
            return refuse(
                "\(place).example.\(named)",
                "lacks \(missing.map(braced).joined(separator: ", ")): give {\"param_name\", \"example\"} for each variable"
            )
        }
        // Of the body an array of arrays; libraries also write the inner one alone.
        let outer = Array(example?[many]?.elements.map { $0 } ?? [])
        let inner = outer.first?.kind == .array ? Array(outer[0].elements) : outer
        let count = inner.compactMap(\.words).count
        if count != names.count {
            refuse(
                "\(place).example.\(many)",
                "must hold a text for each of \(names.count) variable\(names.count == 1 ? "" : "s"); \(count) are given"
            )
        }
    }
}

/// `en`, `fil`, `en_US`, `zh_Hans`
func isTemplateLanguage(_ code: String) -> Bool {
    let parts = code.split(separator: "_", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), (2...3).contains(parts[0].utf8.count),
        parts[0].utf8.allSatisfy({ (0x61...0x7A).contains($0) })
    else { return false }
    return parts.count == 1
        || (2...4).contains(parts[1].utf8.count) && parts[1].utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) }
}

/// Two braces that begin or end no variable.
private func holdsBrokenVariable(_ text: String) -> Bool {
    var rest = text
    for name in variableNames(in: text) { rest = rest.replacing(braced(name), with: "") }
    return rest.contains("{{") || rest.contains("}}")
}

extension String {
    var trimmedOfSpace: Substring {
        let front = drop { $0.isWhitespace }
        return front.prefix(front.count - front.reversed().prefix { $0.isWhitespace }.count)
    }
}
