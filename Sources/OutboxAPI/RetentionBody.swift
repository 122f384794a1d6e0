package import OutboxCore
package import OutboxJSON

extension RetentionRule {
    /// The body of `PUT /v1/retention/{kind}`: the whole rule; what is left out has no bound.
    package static func read(_ value: JSONValue) throws(APIError) -> RetentionRule {
        var reader = ObjectReader(value, path: "", known: ["maxAgeSeconds", "maxCount"])
        let age = reader.integer("maxAgeSeconds", in: 1...3_153_600_000)
        let count = reader.integer("maxCount", in: 0...1_000_000_000_000)
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return RetentionRule(ageMax: age.map { .seconds($0) }, countMax: count)
    }

    package func write(to json: inout JSONWriter, name: String? = nil, _ kind: RetentionKind) {
        json.object(name) {
            $0.field("kind", kind.name)
            $0.field("maxAgeSeconds", ageMax?.components.seconds)
            $0.field("maxCount", countMax)
        }
    }
}
