package import OutboxJSON
import OutboxMeta

/// A message in the body of one of CallMissed's calls, as `POST /v1/messages` takes it.
///
/// Its fields are those of CallMissed's list of calls; the names its pages "Sending Messages" have for some of them
/// (`template_name`, `language_code`, `kind`, `interactive_type` and what belongs to it) are known, too.
package struct CallMissedMessage: Sendable {
    package enum Kind: Equatable, Sendable {
        case text, template, media, interactive
    }

    /// Names the number it leaves from.
    package var number: String
    package private(set) var to: String
    private var previewURL: Bool?
    /// The field of ours that holds the content.
    private var field = ""
    private var content: [UInt8] = []

    /// The body of `POST /v1/messages`.
    package func body(line: String) -> [UInt8] {
        var json = JSONWriter(capacity: content.count + 128)
        json.object {
            $0.field("line", line)
            $0.field("to", to)
            $0.field(field, raw: content)
            if let previewURL { $0.field("previewUrl", previewURL) }
        }
        return json.bytes
    }

    package static func read(_ kind: Kind, _ value: JSONValue) throws(APIError) -> CallMissedMessage {
        var reader = ObjectReader(value, path: "", known: CallMissedNumber.fields + ["to"] + fields(of: kind))
        guard value.kind == .object else { throw .validation(reader.errors) }
        var message = CallMissedMessage(number: "", to: "")
        let number = CallMissedNumber.read(&reader)
        let to = reader.requiredString("to", example: "\"+14155552671\"")
        var lacking: String?
        switch kind {
        case .text: message.takeText(&reader)
        case .template: message.takeTemplate(&reader)
        case .media: message.takeMedia(&reader)
        case .interactive: lacking = message.takeInteractive(&reader)
        }
        guard reader.errors.isEmpty, let to else { throw .validation(reader.errors) }
        if let lacking { throw APIError(.malformed, lacking) }
        message.number = try CallMissedNumber.required(number)
        message.to = to
        return message
    }

    private static func fields(of kind: Kind) -> [String] {
        switch kind {
        case .text: ["text", "preview_url"]
        case .template: ["template", "template_name", "language", "language_code", "components"]
        case .media: ["type", "kind", "media_id", "link", "caption", "filename"]
        case .interactive:
            [
                "interactive", "interactive_type", "body_text", "footer_text", "header", "buttons", "button_text",
                "sections", "button_url", "flow_cta", "flow_id", "flow_name", "flow_action", "flow_action_payload",
                "flow_token", "flow_mode",
            ]
        }
    }

    private mutating func take(_ name: String, _ body: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        json.object(nil, body)
        field = name
        content = json.bytes
    }

    // MARK: Kinds

    private mutating func takeText(_ reader: inout ObjectReader) {
        _ = reader.requiredString("text", example: "\"Your order shipped\"")
        previewURL = reader.bool("preview_url")
        field = "message"
        content = reader["text"].map { Array($0.raw) } ?? []
    }

    private mutating func takeTemplate(_ reader: inout ObjectReader) {
        let name = reader.oneString("template", "template_name", example: "\"order_shipped\"")
        let language = reader.string("language") ?? reader.string("language_code") ?? "en_US"
        let components = reader["components"]
        take("template") {
            $0.field("name", name)
            $0.field("language", language)
            if let components { $0.field("components", raw: components.raw) }
        }
    }

    private static let kinds = ["image", "document", "audio", "video", "sticker"]

    private mutating func takeMedia(_ reader: inout ObjectReader) {
        let given = reader.oneString("type", "kind", example: "\"image\"")
        if let given, !Self.kinds.contains(given) {
            reader.refuse(
                reader["type"] == nil ? "kind" : "type", "must be one of \(Self.kinds.joined(separator: ", "))")
        }
        let kind = given ?? ""
        let id = reader.string("media_id")
        let link = reader.string("link")
        // Where its table says "string | link", either may stand.
        let isLink = id.map { $0.hasPrefix("https://") || $0.hasPrefix("http://") } ?? true
        if id != nil, link != nil {
            reader.refuse("link", "and media_id exclude each other: give one of them")
        } else if id == nil, link == nil {
            reader.refuse("media_id", "is missing: give what POST /api/v1/whatsapp/media answered, or link")
        }
        let (caption, filename) = (reader.string("caption"), reader.string("filename"))
        take(kind) {
            $0.field(isLink ? "link" : id.map(isMediaID) ?? false ? mediaField : "id", id ?? link)
            // Passed over elsewhere, as its document has it.
            if ["image", "document", "video"].contains(kind), let caption { $0.field("caption", caption) }
            if kind == "document", let filename { $0.field("filename", filename) }
        }
    }

    /// Meta's object as it stands, or made of its own fields. Answers what such a kind lacks.
    private mutating func takeInteractive(_ reader: inout ObjectReader) -> String? {
        if let object = reader["interactive"] {
            if let other = reader.names.first(where: { Self.fields(of: .interactive).dropFirst().contains($0) }) {
                reader.refuse(other, "and interactive exclude each other: give one of them")
            }
            field = "interactive"
            content = Array(object.raw)
            return nil
        }
        let words = ["button", "list", "cta_url", "flow"]
        guard let type = reader.string("interactive_type") else {
            reader.refuse("interactive", "is missing: give Meta's object, or interactive_type with what belongs to it")
            return nil
        }
        guard words.contains(type) else {
            reader.refuse("interactive_type", "must be one of \(words.joined(separator: ", "))")
            return nil
        }
        let text = reader.requiredString("body_text", example: "\"Is someone home?\"")
        let footer = reader.string("footer_text")
        let action = CallMissedAction(type, &reader)
        let header = reader["header"]
        take("interactive") {
            $0.field("type", type)
            if let header { $0.field("header", raw: header.raw) }
            $0.object("body") { $0.field("text", text) }
            if let footer { $0.object("footer") { $0.field("text", footer) } }
            $0.field("action", raw: action.json)
        }
        return action.lacking.isEmpty
            ? nil : "\(action.lacking.joined(separator: ", ")): needed for interactive_type \(type)"
    }
}

