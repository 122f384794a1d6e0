import OutboxCore
import OutboxHTTP
import OutboxJSON

/// What is told about business numbers: the same for each, but for what was set.
struct PhoneNumberNodes {
    /// JSON by field, by phone number id.
    private var given: [String: [String: [UInt8]]] = [:]
    private let tierName: String
    /// Asked about or set, in that order.
    private var seen: [String] = []

    /// What an account has before any other number was asked about.
    private static let first = "106540352242922"

    /// What Meta tells when no `fields` are asked for.
    private static let usual = ["verified_name", "display_phone_number", "quality_rating"]

    /// `people`: of the messaging limit.
    init(people: Int?) {
        let tier = Tier.allCases.first { $0.people != nil && $0.people == people.map { Int64($0) } }
        tierName = (tier ?? .unlimited).name
    }

    /// Keeps each member of an object as it stands there.
    mutating func set(_ phoneNumberID: String, _ object: JSONValue) {
        see(phoneNumberID)
        for (name, value) in object.members { given[phoneNumberID, default: [:]][name] = Array(value.raw) }
    }

    /// `GET /{version}/{phone number id}?fields=…`: the id and what was asked for; unknown fields are left out.
    mutating func answer(_ phoneNumberID: String, fields: String?) -> HTTPResponse {
        // An account is asked for its name alone.
        if fields?.contains("display_phone_number") ?? false { see(phoneNumberID) }
        return json(200) {
            for name in fields.map(fieldNames) ?? Self.usual where name != "id" {
                guard let value = given[phoneNumberID]?[name] ?? preset(name, phoneNumberID) else { continue }
                $0.field(name, raw: value)
            }
            $0.field("id", phoneNumberID)
        }
    }

    private mutating func see(_ phoneNumberID: String) {
        if !seen.contains(phoneNumberID) { seen.append(phoneNumberID) }
    }

    /// `GET /{version}/{account id}/phone_numbers?fields=…`: all that are known, whatever the account.
    func list(_ head: RequestHead) -> HTTPResponse {
        let fields = head.parameter("fields").map(fieldNames) ?? Self.usual
        return json(200) {
            $0.array("data") { json in
                for id in seen.isEmpty ? [Self.first] : seen {
                    json.object {
                        for name in fields where name != "id" {
                            guard let value = given[id]?[name] ?? preset(name, id) else { continue }
                            $0.field(name, raw: value)
                        }
                        $0.field("id", id)
                    }
                }
            }
        }
    }

    /// `pin`, once set, is the only one that is right.
    mutating func register(_ phoneNumberID: String, pin: String) -> HTTPResponse {
        let quoted = Array("\"\(pin)\"".utf8)
        if let right = given[phoneNumberID]?["pin"], right != quoted {
            return graphError(status: 400, code: 133_005, message: title(133_005))
        }
        given[phoneNumberID, default: [:]]["pin"] = quoted
        given[phoneNumberID]?["status"] = nil
        given[phoneNumberID]?["platform_type"] = nil
        return json(200) { $0.field("success", true) }
    }

    mutating func deregister(_ phoneNumberID: String) -> HTTPResponse {
        given[phoneNumberID, default: [:]]["status"] = Array(#""DISCONNECTED""#.utf8)
        given[phoneNumberID]?["platform_type"] = Array(#""NOT_APPLICABLE""#.utf8)
        return json(200) { $0.field("success", true) }
    }

    /// With `"message_history":false` a number offers none.
    func historyRefusal(_ phoneNumberID: String) -> HTTPResponse? {
        guard given[phoneNumberID]?["message_history"].map({ $0 == Array("false".utf8) }) ?? false else { return nil }
        return graphError(status: 403, code: 10, message: title(10))
    }

    private func preset(_ name: String, _ phoneNumberID: String) -> [UInt8]? {
        let text: String? =
            switch name {
            case "display_phone_number": #""+1 555-010-0000""#
            case "verified_name", "name": #""Sandbox""#
            case "status": #""CONNECTED""#
            case "quality_rating": #""GREEN""#
            case "throughput": #"{"level":"STANDARD"}"#
            case "code_verification_status": #""VERIFIED""#
            case "name_status": #""APPROVED""#
            case "platform_type": #""CLOUD_API""#
            case "account_mode": #""LIVE""#
            case "whatsapp_business_manager_messaging_limit": "\"\(tierName)\""
            default: nil
            }
        return name == "health_status" ? health(phoneNumberID) : text.map { Array($0.utf8) }
    }

    /// Meta's nodes involved in a send, all of them well.
    private func health(_ phoneNumberID: String) -> [UInt8] {
        let nodes = [
            ("PHONE_NUMBER", phoneNumberID), ("WABA", sandboxAccountID), ("BUSINESS", "100000000000002"),
            ("APP", "100000000000003"),
        ]
        var json = JSONWriter()
        json.object {
            $0.field("can_send_message", "AVAILABLE")
            $0.array("entities") {
                for (type, id) in nodes {
                    $0.object {
                        $0.field("entity_type", type)
                        $0.field("id", id)
                        $0.field("can_send_message", "AVAILABLE")
                    }
                }
            }
        }
        return json.bytes
    }
}
