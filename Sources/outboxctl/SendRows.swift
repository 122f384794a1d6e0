import OutboxCommandLine
import OutboxJSON

/// What a row or line of a file does not say is as the options of `send` say.
struct SendDefaults {
    /// Name and value of the API's fields.
    private(set) var fields: [(name: String, value: String)] = []
    let template: String?
    let fallback: String?
    let language: String
    let anyOrder: Bool

    init(_ arguments: Arguments) {
        for (option, field) in [
            ("line", "line"), ("at", "sendAt"), ("expires", "expiresAt"), ("priority", "priority"),
            ("when-full", "whenFull"), ("on-unknown", "onUnknown"),
        ] {
            if let value = arguments[option] { fields.append((field, value)) }
        }
        template = arguments["template"]
        fallback = arguments["fallback"]
        language = arguments["language"] ?? "en_US"
        anyOrder = arguments.has("any-order")
    }

    /// With `given` the names a message says itself.
    func write(_ given: Set<String>, to json: inout JSONWriter) {
        for (name, value) in fields where !given.contains(name) { json.field(name, value) }
        if anyOrder, !given.contains("order") { json.field("order", "any") }
    }
}

/// The rows of a CSV file as messages: columns named like fields are fields, every other one is a variable of the
/// template's body.
struct SendRows {
    private(set) var messages: [(line: Int, json: [UInt8])] = []

    private static let fields = [
        "to": "to", "message": "message", "text": "message", "line": "line", "template": "template",
        "language": "language", "sendat": "sendAt", "at": "sendAt", "expiresat": "expiresAt", "expires": "expiresAt",
        "priority": "priority", "metadata": "metadata", "whenfull": "whenFull", "onunknown": "onUnknown",
        "order": "order",
    ]
    /// Before a column that is a variable though it is named like a field.
    private static let variablePrefix = "var."

    init(_ csv: CSV, _ defaults: SendDefaults) throws {
        let columns: [(field: String?, variable: String)] = csv.header.map { name in
            if name.hasPrefix(Self.variablePrefix) { return (nil, String(name.dropFirst(Self.variablePrefix.count))) }
            return (Self.fields[name.lowercased()], name)
        }
        for (index, column) in columns.enumerated() {
            guard let field = column.field, columns[..<index].contains(where: { $0.field == field }) else { continue }
            throw Arguments.Problem("line 1: \(field) has two columns")
        }
        guard columns.contains(where: { $0.field == "to" }) else {
            throw Arguments.Problem("line 1: there is no column to; the first line names the columns")
        }
        let variables = columns.filter { $0.field == nil }.map(\.variable)
        let mayHaveTemplate =
            defaults.template != nil || defaults.fallback != nil || columns.contains { $0.field == "template" }
        if let first = variables.first, !mayHaveTemplate {
            throw Arguments.Problem(
                "line 1: \(first) is no field of a message, and there is no template whose variable it could be: "
                    + "give --template, or a column template")
        }
        for (line, cells) in csv.rows {
            messages.append((line, try Self.message(line, cells, columns, defaults)))
        }
    }

    private static func message(
        _ line: Int, _ cells: [String], _ columns: [(field: String?, variable: String)], _ defaults: SendDefaults
    ) throws -> [UInt8] {
        var values: [String: String] = [:]
        var variables: [(name: String, text: String)] = []
        for (cell, column) in zip(cells, columns) {
            guard let field = column.field else {
                variables.append((column.variable, cell))
                continue
            }
            if !cell.isEmpty { values[field] = cell }
        }
        let template = values["template"] ?? (values["message"] == nil ? defaults.template : nil)
        let language = values["language"] ?? defaults.language
        var metadata: ArraySlice<UInt8>?
        if let text = values["metadata"] {
            do {
                metadata = try JSONParser().parse(text.utf8).raw
            } catch {
                throw Arguments.Problem("line \(line): metadata is \(error)")
            }
        }
        var json = JSONWriter()
        json.object {
            for name in ["to", "message", "line", "sendAt", "expiresAt", "priority", "whenFull", "onUnknown", "order"] {
                if let value = values[name] { $0.field(name, value) }
            }
            if let template { $0.object("template") { write(template, language, variables, &$0) } }
            if template == nil, let fallback = defaults.fallback {
                $0.object("fallback") { json in
                    json.object("template") { write(fallback, language, variables, &$0) }
                }
            }
            if let metadata { $0.field("metadata", raw: metadata) }
            defaults.write(Set(values.keys), to: &$0)
        }
        return json.bytes
    }

    /// Variables named by whole numbers are positional, in the order of their columns; others are named.
    private static func write(
        _ name: String, _ language: String, _ variables: [(name: String, text: String)], _ json: inout JSONWriter
    ) {
        json.field("name", name)
        json.field("language", language)
        guard !variables.isEmpty else { return }
        json.array("components") {
            $0.object {
                $0.field("type", "body")
                $0.array("parameters") {
                    for variable in variables {
                        $0.object {
                            $0.field("type", "text")
                            if Int(variable.name) == nil { $0.field("parameter_name", variable.name) }
                            $0.field("text", variable.text)
                        }
                    }
                }
            }
        }
    }
}

/// Lines of JSON as messages; each is what `POST /v1/messages` takes.
struct SendLines {
    private(set) var messages: [(line: Int, json: [UInt8])] = []

    init(_ text: String, _ defaults: SendDefaults) throws {
        if defaults.template != nil || defaults.fallback != nil {
            throw Arguments.Problem("--template and --fallback are for CSV; in NDJSON each line has its own")
        }
        let lines = Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
            let value: JSONValue
            do {
                value = try JSONParser().parse(line)
            } catch {
                throw Arguments.Problem("line \(index + 1) is \(error)")
            }
            guard value.kind == .object else { throw Arguments.Problem("line \(index + 1) must be a JSON object") }
            var json = JSONWriter()
            json.object {
                for (name, value) in value.members { $0.field(name, raw: value.raw) }
                defaults.write(Set(value.members.map(\.name)), to: &$0)
            }
            messages.append((index + 1, json.bytes))
        }
    }
}
