package import OutboxCore
package import OutboxJSON

/// A campaign's template with one recipient's variables filled in.
///
/// In the campaign's own components `{{name}}` stands for a variable, in any text. Variables that no component names
/// are the body's, unless there is a body component already: those named by whole numbers by their place, others by
/// their name.
package struct CampaignContent: Equatable, Sendable {
    /// JSON: what Meta gets under `template`.
    package var json: [UInt8]

    package enum Filling: Equatable, Sendable {
        case filled(CampaignContent)
        /// Variables the components name, which the recipient does not have.
        case lacks([String])
    }

    /// `variables` is the object that `RecipientBody` makes.
    package static func fill(_ settings: CampaignSettings, variables: [UInt8], parser: JSONParser) -> Filling {
        let given = (try? parser.parse(variables))?.members.map { ($0.name, $0.value.string ?? "") } ?? []
        let components = settings.components.flatMap { try? parser.parse($0) }
        var filler = Filler(variables: Dictionary(given) { $1 })
        var json = JSONWriter()
        json.object {
            $0.field("name", settings.template.name)
            $0.object("language") { $0.field("code", settings.template.language) }
            var ownBody = false
            var own = JSONWriter()
            own.array { own in
                for component in components?.elements.map({ $0 }) ?? [] {
                    ownBody = ownBody || component["type"]?.string?.lowercased() == "body"
                    filler.copy(component, nil, to: &own)
                }
                let rest = given.filter { !filler.used.contains($0.0) }
                if !ownBody, !rest.isEmpty { own.object { body(rest, to: &$0) } }
            }
            if own.bytes.count > 2 { $0.field("components", raw: own.bytes) }
        }
        return filler.lacking.isEmpty
            ? .filled(CampaignContent(json: json.bytes)) : .lacks(filler.lacking.sorted())
    }

    private static func body(_ variables: [(name: String, text: String)], to json: inout JSONWriter) {
        let places = variables.compactMap { Int($0.name) }
        let isPositional = places.count == variables.count
        let ordered = isPositional ? variables.sorted { (Int($0.name) ?? 0) < (Int($1.name) ?? 0) } : variables
        json.field("type", "body")
        json.array("parameters") {
            for variable in ordered {
                $0.object {
                    $0.field("type", "text")
                    if !isPositional { $0.field("parameter_name", variable.name) }
                    $0.field("text", variable.text)
                }
            }
        }
    }
}

private struct Filler {
    let variables: [String: String]
    private(set) var used: Set<String> = []
    private(set) var lacking: Set<String> = []

    init(variables: [String: String]) { self.variables = variables }

    mutating func copy(_ value: JSONValue, _ name: String?, to json: inout JSONWriter) {
        switch value.kind {
        case .object:
            json.object(name) { json in
                for (name, member) in value.members { copy(member, name, to: &json) }
            }
        case .array:
            json.array(name) { json in for item in value.elements { copy(item, nil, to: &json) } }
        case .string:
            let text = fill(value.string ?? "")
            if let name { json.field(name, text) } else { json.value(text) }
        default:
            if let name { json.field(name, raw: value.raw) } else { json.value(raw: value.raw) }
        }
    }

    /// What stands in double braces and is no name stays as it is.
    private mutating func fill(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "{")) else { return text }
        var filled = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            let behind = rest[open.upperBound...]
            guard let close = behind.firstRange(of: "}}") else { break }
            filled += rest[..<open.lowerBound]
            let name = behind[..<close.lowerBound].filter { $0 != " " }
            if RecipientBody.isVariableName(String(name)) {
                used.insert(String(name))
                if let value = variables[String(name)] { filled += value } else { lacking.insert(String(name)) }
            } else {
                filled += rest[open.lowerBound..<close.upperBound]
            }
            rest = rest[close.upperBound...]
        }
        return filled + rest
    }
}
