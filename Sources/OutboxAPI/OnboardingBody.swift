package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/lines/{line}/register`: `{"pin": "123456"}`
package struct RegisterBody: Equatable, Sendable {
    /// Six digits: the number's two-step verification, or what it shall be from now on.
    package var pin: String

    package static func read(_ value: JSONValue) throws(APIError) -> RegisterBody {
        var reader = ObjectReader(value, path: "", known: ["pin"])
        let pin = reader.requiredString("pin", example: "\"123456\"")
        if let pin, pin.utf8.count != 6 || !pin.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            reader.refuse("pin", "must be six digits")
        }
        guard reader.errors.isEmpty, let pin else { throw .validation(reader.errors) }
        return RegisterBody(pin: pin)
    }
}

/// The body of `POST /v1/onboarding/numbers`.
package struct NumbersBody: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
        case token(String)
        /// Its token.
        case line(String)
    }

    package var source: Source
    /// Of this account alone.
    package var wabaID: String?

    package static func read(_ value: JSONValue) throws(APIError) -> NumbersBody {
        var reader = ObjectReader(value, path: "", known: ["token", "line", "wabaId"])
        let token = reader.string("token")
        let line = reader.string("line")
        let waba = LineBody.metaID(&reader, "wabaId", required: false)
        if let token, !LineBody.isToken(token) {
            reader.refuse("token", "must be 1 to 4096 printable characters without spaces")
        }
        if token != nil, line != nil {
            reader.refuse("line", "and token exclude each other: give one of them")
        } else if token == nil, line == nil, reader.errors.isEmpty {
            reader.refuse("token", "is missing: give Meta's access token, or line, whose token is taken")
        }
        guard reader.errors.isEmpty, let source = token.map(Source.token) ?? line.map(Source.line) else {
            throw .validation(reader.errors)
        }
        return NumbersBody(source: source, wabaID: waba)
    }
}

/// The body of `POST /v1/onboarding/exchange`: what Embedded Signup hands to the page that began it.
package struct ExchangeBody: Equatable, Sendable {
    package var code: String
    /// Nil: what the secret `app.NAME.id` holds.
    package var appID: String?
    /// Whose secret is taken: `app.NAME.secret`.
    package var app: String
    /// The line to make, or to give another token.
    package var line: String
    package var phoneNumberID: String
    /// Nil: the one of the token's accounts that has the number.
    package var wabaID: String?
    package var redirectURI: String?

    package init(
        code: String, appID: String?, app: String, line: String, phoneNumberID: String, wabaID: String?,
        redirectURI: String? = nil
    ) {
        self.code = code
        self.appID = appID
        self.app = app
        self.line = line
        self.phoneNumberID = phoneNumberID
        self.wabaID = wabaID
        self.redirectURI = redirectURI
    }

    package static func read(_ value: JSONValue) throws(APIError) -> ExchangeBody {
        let known = ["code", "appId", "app", "line", "phoneNumberId", "wabaId", "redirectUri"]
        var reader = ObjectReader(value, path: "", known: known)
        let code = reader.requiredString("code", example: "\"AQD…\"")
        if let code, !LineBody.isToken(code) {
            reader.refuse("code", "must be 1 to 4096 printable characters without spaces")
        }
        let appID = LineBody.metaID(&reader, "appId", required: false)
        let app = reader.string("app") ?? "default"
        if !isLineName(app) { reader.refuse("app", "must be an app's name here: 1 to 64 of a-z, A-Z, 0-9, _ and -") }
        let line = reader.requiredString("line", example: "\"main\"")
        if let line, !isLineName(line) { reader.refuse("line", lineNameRule) }
        let number = LineBody.metaID(&reader, "phoneNumberId", required: true)
        let waba = LineBody.metaID(&reader, "wabaId", required: false)
        let redirect = reader.string("redirectUri")
        guard reader.errors.isEmpty, let code, let line, let number else {
            throw .validation(reader.errors)
        }
        return ExchangeBody(
            code: code, appID: appID, app: app, line: line, phoneNumberID: number, wabaID: waba, redirectURI: redirect)
    }
}

/// The body of `POST /v1/lines/{line}/templates/{name}/{language}/preview`: `{"components": […]}`, as a message has them.
package struct PreviewBody: Sendable {
    package var components: JSONValue?

    package static func read(_ value: JSONValue) throws(APIError) -> PreviewBody {
        var reader = ObjectReader(value, path: "", known: ["components"])
        let components = reader["components"]
        if let components, components.kind != .array { reader.refuse("components", "must be an array") }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return PreviewBody(components: components)
    }
}

extension TokenHealth {
    /// Under `token` of a line's health.
    package func write(to json: inout JSONWriter, name: String? = nil) {
        json.object(name) {
            $0.field("state", state.name)
            $0.field("expiresAt", expiresAt?.rfc3339)
            $0.field("checkedAt", checkedAt.rfc3339)
            $0.field("reason", reason)
        }
    }
}

/// What the page behind an onboarding link tells of an Embedded Signup that came to its end.
package struct SignupBody: Equatable, Sendable {
    package var code: String
    package var phoneNumberID: String
    package var wabaID: String

    package static func read(_ value: JSONValue) throws(APIError) -> SignupBody {
        var reader = ObjectReader(value, path: "", known: ["code", "phoneNumberId", "wabaId"])
        let code = reader.requiredString("code", example: "\"AQD…\"")
        if let code, !LineBody.isToken(code) {
            reader.refuse("code", "must be 1 to 4096 printable characters without spaces")
        }
        let number = LineBody.metaID(&reader, "phoneNumberId", required: true)
        let waba = LineBody.metaID(&reader, "wabaId", required: true)
        guard reader.errors.isEmpty, let code, let number, let waba else { throw .validation(reader.errors) }
        return SignupBody(code: code, phoneNumberID: number, wabaID: waba)
    }
}
