package import OutboxJSON

/// The body of a hosted system's call that has only texts.
package enum HostedBody {
    /// The values, in the order of the names; `example` stands for what is missing.
    package static func read(_ value: JSONValue, _ names: KeyValuePairs<String, String>) throws(APIError) -> [String] {
        var reader = ObjectReader(value, path: "", known: names.map(\.key))
        let values = names.map { reader.requiredString($0.key, example: "\"\($0.value)\"") }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        return values.compactMap { $0 }
    }
}
