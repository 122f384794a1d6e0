import OutboxCore
package import OutboxHTTP
import OutboxJSON

/// Connecting numbers (Meta's pages "Registration", "Embedded Signup", "Debug-Token").
extension GraphEndpoint {
    /// `GET /{version}/debug_token?input_token=…`: what a token is and how long it lives. A token may ask about itself.
    package func debugToken(_ token: String, timeout: Duration) -> OutgoingRequest {
        get("debug_token?input_token=\(percentEncoded(token))", token: token, timeout: timeout)
    }

    /// `GET /{version}/oauth/access_token?client_id=…&client_secret=…&code=…`: the token for an Embedded Signup code,
    /// which lives 30 seconds. `redirectURI` is the one the code was asked for with, where there was one.
    package func exchange(
        code: String, appID: String, secret: String, redirectURI: String?, timeout: Duration
    ) -> OutgoingRequest {
        let redirect = redirectURI.map { "&redirect_uri=\(percentEncoded($0))" } ?? ""
        return OutgoingRequest(
            method: "GET",
            url: "\(baseURL)/\(version)/oauth/access_token?client_id=\(percentEncoded(appID))"
                + "&client_secret=\(percentEncoded(secret))&code=\(percentEncoded(code))\(redirect)",
            timeout: timeout)
    }

    /// `POST /{version}/{phone number id}/register`: with the number's PIN of six digits, or to set one.
    package func register(phoneNumberID: String, pin: String, token: String, timeout: Duration) -> OutgoingRequest {
        var body = JSONWriter()
        body.object {
            $0.field("messaging_product", "whatsapp")
            $0.field("pin", pin)
        }
        return post("\(phoneNumberID)/register", body: body.bytes, token: token, timeout: timeout)
    }

    /// `POST /{version}/{account id}/subscribed_apps`: the token's app is told of the account's news by webhook.
    package func subscribe(wabaID: String, token: String, timeout: Duration) -> OutgoingRequest {
        post("\(wabaID)/subscribed_apps", body: Array("{}".utf8), token: token, timeout: timeout)
    }

    /// `GET /{version}/{account id}/subscribed_apps`
    package func subscribedApps(wabaID: String, token: String, timeout: Duration) -> OutgoingRequest {
        get("\(wabaID)/subscribed_apps", token: token, timeout: timeout)
    }

    /// `GET /{version}/{account id}?fields=…`
    package func account(wabaID: String, token: String, timeout: Duration) -> OutgoingRequest {
        get("\(wabaID)?fields=id,name", token: token, timeout: timeout)
    }

    /// `GET /{version}/{account id}/phone_numbers?fields=…`
    package func phoneNumbers(wabaID: String, token: String, after: String?, timeout: Duration) -> OutgoingRequest {
        let fields =
            "id,display_phone_number,verified_name,status,quality_rating,name_status,code_verification_status,"
            + "platform_type,whatsapp_business_manager_messaging_limit"
        let next = after.map { "&after=\(percentEncoded($0))" } ?? ""
        return get("\(wabaID)/phone_numbers?fields=\(fields)&limit=100\(next)", token: token, timeout: timeout)
    }

    /// `GET /{version}/me/businesses`: the portfolios of whoever the token is.
    package func businesses(token: String, timeout: Duration) -> OutgoingRequest {
        get("me/businesses?fields=id,name&limit=100", token: token, timeout: timeout)
    }

    /// `GET /{version}/{business id}/owned_whatsapp_business_accounts`, or those of its clients.
    package func accounts(
        ofBusiness id: String, clients: Bool, token: String, timeout: Duration
    ) -> OutgoingRequest {
        let edge = clients ? "client_whatsapp_business_accounts" : "owned_whatsapp_business_accounts"
        return get("\(id)/\(edge)?fields=id,name&limit=100", token: token, timeout: timeout)
    }
}
