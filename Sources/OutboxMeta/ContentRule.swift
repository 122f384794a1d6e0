import OutboxJSON

/// What Meta allows in one place of a message's content, as a table can say it.
indirect enum ContentRule: Sendable {
    /// So many characters (Unicode scalars).
    case text(ClosedRange<Int>)
    /// A text of any length but none.
    case words
    case flag
    case word([String])
    /// A number, or a string that holds one: Meta's samples have both.
    case degrees(ClosedRange<Double>)
    /// The address of something Meta, or a person's phone, fetches.
    case address(schemes: [String])
    case object(ContentShape)
    case list(ClosedRange<Int>, ContentRule)
    /// A JSON object of the sender's own.
    case anyObject
    /// A text of this form, described by the second.
    case form(@Sendable (String) -> Bool, String)
}

/// The members of an object, and what no single member tells.
struct ContentShape: Sendable {
    var fields: [ContentField]
    /// Looks at the object as a whole, once each member by itself was looked at.
    var also: @Sendable (JSONValue, String, inout ContentCheck) -> Void

    init(
        _ fields: [ContentField],
        also: @escaping @Sendable (JSONValue, String, inout ContentCheck) -> Void = { _, _, _ in }
    ) {
        self.fields = fields
        self.also = also
    }
}

struct ContentField: Sendable {
    var name: String
    var rule: ContentRule
    var isRequired: Bool

    static func required(_ name: String, _ rule: ContentRule) -> ContentField {
        ContentField(name: name, rule: rule, isRequired: true)
    }

    static func optional(_ name: String, _ rule: ContentRule) -> ContentField {
        ContentField(name: name, rule: rule, isRequired: false)
    }
}

/// Compares a value with rules and collects what does not fit, with its path, such as
/// `interactive.action.buttons[2].reply.title`. 50 problems at most.
struct ContentCheck {
    static let problemsMax = 50

    private(set) var problems: [ContentProblem] = []
    /// Something stands there for which there are no rules here.
    private(set) var isUnknown = false

    mutating func refuse(_ place: String, _ message: String) {
        if problems.count < Self.problemsMax { problems.append(ContentProblem(place, message)) }
    }

    mutating func passUnknown() { isUnknown = true }

    mutating func look(at value: JSONValue, _ place: String, _ rule: ContentRule) {
        switch rule {
        case .text(let range): text(value, place, range)
        case .words: text(value, place, 1...Int.max)
        case .flag: if value.bool == nil { refuse(place, "must be true or false") }
        case .word(let words): word(value, place, words)
        case .degrees(let range): degrees(value, place, range)
        case .address(let schemes): address(value, place, schemes)
        case .object(let shape): object(value, place, shape)
        case .list(let range, let item): list(value, place, range, item)
        case .anyObject: if value.kind != .object { refuse(place, "must be an object") }
        case .form(let fits, let words):
            if !(value.string.map(fits) ?? false) { refuse(place, "must be \(words)") }
        }
    }

    // MARK: Simple values

    private mutating func text(_ value: JSONValue, _ place: String, _ range: ClosedRange<Int>) {
        guard let text = value.string else { return refuse(place, "must be a string") }
        let count = text.unicodeScalars.count
        if text.utf8.contains(0) { refuse(place, "must not hold the character NUL") }
        if count < range.lowerBound { return refuse(place, "is empty; give a text or leave the field out") }
        if count > range.upperBound {
            refuse(place, "\(count) characters; Meta allows \(range.upperBound). Shorten it.")
        }
    }

    private mutating func word(_ value: JSONValue, _ place: String, _ words: [String]) {
        if let word = value.string, words.contains(word) { return }
        let list = words.map { "\"\($0)\"" }
        let all = list.dropLast().joined(separator: ", ") + (list.count > 1 ? " or " : "") + (list.last ?? "")
        refuse(place, "must be \(all)")
    }

