/// A command line taken apart: `--name value`, `--name=value`, `--flag`, `-x`, words, and `--` before more words.
package struct Arguments: Sendable {
    /// An option as the program declares it.
    package struct Option: Sendable {
        package var name: String
        package var short: Character?
        /// What stands for its value in the help; nil for a flag.
        package var value: String?
        /// What it stands for without a value, which then is given with `=` alone.
        package var whenBare: String?
        package var help: String

        package init(
            _ name: String, short: Character? = nil, value: String? = nil, whenBare: String? = nil, _ help: String
        ) {
            self.name = name
            self.short = short
            self.value = value
            self.whenBare = whenBare
            self.help = help
        }
    }

    package private(set) var words: [String] = []
    private var values: [String: [String]] = [:]

    package struct Problem: Error, CustomStringConvertible, Sendable {
        package let description: String

        package init(_ description: String) { self.description = description }
    }

    package init(_ arguments: some Sequence<String>, options: [Option]) throws(Problem) {
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                words += rest
                break
            } else if argument.hasPrefix("--") {
                let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let option = options.first { $0.name == parts[0] }
                try take(option, argument, parts.count > 1 ? String(parts[1]) : nil, &rest)
            } else if argument.hasPrefix("-"), argument.count > 2 {
                throw Problem("\(argument) is not known here; write -- before words that begin with -")
            } else if argument.hasPrefix("-"), argument.count == 2 {
                try take(options.first { $0.short == argument.last }, argument, nil, &rest)
            } else {
                words.append(argument)
            }
        }
    }

    private mutating func take(
        _ option: Option?, _ argument: String, _ attached: String?, _ rest: inout ArraySlice<String>
    ) throws(Problem) {
        guard let option else { throw Problem("\(argument) is not known here; see --help") }
        if option.value == nil {
            guard attached == nil else { throw Problem("--\(option.name) takes no value") }
            values[option.name, default: []].append("")
        } else if let bare = option.whenBare {
            values[option.name, default: []].append(attached ?? bare)
        } else {
            guard let value = attached ?? rest.popFirst() else { throw Problem("--\(option.name) wants a value") }
            values[option.name, default: []].append(value)
        }
    }

    package func has(_ name: String) -> Bool { values[name] != nil }

    /// The last value given.
    package subscript(_ name: String) -> String? { values[name]?.last }

    /// Every value given, in order.
    package func all(_ name: String) -> [String] { values[name] ?? [] }

    package func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem("--\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The options as a help text lists them.
    package static func help(_ options: [Option]) -> String {
        let left = options.map { option in
            let short = option.short.map { "-\($0), " } ?? "    "
            let value = option.value.map { option.whenBare == nil ? " \($0)" : "[=\($0)]" } ?? ""
            return "  \(short)--\(option.name)\(value)"
        }
        let width = min(left.map(\.count).max() ?? 0, 34)
        return zip(left, options).map { left, option in
            let padding = left.count <= width ? String(repeating: " ", count: width - left.count) : ""
            return "\(left)\(padding)  \(option.help)\n"
        }.joined()
    }
}
