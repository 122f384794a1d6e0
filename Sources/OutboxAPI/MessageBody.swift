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
        "fallback", "order", "whenFull", "onUnknown",
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
        let priority = reader.choice("priority", Priority.self) ?? .normal
        let anyOrder = reader.choice("order", { ["given": false, "any": true][$0] }, ["given", "any"]) ?? false
        let whenFull = reader.choice("whenFull", WhenFull.self)
        let onUnknown = reader.choice("onUnknown", UnknownPolicy.self)
        let fallback = fallback(&reader, path)
        let metadata = metadata(&reader)
        let dryRun = reader.bool("dryRun") ?? false
        guard reader.errors.isEmpty, let to, let content else { return .wrong(reader.errors) }
        var draft = Draft(
            line: line, to: to, type: content.type, content: content.json, sendAt: sendAt, expiresAt: expiresAt,
            priority: priority, metadata: metadata, template: content.template, fallback: fallback)
        draft.anyOrder = anyOrder
        draft.whenFull = whenFull
        draft.onUnknown = onUnknown
        return .complete(MessageBody(draft: draft, dryRun: dryRun))
    }

    // MARK: Fields

    private static func recipient(_ reader: inout ObjectReader) -> PhoneNumber? {
        guard let text = reader.requiredString("to", example: "\"14155552671\"") else { return nil }
        if let number = PhoneNumber(text) { return number }
        if text.contains(".") && !text.contains("@") {
            reader.refuse("to", "is a user id, as it seems: only phone numbers can be written to")
            return nil
        }
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

    private struct Content {
        var type: String
        var json: [UInt8]
        var template: TemplateName?
    }

    private static func content(_ reader: inout ObjectReader, _ path: String) -> Content? {
        let preview = reader.bool("previewUrl")
        switch (reader["message"], reader["template"]) {
        case (.some, .some):
            reader.refuse("template", "and message exclude each other: give one of them")
            return nil
        case (nil, nil):
            reader.refuse("message", "is missing: give message (a text) or template")
            return nil
        case (.some(let message), nil):
            return text(&reader, message, preview).map { Content(type: "text", json: $0) }
        case (nil, .some(let template)):
            if preview != nil { reader.refuse("previewUrl", "belongs to message, not to template") }
            if reader["fallback"] != nil { reader.refuse("fallback", "belongs to message: a template needs none") }
            var message: TemplateMessage?
            reader.adopt(TemplateBody.read(template, path: path + "template.", into: &message))
            return message.map { Content(type: "template", json: $0.content, template: $0.template) }
        }
    }

    /// `{"template": {...}}`: goes when the person's window is closed.
    private static func fallback(_ reader: inout ObjectReader, _ path: String) -> TemplateMessage? {
        guard let value = reader["fallback"] else { return nil }
        var inner = ObjectReader(value, path: path + "fallback.", known: ["template"])
        var message: TemplateMessage?
        if let template = inner["template"] {
            inner.adopt(TemplateBody.read(template, path: path + "fallback.template.", into: &message))
        } else if value.kind == .object {
            inner.refuse("template", "is missing: give the template that goes when the window is closed")
        }
        reader.adopt(inner.errors)
        return message
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
