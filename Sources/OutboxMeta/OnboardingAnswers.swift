package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

/// What Meta says of a token.
package struct TokenFacts: Equatable, Sendable {
    package var isValid: Bool
    /// Nil: it does not expire.
    package var expiresAt: Timestamp?
    package var scopes: [String]
    /// `SYSTEM_USER`, `USER`, …
    package var type: String?
    package var appID: String?
    package var appName: String?
    /// Accounts the token is for, where it is not for all its user may use.
    package var wabaIDs: [String]
    /// Why it is not valid.
    package var problem: String?

    /// What sending and looking after templates takes.
    package static let needed = ["whatsapp_business_messaging", "whatsapp_business_management"]
}

/// Reads the answer to `GraphEndpoint.debugToken`:
///
///     {"data": {"app_id": "1", "type": "SYSTEM_USER", "application": "Shop", "expires_at": 0, "is_valid": true,
///               "scopes": ["whatsapp_business_messaging"], "granular_scopes": [{"scope": "…", "target_ids": ["102"]}]}}
///
/// `expires_at` is 0 for one that never does.
package func tokenFacts(of result: HTTPResult, parser: JSONParser) -> Reading<TokenFacts> {
    reading(of: result, parser: parser) { json in
        guard let data = json["data"], let isValid = data["is_valid"]?.bool else { return nil }
        let granular = data.items("granular_scopes").filter {
            $0["scope"]?.string?.hasPrefix("whatsapp_business") ?? false
        }
        var accounts: [String] = []
        for id in granular.flatMap({ $0.items("target_ids").compactMap(\.identifier) }) where !accounts.contains(id) {
            accounts.append(id)
        }
        let expiry = data["expires_at"]?.moment
        return TokenFacts(
            isValid: isValid, expiresAt: expiry.flatMap { $0.milliseconds == 0 ? nil : $0 },
            scopes: data.items("scopes").compactMap(\.string), type: data["type"]?.words,
            appID: data["app_id"]?.identifier, appName: data["application"]?.words, wabaIDs: accounts,
            problem: data["error"]?["message"]?.words)
    }
}

/// A number of an account, as Meta lists it.
package struct ListedNumber: Equatable, Sendable {
    package var id: String
    package var displayPhoneNumber: String?
    package var verifiedName: String?
    package var status: LineStatus
    package var quality: QualityRating
    /// `APPROVED`, `PENDING_REVIEW`, …
    package var nameStatus: String?
    package var tier: Tier?
}

package struct NumberPage: Equatable, Sendable {
    package var numbers: [ListedNumber]
    package var after: String?
}

/// Reads the answer to `GraphEndpoint.phoneNumbers`.
package func numberPage(of result: HTTPResult, parser: JSONParser) -> Reading<NumberPage> {
    reading(of: result, parser: parser) { json in
        guard let data = json["data"], data.kind == .array else { return nil }
        let numbers = data.elements.compactMap { number -> ListedNumber? in
            guard let id = number["id"]?.identifier else { return nil }
            return ListedNumber(
                id: id, displayPhoneNumber: number["display_phone_number"]?.words,
                verifiedName: number["verified_name"]?.words,
                status: LineStatus.of(
                    status: number["status"]?.words, codeVerificationStatus: number["code_verification_status"]?.words,
                    platformType: number["platform_type"]?.words, canSend: nil),
                quality: QualityRating(name: number["quality_rating"]?.string ?? ""),
                nameStatus: number["name_status"]?.words,
                tier: number["whatsapp_business_manager_messaging_limit"]?.tier)
        }
        return NumberPage(numbers: numbers, after: json.nextPage)
    }
}

/// Something Meta names: a portfolio, an account, an app.
package struct NamedNode: Equatable, Sendable {
    package var id: String
    package var name: String?

    package init(id: String, name: String? = nil) {
        self.id = id
        self.name = name
    }
}

/// Reads a list of nodes; apps that are subscribed stand one level below, under `whatsapp_business_api_data`.
package func nodes(of result: HTTPResult, parser: JSONParser) -> Reading<[NamedNode]> {
    reading(of: result, parser: parser) { json in
        guard let data = json["data"], data.kind == .array else { return nil }
        return data.elements.compactMap { item in
            let node = item["whatsapp_business_api_data"] ?? item
            return node["id"]?.identifier.map { NamedNode(id: $0, name: node["name"]?.words) }
        }
    }
}

package func node(of result: HTTPResult, parser: JSONParser) -> Reading<NamedNode> {
    reading(of: result, parser: parser) { json in
        json["id"]?.identifier.map { NamedNode(id: $0, name: json["name"]?.words) }
    }
}

/// Reads the answer to `GraphEndpoint.exchange`: `{"access_token": "…", "token_type": "bearer"}`
package func exchangedToken(of result: HTTPResult, parser: JSONParser) -> Reading<String> {
    reading(of: result, parser: parser) { $0["access_token"]?.words }
}
