package import OutboxCore
package import OutboxJSON

/// A message as callers hand it in: the body of `POST /v1/messages`, an item of a bulk, a line of NDJSON.
package struct MessageBody: Equatable, Sendable {
    package var draft: Draft
    package var dryRun: Bool

    /// Unicode scalars of a text.
    package static let textLengthMax = 4096
    package static let metadataBytesMax = 4096
    package static let templateNameLengthMax = 512
    package static let contentBytesMax = 65_536

    private static let fields = [
        "line", "to", "message", "previewUrl", "template", "sendAt", "expiresAt", "priority", "metadata", "dryRun",
    ]

    package enum Reading: Equatable, Sendable {
        case complete(MessageBody)
        case wrong([FieldError])
    }

    /// Checks everything and names every wrong field. `path` stands before the names, as in `messages[3].`.
    package static func read(_ value: JSONValue, path: String = "", now: Timestamp) -> Reading {
        var reader = ObjectReader(value, path: path, known: fields)
        guard value.kind == .object else { return .wrong(reader.errors) }
        let line = reader.string("line")
        let to = recipient(&reader)
        let content = content(&reader, path)
        let sendAt = moment(&reader, "sendAt")
        if let sendAt, sendAt <= now { reader.refuse("sendAt", "must lie in the future; it is now \(now.rfc3339)") }
        let expiresAt = moment(&reader, "expiresAt")
        if let expiresAt, expiresAt <= max(now, sendAt ?? now) {
            reader.refuse("expiresAt", "must lie in the future and after sendAt; it is now \(now.rfc3339)")
        }
        let priority = priority(&reader)
        let metadata = metadata(&reader)
        let dryRun = reader.bool("dryRun") ?? false
        guard reader.errors.isEmpty, let to, let content else { return .wrong(reader.errors) }
        let draft = Draft(
            line: line, to: to, type: content.type, content: content.json, sendAt: sendAt, expiresAt: expiresAt,
            priority: priority, metadata: metadata)
        return .complete(MessageBody(draft: draft, dryRun: dryRun))
    }

    // MARK: Fields

    private static func recipient(_ reader: inout ObjectReader) -> PhoneNumber? {
        guard let text = reader.requiredString("to", example: "\"14155552671\"") else { return nil }
        if let number = PhoneNumber(text) { return number }
        reader.refuse(
            "to", "must be a phone number in E.164: country code and number, 7 to 15 digits, such as 14155552671")
        return nil
    }

    private static func moment(_ reader: inout ObjectReader, _ name: String) -> Timestamp? {
        guard let text = reader.string(name) else { return nil }
        if let moment = Timestamp(rfc3339: text) { return moment }
        reader.refuse(name, "must be a time in RFC 3339 with its offset, such as 2030-01-31T09:00:00+01:00")
        return nil
    }

    private static func priority(_ reader: inout ObjectReader) -> Priority {
        guard let name = reader.string("priority") else { return .normal }
        if let priority = Priority(name: name) { return priority }
        reader.refuse("priority", "must be \"high\", \"normal\" or \"low\"")
        return .normal
    }

    private static func metadata(_ reader: inout ObjectReader) -> [UInt8]? {
        guard let value = reader["metadata"] else { return nil }
        guard value.kind == .object else {
            reader.refuse("metadata", "must be an object")
            return nil
        }
        guard value.raw.count <= metadataBytesMax else {
            reader.refuse("metadata", "is \(value.raw.count) bytes long; \(metadataBytesMax) are allowed")
            return nil
        }
        return Array(value.raw)
    }

    // MARK: Content

    private static func content(_ reader: inout ObjectReader, _ path: String) -> (type: String, json: [UInt8])? {
        let preview = reader.bool("previewUrl")
        switch (reader["message"], reader["template"]) {
        case (.some, .some):
            reader.refuse("template", "and message exclude each other: give one of them")
            return nil
        case (nil, nil):
            reader.refuse("message", "is missing: give message (a text) or template")
            return nil
        case (.some(let message), nil):
            return text(&reader, message, preview).map { ("text", $0) }
        case (nil, .some(let template)):
            if preview != nil { reader.refuse("previewUrl", "belongs to message, not to template") }
            var json: [UInt8]?
            reader.adopt(TemplateBody.read(template, path: path + "template.", into: &json))
            return json.map { ("template", $0) }
        }
    }

    private static func text(_ reader: inout ObjectReader, _ value: JSONValue, _ preview: Bool?) -> [UInt8]? {
        guard let text = reader.string("message") else { return nil }
        let length = text.unicodeScalars.count
        guard (1...textLengthMax).contains(length) else {
            reader.refuse("message", "has \(length) characters; 1 to \(textLengthMax) are allowed")
            return nil
        }
        var json = JSONWriter(capacity: value.raw.count + 32)
        json.object {
            $0.field("body", raw: value.raw)
            if let preview { $0.field("preview_url", preview) }
        }
        return json.bytes
    }
}

/// A template as callers name it: `{"name", "language", "components"}`.
enum TemplateBody {
    /// Answers what is wrong; with nothing wrong `json` holds the object Meta expects.
    static func read(_ value: JSONValue, path: String, into json: inout [UInt8]?) -> [FieldError] {
        var reader = ObjectReader(value, path: path, known: ["name", "language", "components"])
        guard value.kind == .object else { return reader.errors }
        let name = reader.requiredString("name", example: "\"hello_world\"")
        if let name, !isTemplateName(name) {
            reader.refuse("name", "must be 1 to \(MessageBody.templateNameLengthMax) of a-z, 0-9 and _")
        }
        let language = reader.requiredString("language", example: "\"en_US\"")
        if let language, !isLanguage(language) {
            reader.refuse("language", "must be a language code such as \"en\" or \"en_US\"")
        }
        if let components = reader["components"] { check(components, &reader) }
        guard reader.errors.isEmpty, let name, let language else { return reader.errors }
        var writer = JSONWriter(capacity: value.raw.count + 32)
        writer.object {
            $0.field("name", name)
            $0.object("language") { $0.field("code", language) }
            if let components = reader["components"] { $0.field("components", raw: components.raw) }
        }
        json = writer.bytes
        return []
    }

    private static func check(_ components: JSONValue, _ reader: inout ObjectReader) {
        guard components.kind == .array else { return reader.refuse("components", "must be an array") }
        guard components.raw.count <= MessageBody.contentBytesMax else {
            return reader.refuse(
                "components", "is \(components.raw.count) bytes long; \(MessageBody.contentBytesMax) are allowed")
        }
        for (index, component) in components.elements.enumerated() where reader.errors.count < 50 {
            let place = "components[\(index)]"
            guard component.kind == .object else {
                reader.refuse(place, "must be an object")
                continue
            }
            if component["type"]?.string?.isEmpty ?? true {
                reader.refuse("\(place).type", "must be \"header\", \"body\" or \"button\"")
            }
            if let parameters = component["parameters"], parameters.kind != .array {
                reader.refuse("\(place).parameters", "must be an array")
            }
        }
    }

    private static func isTemplateName(_ name: String) -> Bool {
        (1...MessageBody.templateNameLengthMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
    }

    private static func isLanguage(_ code: String) -> Bool {
        (2...15).contains(code.utf8.count)
            && code.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x5F }
    }
}
