import OutboxCore
import OutboxJSON
import OutboxMeta

/// What a message says, out of a body: `message` or `template`, or one of Meta's kinds as Meta writes it, such as
/// `"image": {"link": "https://…"}`; with `type` also a kind that is not known here.
struct ContentBody {
    var type: String
    var json: [UInt8]
    var template: TemplateName?
    var mention: Mention?
    /// Meta's limits were looked at.
    var isChecked = true

    /// Ours for an audio message that is a voice message.
    static let voice = "voice"
    /// The fields that hold contents.
    static let fields = ["message", "template"] + ContentKind.allCases.map(\.rawValue) + [voice]
    private static let names = JSONNames(fields)
    /// The fields that say something of them.
    static let sideFields = ["type", "previewUrl", "replyTo", "check"]

    /// The kind a body names that is not known here; `taken` are fields that mean something else.
    static func strangeType(_ value: JSONValue, taken: JSONNames) -> String? {
        guard let type = value["type"]?.string, taken.place(of: type) == nil, isContentType(type) else { return nil }
        return type
    }

    /// `path` stands before the names of fields. Nil when something is wrong, which the reader then knows.
    static func read(_ reader: inout ObjectReader, _ path: String, strange: String?) -> ContentBody? {
        let type = reader.string("type")
        if let type, strange == nil, !isKnown(type) {
            let words = beginning(of: type)
            reader.refuse("type", "\"\(words)\" can be no kind of message: give one of Meta's words for it")
            return nil
        }
        let given = given(reader, strange)
        guard let field = given.first, let value = reader[field] else {
            refuseNothing(&reader, type)
            return nil
        }
        for other in given.dropFirst() {
            reader.refuse(other, "and \(field) exclude each other: give one of them")
        }
        if let type, type != field, !(type == "text" && field == "message") {
            reader.refuse("type", "is \"\(type)\", and what is given is \(field): they have to be the same")
        }
        refuseStrayFields(&reader, field)
        let mention = answer(&reader, field)
        let isWanted = reader.bool("check") ?? true
        guard given.count == 1 else { return nil }
        var content: ContentBody?
        switch field {
        case "message": content = text(&reader, value)
        case "template": content = template(&reader, value, path)
        default: content = kind(&reader, field, value, path, isWanted: isWanted)
        }
        if let mention { content?.mention = mention }
        return content
    }

    /// The fields with contents, in the order they are documented in.
    private static func given(_ reader: ObjectReader, _ strange: String?) -> [String] {
        let given = reader.names { names.place(of: $0) != nil || $0 == strange }
        // One, but for what is refused.
        guard given.count > 1 else { return given }
        return (fields + [strange].compactMap { $0 }).filter(given.contains)
    }

    private static func isKnown(_ type: String) -> Bool {
        ContentKind(rawValue: type) != nil || type == "template" || type == voice
    }

    private static func refuseNothing(_ reader: inout ObjectReader, _ type: String?) {
        if let type, type != "text" {
            reader.refuse(type, "is missing: the type says that there is one")
        } else {
            let kinds = fields.dropFirst(2).joined(separator: ", ")
            reader.refuse("message", "is missing: give message (a text), template or one of \(kinds)")
        }
    }

    private static func refuseStrayFields(_ reader: inout ObjectReader, _ field: String) {
        if field != "message", reader.bool("previewUrl") != nil {
            let words = field == "text" ? "; a text has its own preview_url" : ""
            reader.refuse("previewUrl", "belongs to message, not to \(field)\(words)")
        }
        if field == "template", reader["fallback"] != nil {
            reader.refuse("fallback", "belongs to message: a template needs none")
        }
    }

    // MARK: Texts and templates

    private static func text(_ reader: inout ObjectReader, _ value: JSONValue) -> ContentBody? {
        let preview = reader.bool("previewUrl")
        guard let text = reader.string("message") else { return nil }
        let length = text.unicodeScalars.count
        guard (1...MessageBody.textLengthMax).contains(length) else {
            reader.refuse("message", "has \(length) characters; 1 to \(MessageBody.textLengthMax) are allowed")
            return nil
        }
        var json = JSONWriter(capacity: value.raw.count + 32)
        json.object {
            $0.field("body", raw: value.raw)
            if let preview { $0.field("preview_url", preview) }
        }
        return ContentBody(type: "text", json: json.bytes)
    }

