package import OutboxCore
package import OutboxJSON

/// What somebody with a shared inbox link writes: `{"text": "…"}`, `{"media": {"kind", "id", "caption", "filename"}}`,
/// `{"template": {…}}` as a message has it, or `{"advanced": {"location": {…}}}` with one of Meta's other kinds.
package struct InboxContent: Equatable, Sendable {
    /// Of a message of ours.
    package var field: String
    package var json: [UInt8]
    package var permission: InboxPermissions

    private static let fields = ["text", "media", "template", "advanced"]
    private static let files = ["image", "video", "audio", "voice", "document", "sticker"]
    private static let others = ["location", "contacts", "reaction", "interactive"]

    package static func read(_ value: JSONValue) throws(APIError) -> InboxContent {
        var reader = ObjectReader(value, path: "", known: fields)
        guard reader.errors.isEmpty, reader.names.count == 1, let field = reader.names.first, let given = reader[field]
        else {
            if reader.errors.isEmpty { reader.refuse("text", "or media, template or advanced: give one of them") }
            throw .validation(reader.errors)
        }
        switch field {
        case "text":
            guard reader.string("text") != nil else { throw .validation(reader.errors) }
            return InboxContent(field: "message", json: Array(given.raw), permission: .sendText)
        case "media": return try media(given)
        case "template": return InboxContent(field: "template", json: Array(given.raw), permission: .sendTemplates)
        default:
            let members = given.kind == .object ? given.members.map { $0 } : []
            guard members.count == 1, let member = members.first, others.contains(member.name) else {
                throw .validation([
                    FieldError("advanced", "must be an object with one of \(others.joined(separator: ", "))")
                ])
            }
            return InboxContent(field: member.name, json: Array(member.value.raw), permission: .sendAdvanced)
        }
    }

    /// A file that was handed in here: nobody names one of Meta's, or of another server.
    private static func media(_ value: JSONValue) throws(APIError) -> InboxContent {
        var reader = ObjectReader(value, path: "media.", known: ["kind", "id", "caption", "filename"])
        let kind = reader.choice("kind", { files.contains($0) ? $0 : nil }, files)
        if kind == nil, reader["kind"] == nil, value.kind == .object { reader.refuse("kind", "is missing") }
        let id = reader.requiredString("id", example: "\"0197…\"")
        let caption = reader.string("caption")
        let filename = reader.string("filename")
        guard reader.errors.isEmpty, let kind, let id else { throw .validation(reader.errors) }
        var json = JSONWriter()
        json.object {
            $0.field("media", id)
            if let caption { $0.field("caption", caption) }
            if let filename, kind == "document" { $0.field("filename", filename) }
        }
        return InboxContent(field: kind, json: json.bytes, permission: .sendMedia)
    }
}
