import OutboxCore
import OutboxJSON

/// A template as callers name it: `{"name", "language", "components"}`.
enum TemplateBody {
    private static let names = JSONNames(["name", "language", "components"])

    /// Answers what is wrong; with nothing wrong `message` is complete.
    static func read(_ value: JSONValue, path: String, into message: inout TemplateMessage?) -> [FieldError] {
        var reader = ObjectReader(value, path: path, known: names)
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
        message = TemplateMessage(template: TemplateName(name: name, language: language), content: writer.bytes)
        return []
    }

    private static func check(_ components: JSONValue, _ reader: inout ObjectReader) {
        guard components.kind == .array else { return reader.refuse("components", "must be an array") }
        guard components.raw.count <= MessageBody.contentBytesMax else {
            return reader.refuse(
                "components", "is \(components.raw.count) bytes long; \(MessageBody.contentBytesMax) are allowed")
        }
        for (index, component) in components.elements.enumerated() where reader.errors.count < 50 {
            guard component.kind == .object else {
                reader.refuse("components[\(index)]", "must be an object")
                continue
            }
            if !(component["type"]?.isFilledText ?? false) {
                reader.refuse("components[\(index)].type", "must be \"header\", \"body\" or \"button\"")
            }
            if let parameters = component["parameters"], parameters.kind != .array {
                reader.refuse("components[\(index)].parameters", "must be an array")
            }
        }
    }

    private static func isLanguage(_ code: String) -> Bool {
        (2...15).contains(code.utf8.count)
            && code.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x5F }
    }
}

func isTemplateName(_ name: String) -> Bool {
    (1...MessageBody.templateNameLengthMax).contains(name.utf8.count)
        && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
}
