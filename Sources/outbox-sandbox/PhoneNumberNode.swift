import OutboxCore
import OutboxHTTP
import OutboxJSON

/// What is told about business numbers: the same for each, but for what was set.
struct PhoneNumberNodes {
    /// JSON by field, by phone number id.
    private var given: [String: [String: [UInt8]]] = [:]
    private let tierName: String

    /// What Meta tells when no `fields` are asked for.
    private static let usual = ["verified_name", "display_phone_number", "quality_rating"]

    /// `people`: of the messaging limit.
    init(people: Int?) {
        let tier = Tier.allCases.first { $0.people != nil && $0.people == people.map { Int64($0) } }
        tierName = (tier ?? .unlimited).name
    }

    /// Keeps each member of an object as it stands there.
    mutating func set(_ phoneNumberID: String, _ object: JSONValue) {
        for (name, value) in object.members { given[phoneNumberID, default: [:]][name] = Array(value.raw) }
    }

    /// `GET /{version}/{phone number id}?fields=…`: the id and what was asked for; unknown fields are left out.
    func answer(_ phoneNumberID: String, fields: String?) -> HTTPResponse {
        json(200) {
            for name in fields.map(fieldNames) ?? Self.usual where name != "id" {
                guard let value = given[phoneNumberID]?[name] ?? preset(name, phoneNumberID) else { continue }
                $0.field(name, raw: value)
            }
            $0.field("id", phoneNumberID)
        }
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
            case "verified_name": #""Sandbox""#
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
