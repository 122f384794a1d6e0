import OutboxCore
import OutboxJSON

/// Reads the members of one JSON object and collects everything that is wrong with it.
struct ObjectReader {
    private static let unknownListedMax = 10
    private let path: String
    private var members: [(name: String, value: JSONValue)] = []
    private(set) var errors: [FieldError] = []

    /// `path` stands before the names in errors: empty, or ending in a dot.
    init(_ value: JSONValue, path: String, known: [String]) {
        self.path = path
        guard value.kind == .object else {
            errors.append(FieldError(path.isEmpty ? "body" : String(path.dropLast()), "must be an object"))
            return
        }
        var unknown = 0
        for (name, member) in value.members {
            if !known.contains(name) {
                unknown += 1
                // An answer is for reading: it does not grow with what a caller makes up.
                if unknown > Self.unknownListedMax { continue }
                let words = unknown == 1 ? "is not known here; known are \(known.joined(separator: ", "))" : "neither"
                refuse(beginning(of: name), words)
            } else if members.contains(where: { $0.name == name }) {
                if !errors.contains(where: { $0.field == path + name }) { refuse(name, "is given twice") }
            } else {
                members.append((name, member))
            }
        }
    }

    /// The member, unless it is absent or null.
    subscript(_ name: String) -> JSONValue? {
        members.first { $0.name == name && !$0.value.isNull }?.value
    }

    /// Of the members that are neither unknown nor null, in the order given.
    var names: [String] { members.compactMap { $0.value.isNull ? nil : $0.name } }

    mutating func refuse(_ name: String, _ message: String) { errors.append(FieldError(path + name, message)) }

    mutating func adopt(_ others: [FieldError]) { errors += others }

    // MARK: Kinds

    mutating func string(_ name: String) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else {
            refuse(name, "must be a string")
            return nil
        }
        guard !text.utf8.contains(0) else {
            refuse(name, "must not hold the character NUL")
            return nil
        }
        return text
    }

    mutating func requiredString(_ name: String, example: String) -> String? {
        if self[name] == nil {
            refuse(name, "is missing; give for example \(example)")
            return nil
        }
        return string(name)
    }

    /// One of some words.
    mutating func choice<Value>(
        _ name: String, _ named: (String) -> Value?, _ words: @autoclosure () -> [String]
    ) -> Value? {
        guard let text = string(name) else { return nil }
        if let value = named(text) { return value }
        let list = words().map { "\"\($0)\"" }
        let all = list.dropLast().joined(separator: ", ") + (list.count > 1 ? " or " : "") + (list.last ?? "")
        refuse(name, "must be \(all)")
        return nil
    }

    /// One of an enum's cases, by its name.
    mutating func choice<Value: NamedCase>(_ name: String, _ type: Value.Type) -> Value? {
        choice(name, Value.init(name:), Value.allCases.map(\.name))
    }

    mutating func bool(_ name: String) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.bool else {
            refuse(name, "must be true or false")
            return nil
        }
        return flag
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = self[name] else { return nil }
        guard let number = value.integer, range.contains(number) else {
            refuse(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }
}

/// As much as an answer repeats of a word somebody made up. Of its scalars, for a character may have any number of them.
func beginning(of word: String) -> String { String(String.UnicodeScalarView(word.unicodeScalars.prefix(64))) }
