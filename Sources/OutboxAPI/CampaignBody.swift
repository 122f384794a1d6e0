package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/campaigns`:
///
///     {"name": "Spring", "line": "main", "template": {"name": "spring_sale", "language": "en_US"},
///      "quietHours": {"from": "21:00", "to": "08:00"}, "expiresAt": "2030-01-31T09:00:00Z",
///      "canary": {"first": 100, "waitSeconds": 3600, "abortAboveFailureShare": 0.05}}
package struct CampaignBody: Equatable, Sendable {
    /// Nil: the account's only line.
    package var line: String?
    package var settings: CampaignSettings

    package init(line: String?, settings: CampaignSettings) {
        self.line = line
        self.settings = settings
    }

    package static let nameLengthMax = 200
    package static let canaryFirstMax: Int64 = 1_000_000
    package static let canaryWaitMax: Int64 = 604_800

    package static func read(_ value: JSONValue, now: Timestamp) throws(APIError) -> CampaignBody {
        var reader = ObjectReader(
            value, path: "", known: ["name", "line", "template", "quietHours", "canary", "expiresAt"])
        guard value.kind == .object else { throw .validation(reader.errors) }
        let name = reader.requiredString("name", example: "\"Spring sale\"")
        if let name, !(1...nameLengthMax).contains(name.unicodeScalars.count) || !isOneLine(name) {
            reader.refuse("name", "must be one line of 1 to \(nameLengthMax) characters")
        }
        let line = reader.string("line")
        var message: TemplateMessage?
        var components: [UInt8]?
        if let template = reader["template"] {
            reader.adopt(TemplateBody.read(template, path: "template.", into: &message))
            components = template["components"].flatMap { $0.isNull ? nil : Array($0.raw) }
        } else {
            reader.refuse("template", "is missing; give for example {\"name\":\"spring_sale\",\"language\":\"en_US\"}")
        }
        let quietHours = quietHours(&reader)
        let canary = canary(&reader)
        let expiresAt = moment(&reader, "expiresAt", now)
        guard reader.errors.isEmpty, let name, let message else { throw .validation(reader.errors) }
        return CampaignBody(
            line: line,
            settings: CampaignSettings(
                name: name, template: message.template, components: components, canary: canary,
                quietHours: quietHours, expiresAt: expiresAt))
    }

    private static func quietHours(_ reader: inout ObjectReader) -> QuietHours? {
        guard let value = reader["quietHours"] else { return nil }
        var inner = ObjectReader(value, path: "quietHours.", known: ["from", "to"])
        var minutes: [Int64] = []
        for (name, example) in [("from", "\"21:00\""), ("to", "\"08:00\"")] where value.kind == .object {
            guard let text = inner.requiredString(name, example: example) else { continue }
            guard let minute = QuietHours.minutes(text) else {
                inner.refuse(name, "must be a time of day such as \(example)")
                continue
            }
            minutes.append(minute)
        }
        let hours = minutes.count == 2 ? QuietHours(from: minutes[0], to: minutes[1]) : nil
        if minutes.count == 2, hours == nil { inner.refuse("to", "must be another time than from") }
        reader.adopt(inner.errors)
        return hours
    }

    private static func canary(_ reader: inout ObjectReader) -> Canary? {
        guard let value = reader["canary"] else { return nil }
        var inner = ObjectReader(value, path: "canary.", known: ["first", "waitSeconds", "abortAboveFailureShare"])
        let first = inner.integer("first", in: 1...canaryFirstMax)
        if value.kind == .object, inner["first"] == nil {
            inner.refuse("first", "is missing: how many are sent first, such as 100")
        }
        let wait = inner.integer("waitSeconds", in: 1...canaryWaitMax) ?? 3600
        var share = 0.05
        if let given = inner["abortAboveFailureShare"] {
            if let number = given.number, (0..<1).contains(number) {
                share = number
            } else {
                inner.refuse("abortAboveFailureShare", "must be a number from 0 to less than 1, such as 0.05")
            }
        }
        reader.adopt(inner.errors)
        return first.map { Canary(first: $0, wait: .seconds(wait), abortAboveFailureShare: share) }
    }

    fileprivate static func moment(_ reader: inout ObjectReader, _ name: String, _ now: Timestamp) -> Timestamp? {
        guard let text = reader.string(name) else { return nil }
        guard let moment = Timestamp(rfc3339: text) else {
            reader.refuse(name, "must be a time in RFC 3339 with its offset, such as 2030-01-31T09:00:00+01:00")
            return nil
        }
        if moment <= now { reader.refuse(name, "must lie in the future; it is now \(now.rfc3339)") }
        return moment
    }
}

func isOneLine(_ text: String) -> Bool {
    !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
}

/// The bodies of `POST /v1/campaigns/{id}/launch`, `/pause` and `/cancel`: none, or what is said in addition.
package struct CampaignOrder: Equatable, Sendable {
    package enum Deed: String, Sendable {
        case launch, pause, resume, cancel
    }

    package var deed: Deed
    /// Of a launch: when it begins; nil: at once.
    package var startAt: Timestamp?
    package var reason: String?

    package init(deed: Deed, startAt: Timestamp? = nil, reason: String? = nil) {
        self.deed = deed
        self.startAt = startAt
        self.reason = reason
    }

    package static let reasonLengthMax = 200

    /// `value` is nil where there is no body.
    package static func read(_ deed: Deed, _ value: JSONValue?, now: Timestamp) throws(APIError) -> CampaignOrder {
        guard let value else { return CampaignOrder(deed: deed) }
        let known =
            switch deed {
            case .launch: ["startAt"]
            case .pause, .cancel: ["reason"]
            case .resume: [String]()
            }
        var reader = ObjectReader(value, path: "", known: known)
        let startAt = CampaignBody.moment(&reader, "startAt", now)
        let reason = reader.string("reason")
        if let reason, !(1...reasonLengthMax).contains(reason.unicodeScalars.count) || !isOneLine(reason) {
            reader.refuse("reason", "must be one line of 1 to \(reasonLengthMax) characters")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return CampaignOrder(deed: deed, startAt: startAt, reason: reason)
    }
}

/// One recipient of a campaign: `{"to": "14155552671", "variables": {"1": "Ann"}, "timeZone": "America/New_York"}`
package struct RecipientBody: Equatable, Sendable {
    package var to: Recipient
    /// A JSON object of strings, by name.
    package var variables: [UInt8]
    package var timeZone: String?

    package init(to: Recipient, variables: [UInt8], timeZone: String? = nil) {
        self.to = to
        self.variables = variables
        self.timeZone = timeZone
    }

    package static let variablesBytesMax = 8192

    package enum Reading: Equatable, Sendable {
        case complete(RecipientBody)
        case wrong([FieldError])
    }

    /// `hasZone` tells whether the machine's tz database knows a name.
    package static func read(_ value: JSONValue, path: String = "", hasZone: (String) -> Bool) -> Reading {
        var reader = ObjectReader(value, path: path, known: ["to", "variables", "timeZone"])
        guard value.kind == .object else { return .wrong(reader.errors) }
        var to: Recipient?
        if let text = reader.requiredString("to", example: "\"14155552671\"") {
            to = Recipient(text)
            if to == nil { reader.refuse("to", Recipient.form) }
        }
        let variables = variables(&reader)
        let zone = reader.string("timeZone")
        if let zone, !isZoneName(zone) || !hasZone(zone) {
            reader.refuse("timeZone", "must be a name of the tz database, such as America/New_York")
        }
        guard reader.errors.isEmpty, let to, let variables else { return .wrong(reader.errors) }
        return .complete(RecipientBody(to: to, variables: variables, timeZone: zone))
    }

    /// An array stands for variables named 1, 2 and so on.
    private static func variables(_ reader: inout ObjectReader) -> [UInt8]? {
        guard let value = reader["variables"] else { return Array("{}".utf8) }
        guard value.raw.count <= variablesBytesMax else {
            reader.refuse("variables", "is \(value.raw.count) bytes long; \(variablesBytesMax) are allowed")
            return nil
        }
        let members: [(name: String, value: JSONValue)]
        switch value.kind {
        case .object: members = value.members.map { $0 }
        case .array: members = value.elements.enumerated().map { (String($0.offset + 1), $0.element) }
        default:
            reader.refuse("variables", "must be an object of texts by name, or an array of texts")
            return nil
        }
        var json = JSONWriter()
        var seen: Set<String> = []
        json.object { json in
            for (name, value) in members {
                let number = value.integer.map { String($0) }
                if !isVariableName(name) {
                    reader.refuse(
                        "variables.\(beginning(of: name))",
                        "is no name of a variable: 1 to 64 of a-z, A-Z, 0-9 and _")
                } else if !seen.insert(name).inserted {
                    reader.refuse("variables.\(name)", "is given twice")
                } else if let text = value.string ?? number, !text.utf8.contains(0) {
                    json.field(name, text)
                } else {
                    reader.refuse("variables.\(name)", "must be a text")
                }
            }
        }
        return json.bytes
    }

    static func isVariableName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0 | 0x20) && $0 < 0x80 || (0x30...0x39).contains($0) || $0 == 0x5F
            }
    }

    /// A name, and no path.
    private static func isZoneName(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return (1...3).contains(parts.count) && name.utf8.count <= 64
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.first.map { (0x41...0x5A).contains($0) } ?? false
                    && part.utf8.allSatisfy {
                        (0x61...0x7A).contains($0 | 0x20) && $0 < 0x80 || (0x30...0x39).contains($0) || $0 == 0x5F
                            || $0 == 0x2D || $0 == 0x2B
                    }
            }
    }
}
