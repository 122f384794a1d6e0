import OutboxCore
import OutboxJSON

/// The buttons of a template that is to be made ("Template components", Buttons).
extension TemplateDraftCheck {
    /// How many of a kind there may be in one template; of quick replies as many as of all buttons.
    private static let most = [
        "URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1, "OTP": 1, "FLOW": 1, "CATALOG": 1, "MPM": 1, "SPM": 1,
        "VOICE_CALL": 1,
    ]

    mutating func buttons(_ component: JSONValue, _ place: String, max: Int = 10) {
        let buttons = component.items("buttons")
        guard (1...max).contains(buttons.count) else {
            return refuse("\(place).buttons", "must be an array of 1 to \(max) buttons; \(buttons.count) are given")
        }
        var counts: [String: Int] = [:]
        var texts: Set<String> = []
        for (index, button) in buttons.enumerated() {
            let place = "\(place).buttons[\(index)]"
            guard button.kind == .object, let type = button["type"]?.words?.uppercased() else {
                refuse("\(place).type", "is missing: QUICK_REPLY, URL, PHONE_NUMBER, COPY_CODE, FLOW or OTP")
                continue
            }
            counts[type, default: 0] += 1
            if let most = Self.most[type], counts[type] == most + 1 {
                refuse(place, "is one \(type) button too many: a template may have \(most)")
            }
            look(at: button, type, place)
            if let text = button["text"]?.words, type != "COPY_CODE", type != "OTP", !texts.insert(text).inserted {
                refuse("\(place).text", "is another button's, too: they must differ")
            }
        }
        if category == "AUTHENTICATION", counts["OTP", default: 0] != buttons.count {
            refuse("\(place).buttons", "must be one OTP button: an authentication template has no other")
        } else if category != "AUTHENTICATION", !category.isEmpty, counts["OTP"] != nil {
            refuse("\(place).buttons", "have an OTP button, which is for AUTHENTICATION templates alone")
        }
        let replies = buttons.map { $0["type"]?.string?.uppercased() == "QUICK_REPLY" }
        let changes = zip(replies, replies.dropFirst()).count { $0 != $1 }
        if changes > 1 {
            refuse("\(place).buttons", "mix quick replies with others: put all quick replies together, first or last")
        }
    }

    private mutating func look(at button: JSONValue, _ type: String, _ place: String) {
        switch type {
        case "QUICK_REPLY", "FLOW", "VOICE_CALL", "CATALOG", "MPM", "SPM": label(button, place)
        case "URL":
            label(button, place)
            address(button, place)
        case "PHONE_NUMBER":
            label(button, place)
            let number = button["phone_number"]?.words ?? ""
            let digits = number.utf8.count { (0x30...0x39).contains($0) }
            if digits < 5 || number.unicodeScalars.count > 20 {
                refuse(
                    "\(place).phone_number", "must be a phone number of at most 20 characters, such as \"+14155550100\""
                )
            }
        case "COPY_CODE":
            let example = button["example"]
            let code = example?.kind == .array ? example?.elements.first { _ in true }?.words : example?.words
            guard let code, code.unicodeScalars.count <= 15 else {
                return refuse("\(place).example", "must be a code of 1 to 15 characters")
            }
        case "OTP": password(button, place)
        default: break
        }
        if type == "FLOW", ["flow_id", "flow_name", "flow_json"].allSatisfy({ button[$0]?.words == nil }) {
            refuse(place, "lacks flow_id, flow_name or flow_json: one of them says which flow")
        }
    }

    private mutating func label(_ button: JSONValue, _ place: String) {
        guard let names = text(button, "text", place, max: 25) else { return }
        if !names.isEmpty { refuse("\(place).text", "has a variable; a button's text takes none") }
    }

    /// One variable, at its end, which is `{{1}}` in templates with names, too.
    private mutating func address(_ button: JSONValue, _ place: String) {
        guard let url = button["url"]?.words else { return refuse("\(place).url", "is missing") }
        if url.unicodeScalars.count > 2000 { refuse("\(place).url", "is longer than 2000 characters") }
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            refuse("\(place).url", "must begin with https:// or http://")
        }
        let names = variableNames(in: url)
        guard !names.isEmpty else { return }
        if names.count > 1 || !url.hasSuffix("}}") {
            return refuse("\(place).url", "may have one variable, at its end: https://a.example/orders/{{1}}")
        }
        let example = button["example"]
        let given = example?.kind == .array ? example?.elements.first { _ in true }?.words : example?.words
        if given == nil {
            refuse("\(place).example", "is missing: an array of one whole address, with the variable filled in")
        }
    }

    /// Meta's page "Authentication templates": copy code, one-tap and zero-tap buttons.
    private mutating func password(_ button: JSONValue, _ place: String) {
        let kind = button["otp_type"]?.words?.uppercased()
        guard let kind, ["COPY_CODE", "ONE_TAP", "ZERO_TAP"].contains(kind) else {
            return refuse("\(place).otp_type", "must be COPY_CODE, ONE_TAP or ZERO_TAP")
        }
        if button["text"] != nil { label(button, place) }
        guard kind != "COPY_CODE" else { return }
        let apps = button.items("supported_apps")
        if !(1...5).contains(apps.count) {
            refuse("\(place).supported_apps", "must be an array of 1 to 5 {\"package_name\", \"signature_hash\"}")
        }
        for (index, app) in apps.enumerated() {
            if app["package_name"]?.words == nil {
                refuse(
                    "\(place).supported_apps[\(index)].package_name",
                    "is missing: the app's name, such as com.example.app")
            }
            if app["signature_hash"]?.words?.utf8.count != 11 {
                refuse("\(place).supported_apps[\(index)].signature_hash", "must be the app's hash of 11 characters")
            }
        }
        if kind == "ZERO_TAP", button["zero_tap_terms_accepted"]?.bool != true {
            refuse("\(place).zero_tap_terms_accepted", "must be true: Meta's terms for zero-tap have to be accepted")
        }
    }
}
