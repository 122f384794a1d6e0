import OutboxHTTP
import OutboxJSON

/// What Meta says of a request it does not take: one thing at a time, the first it comes upon.
struct Refusal: Error {
    var code: Int64
    var details: String
    /// Of templates.
    var subcode: Int64?

    /// A field that has to be there.
    static func missing(_ name: String) -> Refusal {
        Refusal(code: 131_008, details: "\(name) is required")
    }

    /// A field of another kind than it has to be, too long, or not known.
    static func parameter(_ details: String) -> Refusal { Refusal(code: 100, details: details) }

    /// A field that is right in itself and does not fit.
    static func value(_ details: String) -> Refusal { Refusal(code: 131_009, details: details) }

    /// Meta's page "Error codes", template creation errors.
    static func template(_ subcode: Int64, _ details: String) -> Refusal {
        Refusal(code: 100, details: "Invalid parameter", subcode: subcode, userMessage: details)
    }

    var userMessage: String?

    var response: HTTPResponse {
        graphError(
            status: 400, code: code, message: title(code), details: details, subcode: subcode, userMessage: userMessage)
    }
}

/// An object of a request, read member by member as Meta's API reads it.
struct GraphObject {
    let value: JSONValue
    /// `interactive['action']`
    let name: String

    /// With members besides `known` it is refused, as Graph does.
    init(_ value: JSONValue?, _ name: String, known: Set<String>) throws(Refusal) {
        guard let value, !value.isNull else { throw .missing(name) }
        guard value.kind == .object else { throw .parameter("Param \(name) must be a JSON object.") }
        for (member, _) in value.members where !known.contains(member) {
            throw .parameter("Unexpected key \"\(member)\" on param \"\(name)\".")
        }
        self.value = value
        self.name = name
    }

    /// The member; null counts for nothing.
    subscript(_ member: String) -> JSONValue? { value[member].flatMap { $0.isNull ? nil : $0 } }

    func place(_ member: String) -> String { "\(name)['\(member)']" }

    /// A string of at most so many characters; nil when it is not there.
    @discardableResult
    func text(_ member: String, max: Int = .max) throws(Refusal) -> String? {
        guard let value = self[member] else { return nil }
        guard let text = value.string else { throw .parameter("Param \(place(member)) must be a string.") }
        if text.unicodeScalars.count > max {
            throw .parameter("Param \(place(member)) must be at most \(max) characters long.")
        }
        return text
    }

    /// One that must be there, and hold something.
    @discardableResult
    func neededText(_ member: String, max: Int = .max) throws(Refusal) -> String {
        guard let text = try text(member, max: max), !text.isEmpty else { throw .missing(place(member)) }
        return text
    }

    func texts(_ members: String...) throws(Refusal) { for member in members { try text(member) } }

    func flag(_ member: String) throws(Refusal) {
        if let value = self[member], value.bool == nil {
            throw .parameter("Param \(place(member)) must be a boolean.")
        }
    }

    func list(_ member: String, _ range: ClosedRange<Int>) throws(Refusal) -> [JSONValue] {
        guard let value = self[member] else { throw .missing(place(member)) }
        guard value.kind == .array else { throw .parameter("Param \(place(member)) must be an array.") }
        let items = Array(value.elements)
        guard range.contains(items.count) else {
            throw .value(
                "\(place(member)) has \(items.count) items; allowed are \(range.lowerBound) to \(range.upperBound)")
        }
        return items
    }

    func object(_ member: String, known: Set<String>) throws(Refusal) -> GraphObject {
        try GraphObject(self[member], place(member), known: known)
    }

    func word(_ member: String, _ words: String...) throws(Refusal) {
        let word = try neededText(member)
        if !words.contains(word) {
            let list = words.joined(separator: ", ").uppercased()
            throw .parameter("Param \(place(member)) must be one of {\(list)} - got \"\(word)\".")
        }
    }
}
