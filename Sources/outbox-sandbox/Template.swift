import OutboxJSON

/// A message template of the account, as Meta lists it.
struct Template {
    /// `{"id":"…","name":"…","language":"en_US","status":"APPROVED","category":"UTILITY","components":[…]}`
    let value: JSONValue
    let id: String
    let name: String
    let language: String
    /// `APPROVED`, `PAUSED`, `DISABLED`, …
    let status: String
    /// How many different `{{1}}` or `{{name}}` the body has.
    let bodyVariables: Int

    /// Nil when id, name, language or status is missing.
    init?(_ value: JSONValue) {
        guard let id = value["id"]?.string, let name = value["name"]?.string, let language = value["language"]?.string,
            let status = value["status"]?.string
        else { return nil }
        self.value = value
        self.id = id
        (self.name, self.language, self.status) = (name, language, status)
        let body = value["components"]?.elements.first { $0["type"]?.string?.lowercased() == "body" }
        bodyVariables = Set((body?["text"]?.string ?? "").matches(of: /\{\{\s*([^{}\s]+)\s*\}\}/).map(\.output.1)).count
    }

    /// Its object with the members of a change in their places.
    func with(_ change: JSONValue) -> JSONValue? {
        var json = JSONWriter()
        json.object {
            for (name, value) in value.members where change[name] == nil { $0.field(name, raw: value.raw) }
            for (name, value) in change.members where !value.isNull { $0.field(name, raw: value.raw) }
        }
        return try? JSONParser().parse(json.bytes)
    }

    func with(_ fields: KeyValuePairs<String, String>) -> Template? {
        var json = JSONWriter()
        json.object { for (name, text) in fields { $0.field(name, text) } }
        return (try? JSONParser().parse(json.bytes)).flatMap(with).flatMap { Template($0) }
    }

    /// The parameters a message brings for the body; `content` is what stands under `template`.
    static func bodyParameters(_ content: JSONValue) -> Int {
        let body = content["components"]?.elements.first { $0["type"]?.string?.lowercased() == "body" }
        return body?["parameters"]?.elements.reduce(0) { count, _ in count + 1 } ?? 0
    }
}