/// Meta's `action` out of what belongs to an `interactive_type`.
private struct CallMissedAction {
    var json: [UInt8] = []
    var lacking: [String] = []

    init(_ type: String, _ reader: inout ObjectReader) {
        var writer = JSONWriter()
        switch type {
        case "button":
            let buttons = need("buttons", reader)
            writer.object { json in
                json.array("buttons") { json in
                    for button in buttons?.elements.map({ $0 }) ?? [] {
                        json.object {
                            $0.field("type", "reply")
                            $0.field("reply", raw: button.raw)
                        }
                    }
                }
            }
        case "list":
            let (text, sections) = (need("button_text", reader), need("sections", reader))
            writer.object {
                $0.field("button", raw: text?.raw)
                $0.field("sections", raw: sections?.raw)
            }
        case "cta_url":
            let (text, url) = (need("button_text", reader), need("button_url", reader))
            writer.object {
                $0.field("name", type)
                $0.object("parameters") {
                    $0.field("display_text", raw: text?.raw)
                    $0.field("url", raw: url?.raw)
                }
            }
        default: flow(reader, to: &writer)
        }
        json = writer.bytes
    }

    private mutating func need(_ name: String, _ reader: ObjectReader) -> JSONValue? {
        let value = reader[name]
        if value == nil { lacking.append(name) }
        return value
    }

    private mutating func flow(_ reader: ObjectReader, to writer: inout JSONWriter) {
        let cta = need("flow_cta", reader)
        if (reader["flow_id"] == nil) == (reader["flow_name"] == nil) { lacking.append("one of flow_id and flow_name") }
        let action = reader["flow_action"]?.string ?? "navigate"
        if action == "navigate", reader["flow_action_payload"]?["screen"]?.string == nil {
            lacking.append("flow_action_payload.screen")
        }
        writer.object {
            $0.field("name", "flow")
            $0.object("parameters") {
                $0.field("flow_message_version", "3")
                $0.field("flow_cta", raw: cta?.raw)
                $0.field("flow_action", action)
                for name in ["flow_id", "flow_name", "flow_action_payload", "flow_token"] {
                    if let value = reader[name] { $0.field(name, raw: value.raw) }
                }
                if let mode = reader["flow_mode"] { $0.field("mode", raw: mode.raw) }
            }
        }
    }
}
