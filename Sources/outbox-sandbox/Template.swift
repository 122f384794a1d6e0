import OutboxJSON

/// A message template of the account, as Meta lists it.
struct Template {
    /// `{"id":"…","name":"…","language":"en_US","status":"APPROVED","category":"UTILITY","components":[…]}`
    let value: JSONValue
    let name: String
    let language: String
    /// `APPROVED`, `PAUSED`, `DISABLED`, …
    let status: String
    /// How many different `{{1}}` or `{{name}}` the body has.
    let bodyVariables: Int

    /// Nil when id, name, language or status is missing.
    init?(_ value: JSONValue) {
        guard value["id"]?.string != nil, let name = value["name"]?.string, let language = value["language"]?.string,
            let status = value["status"]?.string
        else { return nil }
        self.value = value
        (self.name, self.language, self.status) = (name, language, status)
        let body = value["components"]?.elements.first { $0["type"]?.string?.lowercased() == "body" }
        bodyVariables = Set((body?["text"]?.string ?? "").matches(of: /\{\{\s*([^{}\s]+)\s*\}\}/).map(\.output.1)).count
    }

    /// The parameters a message brings for the body; `content` is what stands under `template`.
    static func bodyParameters(_ content: JSONValue) -> Int {
        let body = content["components"]?.elements.first { $0["type"]?.string?.lowercased() == "body" }
        return body?["parameters"]?.elements.reduce(0) { count, _ in count + 1 } ?? 0
    }
}
