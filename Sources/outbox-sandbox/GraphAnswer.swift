import OutboxHTTP
import OutboxJSON
import OutboxMeta

/// The WhatsApp business account all numbers belong to.
let sandboxAccountID = "100000000000001"

let jsonHeaders = [HTTPHeader("content-type", "application/json")]

func json(_ status: Int, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
    var json = JSONWriter()
    json.object(nil, body)
    return HTTPResponse(status: status, headers: jsonHeaders, body: json.bytes)
}

/// The shape of Meta's error bodies. `details` say what is wrong in this case; without them the message does.
/// Of templates the subcode and the words for the user tell more.
func graphError(
    status: Int, code: Int64, message: String, details: String? = nil, subcode: Int64? = nil,
    userMessage: String? = nil
) -> HTTPResponse {
    json(status) {
        $0.object("error") {
            $0.field("message", "(#\(code)) \(message)")
            $0.field("type", "OAuthException")
            $0.field("code", code)
            $0.object("error_data") {
                $0.field("messaging_product", "whatsapp")
                $0.field("details", details ?? message)
            }
            if let subcode { $0.field("error_subcode", subcode) }
            if let userMessage { $0.field("error_user_msg", userMessage) }
            $0.field("fbtrace_id", "sandbox")
        }
    }
}

func title(_ code: Int64) -> String { MetaError.of(code)?.title ?? registrationErrors[code]?.title ?? "Unknown error" }

/// The names in `fields=id,throughput,health_status{can_send_message}`; what stands in braces, the fields of a field,
/// is not heard.
func fieldNames(_ text: String) -> [String] {
    var names = [""]
    var depth = 0
    for character in text where character != " " {
        switch character {
        case "{": depth += 1
        case "}": depth -= 1
        case ",": if depth == 0 { names.append("") }
        default: if depth == 0 { names[names.count - 1].append(character) }
        }
    }
    return names.filter { !$0.isEmpty }
}
