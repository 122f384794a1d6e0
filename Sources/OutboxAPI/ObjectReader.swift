import OutboxCore
import OutboxJSON

/// Reads the members of one JSON object and collects everything that is wrong with it.
struct ObjectReader {
    private static let unknownListedMax = 10
    private let path: String
    private var members: [Member] = []
    private(set) var errors: [FieldError] = []

    private struct Member {
        let name: String
        /// Of its name: most names that are looked for are told from it by that alone.
        let length: Int
        let value: JSONValue

        init(_ name: String, _ value: JSONValue) {
            (self.name, self.value) = (name, value)
            length = name.utf8.count
        }
    }

    /// `path` stands before the names in errors: empty, or ending in a dot.
    init(_ value: JSONValue, path: String, known: [String]) {
        self.init(value, path: path, known: JSONNames(known))
    }

    /// The same for names that were made ready once: for objects that come by the thousand.
    init(_ value: JSONValue, path: String, known: JSONNames) {
        self.path = path
        guard value.kind == .object else {
            errors.append(FieldError(path.isEmpty ? "body" : String(path.dropLast()), "must be an object"))
            return
        }
        members.reserveCapacity(8)
        var unknown = 0
        for (key, member) in value.entries {
            if let place = known.place(of: key) {
                let name = known.texts[place]
                if index(of: name) != nil {
                    if !errors.contains(where: { $0.field == path + name }) { refuse(name, "is given twice") }
                } else {
                    members.append(Member(name, member))
                }
            } else {
                unknown += 1
                // An answer is for reading: it does not grow with what a caller makes up.
                if unknown > Self.unknownListedMax { continue }
                let all = known.texts.joined(separator: ", ")
                let words = unknown == 1 ? "is not known here; known are \(all)" : "neither"
                refuse(beginning(of: key.string ?? ""), words)
            }
        }
    }

    private func index(of name: String) -> Int? {
        let length = name.utf8.count
        for index in members.indices where members[index].length == length && members[index].name == name {
            return index
        }
        return nil
    }

    /// The member, unless it is absent or null.
    subscript(_ name: String) -> JSONValue? {
        guard let index = index(of: name) else { return nil }
        let value = members[index].value
        return value.isNull ? nil : value
    }

    /// Of the members that are neither unknown nor null, in the order given.
    var names: [String] { names { _ in true } }

    /// The same, of those wanted.
    func names(where isWanted: (String) -> Bool) -> [String] {
        var names: [String] = []
        for index in members.indices where isWanted(members[index].name) && !members[index].value.isNull {
            names.append(members[index].name)
        }
        return names
    }

    mutating func refuse(_ name: String, _ message: String) { errors.append(FieldError(path + name, message)) }

    mutating func adopt(_ others: [FieldError]) { errors += others }

    // MARK: Kinds

    mutating func string(_ name: String) -> String? {
        guard let value = self[name] else { return nil }
        return string(name, value)
    }

    private mutating func string(_ name: String, _ value: JSONValue) -> String? {
        guard let text = value.string else {
            refuse(name, "must be a string")
            return nil
        }
        // Written as itself no text of JSON holds it.
        guard !value.isEscaped || !text.utf8.contains(0) else {
            refuse(name, "must not hold the character NUL")
            return nil
        }
        return text
    }

    mutating func requiredString(_ name: String, example: String) -> String? {
        guard let value = self[name] else {
            refuse(name, "is missing; give for example \(example)")
            return nil
        }
        return string(name, value)
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