    private static func template(_ reader: inout ObjectReader, _ value: JSONValue, _ path: String) -> ContentBody? {
        var message: TemplateMessage?
        reader.adopt(TemplateBody.read(value, path: path + "template.", into: &message))
        return message.map { ContentBody(type: "template", json: $0.content, template: $0.template) }
    }

    // MARK: Meta's kinds

    /// The object goes to Meta as it stands in the body, byte for byte.
    private static func kind(
        _ reader: inout ObjectReader, _ field: String, _ value: JSONValue, _ path: String, isWanted: Bool
    ) -> ContentBody? {
        let type = field == voice ? "audio" : field
        let isKnown = isWanted && ContentKind(rawValue: type) != nil
        guard isKnown || ((value.kind == .object || value.kind == .array) && value.raw.count > 2) else {
            reader.refuse(field, "must be the object Meta has under this name")
            return nil
        }
        guard value.raw.count <= MessageBody.contentBytesMax else {
            reader.refuse(field, "is \(value.raw.count) bytes long; \(MessageBody.contentBytesMax) are allowed")
            return nil
        }
        var content = ContentBody(type: type, json: Array(value.raw))
        switch isWanted ? verdict(on: value, of: type, place: path + field) : .unknown {
        case .fits: break
        case .unknown: content.isChecked = false
        case .wrong(let problems):
            reader.adopt(problems.map { FieldError($0.field, $0.message) })
            return nil
        }
        if field == voice { content.json = asVoice(value) }
        return field == ContentKind.reaction.rawValue ? reaction(&reader, value, content) : content
    }

    /// Meta's page "Audio messages": a voice message is an audio message that says so.
    private static func asVoice(_ value: JSONValue) -> [UInt8] {
        var json = JSONWriter(capacity: value.raw.count + 16)
        json.object {
            $0.field("voice", true)
            for (name, member) in value.members where name != "voice" { $0.field(name, raw: member.raw) }
        }
        return json.bytes
    }

    // MARK: Other messages

    /// `replyTo`: the message that is shown above this one.
    private static func answer(_ reader: inout ObjectReader, _ field: String) -> Mention? {
        guard let text = reader.string("replyTo") else { return nil }
        // Meta's page "Contextual replies": a reaction cannot be one.
        if let kind = ContentKind(rawValue: field), !kind.canAnswer {
            reader.refuse("replyTo", "does not go with a reaction, which names its message itself")
            return nil
        }
        guard let target = target(text) else {
            reader.refuse("replyTo", targetWords)
            return nil
        }
        return Mention(.answer, target)
    }

    private static func reaction(
        _ reader: inout ObjectReader, _ value: JSONValue, _ content: ContentBody
    ) -> ContentBody? {
        // Unchecked it may be anything: then it is Meta's alone.
        guard let text = value["message_id"]?.string else { return content }
        guard let target = target(text) else {
            reader.refuse("reaction.message_id", targetWords)
            return nil
        }
        var json = JSONWriter(capacity: value.raw.count)
        json.object {
            for (name, member) in value.members where name != "message_id" { $0.field(name, raw: member.raw) }
        }
        var content = content
        content.json = json.bytes
        // Alone it stands as it is: an object without other members has nothing to be put before.
        if json.bytes.count > 2 {
            content.mention = Mention(.reaction, target)
        } else {
            content.json = Array(value.raw)
        }
        return content
    }

    private static let targetWords =
        "must be the id of a message, sent or received, or a WhatsApp id such as \"wamid.HBgL…\""

    private static func target(_ text: String) -> Mention.Target? {
        guard let id = WhatsAppID(text) else { return nil }
        if text.hasPrefix(WhatsAppID.prefix) { return .known(id) }
        return text.utf8.count == 36 ? .ours(text) : nil
    }
}