    private mutating func degrees(_ value: JSONValue, _ place: String, _ range: ClosedRange<Double>) {
        let number = value.number ?? value.string.flatMap { $0.utf8.allSatisfy(isNumeral) ? Double($0) : nil }
        guard let number, range.contains(number) else {
            let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
            return refuse(place, "must be decimal degrees from \(low) to \(high)")
        }
    }

    private mutating func address(_ value: JSONValue, _ place: String, _ schemes: [String]) {
        guard let text = value.string, isWebAddress(text, schemes: schemes) else {
            let begin = schemes.map { "\($0)://" }.joined(separator: " or ")
            return refuse(place, "must be a web address beginning with \(begin)")
        }
    }

    // MARK: Containers

    private mutating func object(_ value: JSONValue, _ place: String, _ shape: ContentShape) {
        guard value.kind == .object else { return refuse(place, "must be an object") }
        var (given, absent): (Set<String>, Set<String>) = ([], [])
        for (name, member) in value.members {
            let place = "\(place).\(beginning(name))"
            guard let field = shape.fields.first(where: { $0.name == name }) else {
                let known = shape.fields.map(\.name).joined(separator: ", ")
                refuse(place, "is not known here; known are \(known)")
                continue
            }
            guard given.insert(name).inserted else {
                refuse(place, "is given twice")
                continue
            }
            // Clients of Meta's send null for what they have not, and Meta passes it over.
            if member.isNull { absent.insert(name) } else { look(at: member, place, field.rule) }
        }
        for field in shape.fields where field.isRequired && (!given.contains(field.name) || absent.contains(field.name))
        {
            refuse("\(place).\(field.name)", "is missing; Meta requires it")
        }
        shape.also(value, place, &self)
    }

    private mutating func list(
        _ value: JSONValue, _ place: String, _ range: ClosedRange<Int>, _ item: ContentRule
    ) {
        guard value.kind == .array else { return refuse(place, "must be an array") }
        var count = 0
        for element in value.elements {
            // An item beyond the limit is not looked at: it has to go.
            if count < range.upperBound { look(at: element, "\(place)[\(count)]", item) }
            count += 1
        }
        if count < range.lowerBound {
            refuse(place, "\(count) items; Meta needs \(range.lowerBound) at least")
        } else if count > range.upperBound {
            refuse(place, "\(count) items; Meta allows \(range.upperBound). Leave some out.")
        }
    }

    // MARK: Over several values

    /// Exactly one of two members.
    mutating func oneOf(_ first: String, _ second: String, in value: JSONValue, _ place: String) {
        switch (value.given(first), value.given(second)) {
        case (nil, nil): refuse("\(place).\(first)", "is missing: give \(first) or \(second)")
        case (.some, .some):
            refuse("\(place).\(second)", "and \(first) exclude each other: give one of them")
        default: break
        }
    }

    /// Texts that have to differ; those that are none were refused elsewhere.
    mutating func unique(_ texts: [(place: String, text: String)]) {
        var seen: Set<String> = []
        for (place, text) in texts where !seen.insert(text).inserted {
            refuse(place, "is given twice; Meta wants each only once")
        }
    }
}

extension JSONValue {
    /// The member, unless it is null.
    func given(_ name: String) -> JSONValue? { self[name].flatMap { $0.isNull ? nil : $0 } }
}

private func isNumeral(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
}

/// `https://host/…`, visible ASCII or beyond, without user names.
func isWebAddress(_ text: String, schemes: [String]) -> Bool {
    guard let colon = text.firstIndex(of: ":"), schemes.contains(text[..<colon].lowercased()),
        text[colon...].hasPrefix("://")
    else { return false }
    let rest = text[colon...].dropFirst(3)
    let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return !host.isEmpty && !host.hasPrefix(":") && !host.contains("@")
        && rest.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && !$0.properties.isWhitespace }
}

/// As much of a made-up name as an answer repeats.
private func beginning(_ name: String) -> String { String(String.UnicodeScalarView(name.unicodeScalars.prefix(64))) }
