import OutboxCore
import OutboxJSON

/// Values as Meta writes them: some now as text and now as a number, some empty where they are missing.
extension JSONValue {
    /// A text that is not empty.
    var words: String? {
        guard let text = string, !text.isEmpty else { return nil }
        return text
    }

    /// An id: opaque, text or number.
    var identifier: String? { words ?? integer.map { String($0) } }

    /// Whole seconds since 1970, text or number; nil beyond the year 9999.
    var moment: Timestamp? {
        guard let seconds = integer ?? string.flatMap({ Int64($0) }), (0..<253_402_300_800).contains(seconds) else {
            return nil
        }
        return Timestamp(milliseconds: seconds * 1000)
    }

    /// A person's number, digits; nil for what is none, such as a group's id.
    var personDigits: String? { string.flatMap { PhoneNumber($0)?.digits } }

    /// A tier by its name, or by the number of people, of which -1 is no limit.
    var tier: Tier? {
        if let name = string, let tier = Tier(name: name) { return tier }
        guard let people = integer ?? string.flatMap({ Int64($0) }) else { return nil }
        return people == -1 ? .unlimited : Tier.allCases.first { $0.people == people }
    }

    /// The items of the array of this name; nothing where there is none.
    func items(_ name: String) -> [JSONValue] { self[name].map { Array($0.elements) } ?? [] }
}
