import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// Tokens, apps and accounts: what connecting a number asks about.
struct SandboxOnboarding {
    /// What was set of a token, JSON by field; others are a system user's that never expires.
    private var tokens: [String: [String: [UInt8]]] = [:]
    private var usedCodes: Set<String> = []
    /// Ids of apps by account.
    private var subscribed: [String: [String]] = [:]

    private static let appID = "100000000000003"
    private static let businessID = "100000000000002"

    // MARK: Tokens

    /// Keeps each member of an object as it stands there.
    mutating func set(_ token: String, _ object: JSONValue) {
        for (name, value) in object.members { tokens[token, default: [:]][name] = Array(value.raw) }
    }

    /// It was revoked, or has ended.
    func isOver(_ token: String) -> Bool {
        guard let set = tokens[token] else { return false }
        if set["is_valid"] == Array("false".utf8) { return true }
        let end = set["expires_at"].flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? 0
        return end != 0 && end * 1000 <= wallClockMilliseconds()
    }

    func appID(of token: String) -> String {
        tokens[token]?["app_id"].flatMap { (try? JSONParser().parse($0))?.string } ?? Self.appID
    }

    func debugToken(_ head: RequestHead, _ settings: SandboxSettings) -> HTTPResponse {
        guard let token = head.parameter("input_token"), !token.isEmpty else {
            return graphError(status: 400, code: 100, message: "(#100) The parameter input_token is required")
        }
        let known = settings.token.map { $0 == token } ?? true
        let scopes = #"["whatsapp_business_management","whatsapp_business_messaging"]"#
        let presets: KeyValuePairs<String, String> = [
            "app_id": "\"\(Self.appID)\"", "type": "\"SYSTEM_USER\"", "application": "\"Sandbox App\"",
            "expires_at": "0",
            "scopes": scopes,
            "granular_scopes":
                #"[{"scope":"whatsapp_business_management"},{"scope":"whatsapp_business_messaging"}]"#,
        ]
        return json(200) {
            $0.object("data") {
                for (name, value) in presets { $0.field(name, raw: tokens[token]?[name] ?? Array(value.utf8)) }
                let isValid = known && !isOver(token)
                $0.field("is_valid", isValid)
                guard !isValid else { return }
                $0.object("error") {
                    $0.field("code", Int64(190))
                    $0.field("message", "Error validating access token: it was revoked or has expired.")
                }
            }
        }
    }

    /// A code counts once; the app's secret must be the one webhooks are signed with.
    mutating func exchange(_ head: RequestHead, _ settings: SandboxSettings) -> HTTPResponse {
        guard head.parameter("client_id") != nil, let code = head.parameter("code"), !code.isEmpty else {
            return graphError(status: 400, code: 101, message: "Missing client_id or code parameter.")
        }
        guard head.parameter("client_secret") == settings.appSecret else {
            return graphError(status: 400, code: 1, message: "Error validating client secret.")
        }
        guard usedCodes.insert(code).inserted else {
            return graphError(
                status: 400, code: 100, message: "This authorization code has been used.", subcode: 36_009)
        }
        return json(200) {
            $0.field("access_token", settings.token ?? "sandbox-token-\(code)")
            $0.field("token_type", "bearer")
        }
    }

    // MARK: Accounts

    func subscribed(_ accountID: String) -> HTTPResponse {
        json(200) {
            $0.array("data") { json in
                for app in subscribed[accountID] ?? [] {
                    json.object {
                        $0.object("whatsapp_business_api_data") {
                            $0.field("id", app)
                            $0.field("name", "Sandbox App")
                        }
                    }
                }
            }
        }
    }

    mutating func subscribe(_ accountID: String, app: String, _ hears: Bool) -> HTTPResponse {
        subscribed[accountID, default: []].removeAll { $0 == app }
        if hears { subscribed[accountID, default: []].append(app) }
        return json(200) { $0.field("success", true) }
    }

    var businesses: HTTPResponse { list(Self.businessID, "Sandbox Business") }
    var accounts: HTTPResponse { list(sandboxAccountID, "Sandbox") }
    var none: HTTPResponse { json(200) { $0.array("data") { _ in } } }

    private func list(_ id: String, _ name: String) -> HTTPResponse {
        json(200) {
            $0.array("data") {
                $0.object {
                    $0.field("id", id)
                    $0.field("name", name)
                }
            }
        }
    }
}
