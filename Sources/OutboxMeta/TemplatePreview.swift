import OutboxCore
package import OutboxJSON

/// A template as a person would see it, with what a message gives for its variables. What is not given stays as it
/// stands in the template, `{{1}}`.
package struct TemplatePreview: Sendable {
    package struct Header: Equatable, Sendable {
        /// `TEXT`, `IMAGE`, …
        package var format: String
        package var text: String?
        /// What the message gives to show, Meta's object: `{"id"}` or `{"link"}`; nil where it gives none.
        package var media: [UInt8]?
    }

    package struct Button: Equatable, Sendable {
        /// `URL`, `QUICK_REPLY`, …
        package var type: String
        package var text: String?
        package var url: String?
        package var phoneNumber: String?
        /// What is copied or filled in.
        package var code: String?
    }

    package struct Card: Equatable, Sendable {
        package var header: Header?
        package var body: String?
        package var buttons: [Button]
    }

    package var header: Header?
    package var body: String?
    package var footer: String?
    package var buttons: [Button] = []
    package var cards: [Card] = []
}

extension TemplatePreview {
    /// `template` is Meta's object of it, `components` are a message's.
    package init(_ template: JSONValue, components: JSONValue?) {
        let parts = template.items("components")
        let given = components.map { Array($0.elements) } ?? []
        for part in parts {
            switch part["type"]?.string?.uppercased() {
            case "HEADER": header = Self.header(part, given)
            case "BODY": body = Self.text(part["text"]?.string, given, "body")
            case "FOOTER": footer = part["text"]?.string
            case "BUTTONS": buttons = Self.buttons(part, given)
            case "CAROUSEL":
                let filled = given.first { $0["type"]?.string?.lowercased() == "carousel" }?.items("cards") ?? []
                cards = part.items("cards").enumerated().map { index, card in
                    let own = filled.first { $0["card_index"]?.integer == Int64(index) }?.items("components") ?? []
                    return Self.card(card.items("components"), own)
                }
            default: break
            }
        }
    }

    private static func card(_ parts: [JSONValue], _ given: [JSONValue]) -> Card {
        func part(_ type: String) -> JSONValue? { parts.first { $0["type"]?.string?.uppercased() == type } }
        return Card(
            header: part("HEADER").map { header($0, given) },
            body: part("BODY").flatMap { text($0["text"]?.string, given, "body") },
            buttons: part("BUTTONS").map { buttons($0, given) } ?? [])
    }

    private static func parameters(_ given: [JSONValue], _ type: String) -> [JSONValue] {
        given.first { $0["type"]?.string?.lowercased() == type }?.items("parameters") ?? []
    }

    private static func header(_ part: JSONValue, _ given: [JSONValue]) -> Header {
        let format = part["format"]?.string?.uppercased() ?? "TEXT"
        if format == "TEXT" { return Header(format: format, text: text(part["text"]?.string, given, "header")) }
        let media = parameters(given, "header").first?[format.lowercased()]
        return Header(format: format, media: media.map { Array($0.raw) })
    }

    private static func text(_ text: String?, _ given: [JSONValue], _ type: String) -> String? {
        text.map { filled($0, with: parameters(given, type)) }
    }

    private static func buttons(_ part: JSONValue, _ given: [JSONValue]) -> [Button] {
        part.items("buttons").enumerated().map { index, button in
            let own =
                given.first { component in
                    let place = component["index"].flatMap { $0.integer ?? $0.string.flatMap { Int64($0) } }
                    return component["type"]?.string?.lowercased() == "button" && place == Int64(index)
                }?.items("parameters") ?? []
            let first = own.first
            let type = button["type"]?.string?.uppercased() ?? ""
            return Button(
                type: type, text: button["text"]?.string,
                // Whatever the variable is called: there is one.
                url: button["url"]?.string.map { filled($0, with: own) },
                phoneNumber: button["phone_number"]?.string,
                code: type == "COPY_CODE" || type == "OTP"
                    ? first.flatMap { $0["coupon_code"]?.string ?? words($0) } : nil)
        }
    }

    /// The text with each variable that has a parameter filled in, by its name or by its number.
    private static func filled(_ text: String, with parameters: [JSONValue]) -> String {
        var values: [String: String] = [:]
        for (index, parameter) in parameters.enumerated() {
            guard let word = words(parameter) else { continue }
            values[parameter["parameter_name"]?.words ?? String(index + 1)] = word
        }
        var pieces = ""
        var rest = text[...]
        // What is filled in is not looked through again.
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            let name = String(rest[open.upperBound..<close.lowerBound])
            pieces += rest[..<open.lowerBound] + (values[name] ?? String(rest[open.lowerBound..<close.upperBound]))
            rest = rest[close.upperBound...]
        }
        return pieces + rest
    }

    /// A parameter in words; of amounts and dates what is shown where they cannot be.
    private static func words(_ parameter: JSONValue) -> String? {
        parameter["text"]?.string ?? parameter["currency"]?["fallback_value"]?.string
            ?? parameter["date_time"]?["fallback_value"]?.string
    }
}

extension TemplatePreview {
    package func write(to json: inout JSONWriter) {
        json.field("header", raw: header.map(Self.bytes))
        json.field("body", body)
        json.field("footer", footer)
        json.array("buttons") { for button in buttons { Self.write(button, to: &$0) } }
        guard !cards.isEmpty else { return }
        json.array("cards") { json in
            for card in cards {
                json.object {
                    $0.field("header", raw: card.header.map(Self.bytes))
                    $0.field("body", card.body)
                    $0.array("buttons") { for button in card.buttons { Self.write(button, to: &$0) } }
                }
            }
        }
    }

    private static func bytes(_ header: Header) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("format", header.format)
            $0.field("text", header.text)
            $0.field("media", raw: header.media)
        }
        return json.bytes
    }

    private static func write(_ button: Button, to json: inout JSONWriter) {
        json.object {
            $0.field("type", button.type)
            $0.field("text", button.text)
            $0.field("url", button.url)
            $0.field("phoneNumber", button.phoneNumber)
            $0.field("code", button.code)
        }
    }
}
