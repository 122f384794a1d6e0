package import OutboxJSON

/// How a body says which number it is about.
package enum CallMissedNumber {
    static let fields = ["phone_id", "phone_number_id"]

    static func read(_ reader: inout ObjectReader) -> String? {
        let (id, metaID) = (reader.string("phone_id"), reader.string("phone_number_id"))
        if id != nil, metaID != nil {
            reader.refuse("phone_id", "and phone_number_id exclude each other: give one of them")
        }
        return id ?? metaID
    }

    static func required(_ number: String?) throws(APIError) -> String {
        guard let number else {
            throw APIError(.malformed, "Either phone_id (UUID) or phone_number_id (Meta) is required")
        }
        return number
    }
}

/// The bodies of `POST …/onboarding/manual` and `…/onboarding/exchange`.
package struct CallMissedConnection: Sendable {
    package enum Proof: Equatable, Sendable {
        case token(String)
        /// Of Embedded Signup.
        case code(String)
    }

    package var proof: Proof
    package var phoneNumberID: String
    package var wabaID: String?
    package var bot: String?
    package var appID: String?
    /// Registers the number.
    package var pin: String?

    package static func read(_ value: JSONValue, isCode: Bool) throws(APIError) -> CallMissedConnection {
        let known = ["phone_number_id", "waba_id", "business_id", "bot_id", "pin"]
        var reader = ObjectReader(value, path: "", known: known + (isCode ? ["code", "app_id"] : ["access_token"]))
        let proof =
            isCode
            ? reader.requiredString("code", example: "\"AQBx-hBsH\"").map(Proof.code)
            : reader.requiredString("access_token", example: "\"EAAG\"").map(Proof.token)
        let number = LineBody.metaID(&reader, "phone_number_id", required: true)
        let waba = LineBody.metaID(&reader, "waba_id", required: !isCode)
        // Meta knows it; nothing here asks for it.
        _ = reader.string("business_id")
        let bot = reader.string("bot_id")
        let app = isCode ? LineBody.metaID(&reader, "app_id", required: false) : nil
        let pin = reader.string("pin")
        guard reader.errors.isEmpty, let proof, let number else { throw .validation(reader.errors) }
        return CallMissedConnection(
            proof: proof, phoneNumberID: number, wabaID: waba, bot: bot, appID: app, pin: pin)
    }
}

/// The small bodies.
package enum CallMissedBody {
    /// `{"bot_id": "…"}`, or null.
    package static func bot(_ value: JSONValue) throws(APIError) -> String? {
        var reader = ObjectReader(value, path: "", known: ["bot_id"])
        let bot = reader.string("bot_id")
        if value.kind == .object, value["bot_id"] == nil {
            reader.refuse("bot_id", "is missing; give a bot's id, or null for none")
        }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return bot
    }

    /// `{"enabled": true}`
    package static func enabled(_ value: JSONValue) throws(APIError) -> Bool {
        var reader = ObjectReader(value, path: "", known: ["enabled"])
        let enabled = reader.bool("enabled")
        if value.kind == .object, reader["enabled"] == nil { reader.refuse("enabled", "is missing: true or false") }
        guard reader.errors.isEmpty, let enabled else { throw .validation(reader.errors) }
        return enabled
    }

    /// Of a read mark: whether somebody is writing.
    package static func typing(_ value: JSONValue) throws(APIError) -> Bool {
        var reader = ObjectReader(value, path: "", known: CallMissedNumber.fields + ["typing_indicator"])
        _ = CallMissedNumber.read(&reader)
        let typing = reader.bool("typing_indicator") ?? false
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return typing
    }

    /// The business account a body is about, by our id or Meta's; nil: it does not say. `others`: what it may hold
    /// besides; nil: anything.
    package static func account(_ value: JSONValue, others: [String]? = nil) throws(APIError) -> String? {
        let names = ["account_id", "waba_id"]
        var reader = ObjectReader(value, path: "", known: names + (others ?? value.members.map(\.name)))
        let (id, metaID) = (reader.string("account_id"), reader.string("waba_id"))
        if id != nil, metaID != nil { reader.refuse("account_id", "and waba_id exclude each other: give one of them") }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return id ?? metaID
    }
}

/// The body of `POST …/campaigns`.
package struct CallMissedCampaign: Sendable {
    package var number: String
    package var name: String
    package var template: String
    package var language: String?
    package var components: [UInt8]?
    /// The body of `POST /v1/campaigns/{id}/recipients`; nil: they come later.
    package var recipients: [UInt8]?

    package static func read(_ value: JSONValue) throws(APIError) -> CallMissedCampaign {
        var reader = ObjectReader(
            value, path: "",
            known: CallMissedNumber.fields + [
                "name", "template", "template_name", "language", "template_language", "components",
                "template_components", "recipients",
            ])
        guard value.kind == .object else { throw .validation(reader.errors) }
        let number = CallMissedNumber.read(&reader)
        let name = reader.requiredString("name", example: "\"April restock notice\"")
        let template = reader.oneString("template", "template_name", example: "\"back_in_stock\"")
        let language = reader.string("language") ?? reader.string("template_language")
        let components = reader["components"] ?? reader["template_components"]
        let recipients = reader["recipients"].flatMap { Self.recipients($0, &reader) }
        guard reader.errors.isEmpty, let name, let template else { throw .validation(reader.errors) }
        return CallMissedCampaign(
            number: try CallMissedNumber.required(number), name: name, template: template, language: language,
            components: components.map { Array($0.raw) }, recipients: recipients)
    }

    /// The body of `POST …/campaigns/{id}/recipients`: `{"recipients": […]}`
    package static func recipients(_ value: JSONValue) throws(APIError) -> [UInt8] {
        var reader = ObjectReader(value, path: "", known: ["recipients"])
        if value.kind == .object, reader["recipients"] == nil {
            reader.refuse("recipients", "is missing; give for example [{\"to_phone\":\"+14155552671\"}]")
        }
        let recipients = reader["recipients"].flatMap { Self.recipients($0, &reader) }
        guard reader.errors.isEmpty, let recipients else { throw .validation(reader.errors) }
        return recipients
    }

    /// Each is a number, or an object as ours, where `to_phone` is a number in whatever form.
    private static func recipients(_ list: JSONValue, _ reader: inout ObjectReader) -> [UInt8]? {
        guard list.kind == .array else {
            reader.refuse("recipients", "must be an array of numbers, or of {\"to_phone\",\"variables\"}")
            return nil
        }
        var json = JSONWriter(capacity: list.raw.count + 64)
        json.object {
            $0.array("recipients") { json in
                for item in list.elements {
                    if item.kind == .string {
                        json.object { $0.field("to", raw: item.raw) }
                    } else if let phone = item["to_phone"]?.string, item["to"] == nil {
                        json.object {
                            $0.field("to", phone.filter { $0.isASCII && $0.isNumber })
                            for (name, member) in item.members where name != "to_phone" {
                                $0.field(name, raw: member.raw)
                            }
                        }
                    } else {
                        json.value(raw: item.raw)
                    }
                }
            }
        }
        return json.bytes
    }
}

extension ObjectReader {
    /// A text that goes by two names.
    mutating func oneString(_ name: String, _ other: String, example: String) -> String? {
        self[name] == nil && self[other] != nil ? string(other) : requiredString(name, example: example)
    }
}
