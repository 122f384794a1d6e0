import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// What a person sends to a business: `POST /sandbox/inbound`, and the marks the business puts on it.
extension Sandbox {
    func inbound(_ body: [UInt8]) -> HTTPResponse {
        func wrong(_ words: String) -> HTTPResponse { graphError(status: 400, code: 100, message: words) }

        guard let value = object(body), let phoneNumberID = value["phoneNumberId"]?.string else {
            return wrong("phoneNumberId is required")
        }
        let from = value["from"]?.string
        let userID = value["userId"]?.string
        let username = value["username"]?.string
        guard from != nil || userID != nil || username != nil else {
            return wrong("from, userId or username is required")
        }
        let nowSeconds = wallClockMilliseconds() / 1000
        let written = value["timestamp"].map { $0.number.flatMap { Int64(exactly: $0.rounded(.down)) } } ?? nowSeconds
        guard let written, (0...nowSeconds + 86_400).contains(written) else {
            return wrong("timestamp must be a number of seconds since 1970")
        }
        for name in ["referral", "context"] where value[name].map({ $0.kind != .object }) ?? false {
            return wrong("\(name) must be an object")
        }
        let type = value["type"]?.string ?? "text"
        let content = value["content"].map { Array($0.raw) } ?? inboundContent(type, text: value["text"]?.string)
        if let person = from.map({ settings.person($0.filter(\.isNumber)) }) ?? userID {
            limits.inboundArrived(
                Pair(phoneNumberID: phoneNumberID, person: person),
                age: UInt64(max(0, nowSeconds - written)) * 1_000_000_000, steadyNanoseconds())
        }
        let wamid = value["id"]?.string ?? "wamid.INBOUND" + String(dice.next(), radix: 36)
        marks.received(wamid)
        webhooks.sendMessages(phoneNumberID) {
            $0.array("contacts") {
                $0.object {
                    $0.object("profile") {
                        $0.field("name", value["name"]?.string ?? "Sandbox")
                        if let username { $0.field("username", username) }
                    }
                    if let from { $0.field("wa_id", from) }
                    if let userID { $0.field("user_id", userID) }
                }
            }
            $0.array("messages") {
                $0.object {
                    if let from { $0.field("from", from) }
                    if let userID { $0.field("from_user_id", userID) }
                    if let group = value["groupId"]?.string { $0.field("group_id", group) }
                    $0.field("id", wamid)
                    $0.field("timestamp", String(written))
                    $0.field("type", type)
                    $0.field(type, raw: content)
                    if type == "unsupported" { writeUnsupported(to: &$0) }
                    for name in ["context", "referral"] {
                        if let member = value[name] { $0.field(name, raw: member.raw) }
                    }
                }
            }
        }
        return json(202) { $0.field("id", wamid) }
    }

    private func writeUnsupported(to json: inout JSONWriter) {
        json.array("errors") {
            $0.object {
                $0.field("code", 131_051)
                $0.field("title", title(131_051))
            }
        }
    }

    // MARK: Marks

    /// `POST /{version}/{phone number id}/messages` with `"status":"read"`.
    func markRead(_ request: HTTPRequest, _ body: JSONValue, phoneNumberID: String, _ exchange: Exchange) {
        let wamid = body["message_id"]?.string
        let typing = body["typing_indicator"]?["type"]?.string
        var refusal = unauthorized(request)
        if refusal == nil, body["messaging_product"]?.string != "whatsapp" {
            refusal = graphError(status: 400, code: 100, message: "The parameter messaging_product is required")
        }
        if refusal == nil, body["typing_indicator"] != nil, typing != "text" {
            refusal = graphError(status: 400, code: 100, message: "typing_indicator.type must be text")
        }
        if refusal == nil, wamid.map({ !marks.isKnown($0) }) ?? true {
            refusal = graphError(status: 400, code: 131_009, message: title(131_009))
        }
        ledger.add(
            Ledger.Entry(
                sequence: 0, at: Timestamp(milliseconds: wallClockMilliseconds()), phoneNumberID: phoneNumberID,
                to: wamid ?? "", type: typing == nil ? "read" : "typing", opaque: nil, wamid: nil,
                outcome: refusal == nil ? "accepted" : "refused", body: request.body))
        if refusal == nil { marks.marked(typing: typing != nil) }
        respond(exchange, refusal ?? json(200) { $0.field("success", true) })
    }
}

/// What a person could have sent, by kind; `{}` for kinds that are not known.
private func inboundContent(_ type: String, text: String?) -> [UInt8] {
    var json = JSONWriter()
    if type == "contacts" {
        return Array(
            #"[{"name":{"formatted_name":"Bo"},"phones":[{"phone":"+1 415 555 0101","wa_id":"14155550101"}]}]"#.utf8)
    }
    json.object {
        switch type {
        case "text", "system": $0.field("body", text ?? "Hello")
        case "image", "video", "audio", "document", "sticker":
            $0.field("id", "9001")
            $0.field("mime_type", mimeTypes[type])
            $0.field("sha256", "c2FuZGJveA==")
            if let text, type != "audio", type != "sticker" { $0.field("caption", text) }
            if type == "document" { $0.field("filename", "file.pdf") }
            if type == "audio" { $0.field("voice", true) }
        case "location":
            $0.field("latitude", number: 37.4847)
            $0.field("longitude", number: -122.1484)
            $0.field("name", text ?? "Here")
        case "button":
            $0.field("payload", "yes")
            $0.field("text", text ?? "Yes")
        case "interactive":
            $0.field("type", "button_reply")
            $0.object("button_reply") {
                $0.field("id", "yes")
                $0.field("title", text ?? "Yes")
            }
        case "reaction":
            $0.field("message_id", "wamid.SANDBOX")
            $0.field("emoji", text ?? "\u{1F44D}")
        case "order":
            $0.field("catalog_id", "7001")
            $0.field("text", text ?? "")
            $0.array("product_items") {
                $0.object {
                    $0.field("product_retailer_id", "sku-1")
                    $0.field("quantity", 1)
                    $0.field("item_price", 10)
                    $0.field("currency", "USD")
                }
            }
        case "edit", "revoke": $0.field("original_message_id", "wamid.SANDBOX")
        case "unsupported": $0.field("type", "unknown")
        default: break
        }
    }
    return json.bytes
}

private let mimeTypes = [
    "image": "image/jpeg", "video": "video/mp4", "audio": "audio/ogg; codecs=opus", "document": "application/pdf",
    "sticker": "image/webp",
]

/// The messages people sent, which can be marked as read.
struct ReadMarks {
    private static let rememberedMin = 100_000
    private var ids: Set<String> = []
    private var olderIDs: Set<String> = []
    private(set) var read = 0
    private(set) var typing = 0

    mutating func received(_ wamid: String) {
        if ids.count >= Self.rememberedMin {
            olderIDs = ids
            ids = []
        }
        ids.insert(wamid)
    }

    func isKnown(_ wamid: String) -> Bool { ids.contains(wamid) || olderIDs.contains(wamid) }

    mutating func marked(typing isTyping: Bool) {
        read += 1
        if isTyping { typing += 1 }
    }
}
