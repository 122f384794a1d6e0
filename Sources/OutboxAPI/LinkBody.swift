package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/onboarding-links`.
package struct OnboardingLinkBody: Equatable, Sendable {
    package var name: String
    package var redirectURL: String?
    /// Of the key that is made in the end.
    package var role: Role
    package var expiresAt: Timestamp

    package static func read(_ value: JSONValue, now: Timestamp) throws(APIError) -> OnboardingLinkBody {
        var reader = ObjectReader(value, path: "", known: ["name", "redirectUrl", "role", "expiresAt"])
        let name = LinkFields.name(&reader, isNeeded: true)
        let redirect = reader.string("redirectUrl")
        if let redirect, let problem = CallbackAddress.problem(redirect, allowsHTTP: false) {
            reader.refuse("redirectUrl", problem)
        }
        let role = reader.choice("role", { word in Role.given.first { $0.name == word } }, Role.given.map(\.name))
        let end = LinkFields.end(&reader, now)
        let last = now + OnboardingLink.lifeMax
        if let end, end > last { reader.refuse("expiresAt", "must be in 90 days at the latest: \(last.rfc3339)") }
        guard reader.errors.isEmpty, let name else { throw .validation(reader.errors) }
        return OnboardingLinkBody(
            name: name, redirectURL: redirect, role: role ?? .send, expiresAt: end ?? now + OnboardingLink.lifeDefault)
    }
}

/// The bodies of `POST`, `PUT` and `PATCH /v1/shared-inbox-links`.
package struct SharedInboxLinkBody: Equatable, Sendable {
    /// As it is called here; only when the link is made.
    package var phoneNumberID: String?
    package var settings: SharedInboxLink.Settings

    /// `before`: of the link that is changed; what is not given stays as it was.
    package static func read(
        _ value: JSONValue, before: SharedInboxLink.Settings? = nil, isNew: Bool, now: Timestamp
    ) throws(APIError) -> SharedInboxLinkBody {
        let fields = (isNew ? ["phoneNumberId"] : []) + ["name", "permissions", "expiresAt"]
        var reader = ObjectReader(value, path: "", known: fields)
        let number =
            isNew ? reader.requiredString("phoneNumberId", example: "\"660e8400-e29b-41d4-a716-446655440001\"") : nil
        let name = LinkFields.name(&reader, isNeeded: before == nil)
        let permissions = LinkFields.permissions(&reader, isNeeded: before == nil)
        let end = LinkFields.end(&reader, now)
        // Null takes the end away.
        let saysEnd = value.kind == .object && value["expiresAt"] != nil
        guard reader.errors.isEmpty, let name = name ?? before?.name,
            let permissions = permissions ?? before?.permissions
        else { throw .validation(reader.errors) }
        return SharedInboxLinkBody(
            phoneNumberID: number,
            settings: SharedInboxLink.Settings(
                name: name, permissions: permissions, expiresAt: saysEnd ? end : before?.expiresAt))
    }
}

private enum LinkFields {
    static let nameMax = 200

    static func name(_ reader: inout ObjectReader, isNeeded: Bool) -> String? {
        let name = isNeeded ? reader.requiredString("name", example: "\"Acme Corp\"") : reader.string("name")
        guard let name else { return nil }
        let isOneLine = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        if !isOneLine || !(1...nameMax).contains(name.unicodeScalars.count) {
            reader.refuse("name", "must be 1 to \(nameMax) characters on one line")
        }
        return name
    }

    static func end(_ reader: inout ObjectReader, _ now: Timestamp) -> Timestamp? {
        guard let text = reader.string("expiresAt") else { return nil }
        guard let moment = Timestamp(rfc3339: text), moment > now else {
            reader.refuse("expiresAt", "must be a time to come in RFC 3339 with its offset; it is now \(now.rfc3339)")
            return nil
        }
        return moment
    }

    /// A permission that is not named is not given.
    static func permissions(_ reader: inout ObjectReader, isNeeded: Bool) -> InboxPermissions? {
        guard let value = reader["permissions"] else {
            if isNeeded { reader.refuse("permissions", "is missing; give for example {\"readInbox\": true}") }
            return nil
        }
        let names = InboxPermissions.named.map(\.name)
        var inner = ObjectReader(value, path: "permissions.", known: names)
        var permissions: InboxPermissions = []
        for (name, permission) in InboxPermissions.named where inner.bool(name) ?? false {
            permissions.insert(permission)
        }
        reader.adopt(inner.errors)
        return permissions
    }
}

extension OnboardingLink {
    /// `address` is the whole of it: known when it is made, and never again. `phone` is the connected number's id.
    package func write(
        to json: inout JSONWriter, name field: String? = nil, id: String, address: String? = nil, phone: String?,
        now: Timestamp
    ) {
        json.object(field) {
            $0.field("id", id)
            $0.field("name", name)
            $0.field("status", status(now).rawValue)
            $0.field("hostedUrl", address)
            $0.field("redirectUrl", redirectURL)
            $0.field("role", role.name)
            $0.field("phoneNumberId", phone)
            $0.field("expiresAt", expiresAt.rfc3339)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("createdBy", createdBy)
            $0.field("completedAt", completedAt?.rfc3339)
            $0.field("revokedAt", revokedAt?.rfc3339)
        }
    }
}

extension SharedInboxLink {
    package func write(
        to json: inout JSONWriter, name field: String? = nil, id: String, address: String? = nil, phone: String,
        now: Timestamp
    ) {
        json.object(field) {
            $0.field("id", id)
            $0.field("phoneNumberId", phone)
            $0.field("name", settings.name)
            $0.field("status", status(now).rawValue)
            $0.field("publicUrl", address)
            writePermissions(to: &$0)
            $0.field("expiresAt", settings.expiresAt?.rfc3339)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("createdBy", createdBy)
            $0.field("updatedAt", updatedAt.rfc3339)
            $0.field("rotatedAt", rotatedAt?.rfc3339)
            $0.field("revokedAt", revokedAt?.rfc3339)
        }
    }

    package func writePermissions(to json: inout JSONWriter) {
        json.object("permissions") {
            for (name, permission) in InboxPermissions.named { $0.field(name, allows(permission)) }
        }
    }
}
