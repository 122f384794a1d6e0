package import OutboxJSON

/// The body of Aircall's `POST /v1/numbers/{id}/messages/configuration`: `{"callbackUrl": "…", "type": "whatsapp"}`.
package struct AircallConfiguration: Equatable, Sendable {
    package static let type = "whatsapp"

    package var callbackURL: String

    package static func read(_ value: JSONValue) throws(APIError) -> AircallConfiguration {
        var reader = ObjectReader(value, path: "", known: ["callbackUrl", "type"])
        let url = reader.requiredString("callbackUrl", example: "\"https://example.com/aircall\"")
        _ = reader.choice("type", { $0 == type ? $0 : nil }, [type])
        guard reader.errors.isEmpty, let url else { throw .validation(reader.errors) }
        return AircallConfiguration(callbackURL: url)
    }
}

/// The body of Aircall's `POST /v1/messages/whatsapp/send`, which names the person as `to`, and of `POST
/// /v1/messages/send/whatsapp/native`, which does as `externalNumber`; either name is taken by both.
///
///     {"lineId": 123, "to": "+14155552671", "text": "Hi"}
///     {"lineId": 123, "to": "+14155552671",
///      "templateParams": {"id": "700001", "body": [{"key": "{{1}}", "value": "Ann"}]}}
package struct AircallMessage: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case text(String)
        case template(AircallTemplate)
    }

    package var line: String
    package var to: String
    package var content: Content

    package init(line: String, to: String, content: Content) {
        self.line = line
        self.to = to
        self.content = content
    }

    package static func read(_ value: JSONValue) throws(APIError) -> AircallMessage {
        var reader = ObjectReader(
            value, path: "", known: ["lineId", "to", "externalNumber", "text", "templateParams"])
        let line = line(&reader)
        if reader["to"] != nil, reader["externalNumber"] != nil {
            reader.refuse("externalNumber", "and to are the same: give one of them")
        }
        let to =
            reader["externalNumber"] == nil
            ? reader.requiredString("to", example: "\"+14155552671\"") : reader.string("externalNumber")
        let content = content(&reader)
        guard reader.errors.isEmpty, let line, let to, let content else { throw .validation(reader.errors) }
        return AircallMessage(line: line, to: to, content: content)
    }

    /// Aircall's are numbers; a line's name may be written as one.
    private static func line(_ reader: inout ObjectReader) -> String? {
        if let number = reader["lineId"]?.integer { return String(number) }
        return reader.requiredString("lineId", example: "\"main\"")
    }

    private static func content(_ reader: inout ObjectReader) -> Content? {
        let text = reader.string("text")
        guard let template = reader["templateParams"] else {
            if reader["text"] == nil { reader.refuse("text", "is missing; give text, or templateParams") }
            return text.map { .text($0) }
        }
        if text != nil { reader.refuse("templateParams", "and text exclude each other: give one of them") }
        var inner = ObjectReader(template, path: "templateParams.", known: ["id", "header", "body", "buttons"])
        let read = AircallTemplate.read(&inner)
        reader.adopt(inner.errors)
        return read.map { .template($0) }
    }
}

/// A template and what is filled in: Meta's id of it (or its `name/language`), and a value for each variable.
package struct AircallTemplate: Equatable, Sendable {
    /// `{"key": "{{1}}", "value": "Ann"}`; of a button also its place, counted from 0.
    package struct Variable: Equatable, Sendable {
        /// Without braces.
        package var key: String
        package var value: String
        package var index: Int64?

        package init(key: String, value: String, index: Int64? = nil) {
            self.key = key
            self.value = value
            self.index = index
        }
    }

    package var id: String
    package var header: [Variable] = []
    package var body: [Variable] = []
    package var buttons: [Variable] = []

    private static let variablesMax = 100

    package init(id: String, header: [Variable] = [], body: [Variable] = [], buttons: [Variable] = []) {
        self.id = id
        self.header = header
        self.body = body
        self.buttons = buttons
    }

    static func read(_ reader: inout ObjectReader) -> AircallTemplate? {
        let number = reader["id"]?.integer.map { String($0) }
        let id = number ?? reader.requiredString("id", example: "\"700001\"")
        let header = variables(&reader, "header")
        let body = variables(&reader, "body")
        let buttons = variables(&reader, "buttons")
        return id.map { AircallTemplate(id: $0, header: header, body: body, buttons: buttons) }
    }

    private static func variables(_ reader: inout ObjectReader, _ name: String) -> [Variable] {
        guard let value = reader[name] else { return [] }
        let items = value.elements.map { $0 }
        guard value.kind == .array, items.count <= variablesMax else {
            reader.refuse(
                name, "must be an array of up to \(variablesMax) such as {\"key\": \"{{1}}\", \"value\": \"Ann\"}")
            return []
        }
        var variables: [Variable] = []
        for (place, item) in items.enumerated() {
            let path = "templateParams.\(name)[\(place)]."
            var inner = ObjectReader(
                item, path: path, known: name == "buttons" ? ["key", "value", "index"] : ["key", "value"])
            let key = item.kind == .object ? inner.requiredString("key", example: "\"{{1}}\"") : nil
            let value = item.kind == .object ? inner.requiredString("value", example: "\"Ann\"") : nil
            let index = inner.integer("index", in: 0...9)
            reader.adopt(inner.errors)
            guard let key, let value else { continue }
            let bare = key.drop { $0 == "{" || $0 == " " }.prefix { $0 != "}" && $0 != " " }
            variables.append(Variable(key: String(bare), value: value, index: index))
        }
        return variables
    }
}
