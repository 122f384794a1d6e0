import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// How CallMissed says no (docs.callmissed.com, "WhatsApp API", Error shape).
extension CallMissed {
    /// Before the name of a parameter.
    static let query = "?"

    static func refusal(_ error: APIError) -> HTTPResponse {
        let status = status(of: error)
        var response = HTTPResponse.json(status) { json in
            guard error.code == .validation, !error.details.isEmpty else {
                return json.field("detail", sentence(error))
            }
            json.array("detail") { for detail in error.details { write(detail, to: &$0) } }
        }
        response.headers += HTTPResponse.error(error).passedHeaders
        return response
    }

    private static func status(of error: APIError) -> Int {
        switch error.code {
        case .validation, .windowClosed: 422
        // Meta's own word on how it went is kept: 429, and 5xx.
        case .metaRefused where error.status < 429: 422
        case .lineStopped: 409
        default: error.status
        }
    }

    private static func sentence(_ error: APIError) -> String {
        switch error.code {
        case .windowClosed:
            return "The 24-hour customer service window is closed. Send a template message instead, or wait for the "
                + "user to message you."
        case .forbidden:
            guard let role = error.needs else { return error.message }
            return "API key missing required scope: \(CallMissedCall.scope(role)). It takes a key with the role "
                + "\(role.name): outboxctl key add NAME --role \(role.name) --prefix cm_"
        case .optedOut: return "recipient_opted_out: \(error.message)"
        default:
            let remedy = error.details.first { $0.field == "remedy" } ?? error.details.first
            return error.message + (remedy.map { "; \($0.field == "remedy" ? "" : "\($0.field) ")\($0.message)" } ?? "")
        }
    }

    private static func write(_ detail: FieldError, to json: inout JSONWriter) {
        json.object { json in
            json.field("type", detail.message.hasPrefix("is missing") ? "missing" : "value_error")
            json.array("loc") { json in
                guard !detail.field.hasPrefix(query) else {
                    json.value("query")
                    return json.value(String(detail.field.dropFirst(query.count)))
                }
                json.value("body")
                guard detail.field != "body" else { return }
                for part in place(detail.field) {
                    if Int(part) == nil { json.value(part) } else { json.value(raw: part.utf8) }
                }
            }
            json.field("msg", detail.message)
            json.field("input", nil as String?)
        }
    }

    /// `recipients[3].to` is recipients, 3, to_phone.
    private static func place(_ field: String) -> [String] {
        let parts = theirs(field).split { ".[]".contains($0) }.map(String.init)
        // What is a file's in ours stands beside `to` in theirs.
        guard parts.count > 1, ["image", "document", "audio", "video", "sticker"].contains(parts[0]) else {
            return parts
        }
        return parts.dropFirst().map { ["id", "media"].contains($0) ? "media_id" : $0 }
    }

    private static let names: KeyValuePairs = [
        "message": "text", "previewUrl": "preview_url", "template.name": "template", "template.language": "language",
        "line": "phone_number_id", "phoneNumberId": "phone_number_id", "wabaId": "waba_id", "appId": "app_id",
        "token": "access_token", "bot": "bot_id",
    ]

    private static func theirs(_ field: String) -> String {
        if let name = names.first(where: { $0.key == field }) { return name.value }
        return field.hasPrefix("template.components") ? String(field.dropFirst("template.".count)) : field
    }
}
