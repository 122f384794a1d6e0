package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/accounts`, and of `PUT /v1/accounts/{name}`, which has no `name`.
package struct AccountBody: Equatable, Sendable {
    package var name: String
    package var profile: Account.Profile

    package static let wordsMax = 200

    package init(name: String, profile: Account.Profile = .init()) {
        self.name = name
        self.profile = profile
    }

    /// `name`: of an account that is there.
    package static func read(_ value: JSONValue, name known: String? = nil) throws(APIError) -> AccountBody {
        var reader = ObjectReader(
            value, path: "", known: (known == nil ? ["name"] : []) + ["label", "email", "plan"])
        let name = known ?? reader.requiredString("name", example: "\"shop\"")
        if let name, !Account.isName(name) { reader.refuse("name", Account.nameRule) }
        let profile = Account.Profile(
            label: words(&reader, "label"), email: words(&reader, "email"), plan: reader.choice("plan", Plan.self))
        guard let name, reader.errors.isEmpty else { throw .validation(reader.errors) }
        return AccountBody(name: name, profile: profile)
    }

    private static func words(_ reader: inout ObjectReader, _ field: String) -> String? {
        guard let text = reader.string(field) else { return nil }
        let isOneLine = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        if !isOneLine || !(1...wordsMax).contains(text.unicodeScalars.count) {
            reader.refuse(field, "must be 1 to \(wordsMax) characters on one line")
        }
        return text
    }
}

extension Account {
    package func write(to json: inout JSONWriter, name field: String? = nil) {
        json.object(field) {
            $0.field("id", id)
            $0.field("name", name)
            $0.field("label", profile.label)
            $0.field("email", profile.email)
            $0.field("plan", profile.plan?.name)
            $0.field("createdAt", createdAt.milliseconds == 0 ? nil : createdAt.rfc3339)
        }
    }
}

/// The body of `POST /v1/keys`.
package struct KeyBody: Equatable, Sendable {
    package var name: String
    package var role: Role
    package var prefix: AccessKey.Prefix

    package init(name: String, role: Role, prefix: AccessKey.Prefix = .outboxd) {
        self.name = name
        self.role = role
        self.prefix = prefix
    }

    package static func read(_ value: JSONValue) throws(APIError) -> KeyBody {
        var reader = ObjectReader(value, path: "", known: ["name", "role", "prefix"])
        let name = reader.requiredString("name", example: "\"till 7\"")
        let isOneLine = name.map { $0.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } } ?? true
        if let name, !(1...64).contains(name.unicodeScalars.count) || !isOneLine {
            reader.refuse("name", "must be 1 to 64 characters on one line")
        }
        let role = reader.choice("role", { word in Role.given.first { $0.name == word } }, Role.given.map(\.name))
        if role == nil, reader["role"] == nil, value.kind == .object {
            reader.refuse("role", "is missing: say what the key may do: read, send or admin")
        }
        let prefix = reader.choice("prefix", AccessKey.Prefix.self) ?? .outboxd
        guard let name, let role, reader.errors.isEmpty else { throw .validation(reader.errors) }
        return KeyBody(name: name, role: role, prefix: prefix)
    }
}

/// The body of `POST /v1/keys/{id}/rotate`.
package enum RotationBody {
    package static let overlapDefault = Duration.seconds(86_400)

    /// How long the key before counts beside the new one.
    package static func read(_ value: JSONValue) throws(APIError) -> Duration {
        var reader = ObjectReader(value, path: "", known: ["overlapSeconds"])
        let overlap = reader.integer("overlapSeconds", in: 0...2_592_000)
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return overlap.map { .seconds($0) } ?? overlapDefault
    }
}

extension AccessKey {
    /// `text` is the key itself: known when it is made, and never again.
    package func write(to json: inout JSONWriter, name field: String? = nil, text: String? = nil, now: Timestamp) {
        json.object(field) {
            $0.field("id", id)
            $0.field("name", name)
            $0.field("role", role.name)
            $0.field("prefix", prefix.name)
            if let text { $0.field("key", text) }
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("createdBy", createdBy)
            $0.field("rotatedAt", rotatedAt?.rfc3339)
            $0.field("oldKeyUntil", old.flatMap { $0.until > now ? $0.until.rfc3339 : nil })
            $0.field("lastUsedAt", lastUsedAt?.rfc3339)
        }
    }
}

/// Why somebody changes something, as the header `Outboxd-Reason` brings it: UTF-8, percent-encoded.
package enum ChangeReason {
    package static let header = "outboxd-reason"

    package static func read(_ text: String?) throws(APIError) -> String? {
        guard let text, !text.isEmpty else { return nil }
        let isOneLine = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard isOneLine, text.unicodeScalars.count <= PauseBody.reasonLengthMax else {
            throw .validation([
                FieldError("Outboxd-Reason", "must be one line of at most \(PauseBody.reasonLengthMax) characters")
            ])
        }
        return text
    }
}
