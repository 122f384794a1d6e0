package import OutboxCore
package import OutboxJSON

/// The body of `PUT /v1/cursors/{name}`: how far a follower has got.
package struct CursorBody: Equatable, Sendable {
    /// The last event it is done with.
    package var after: Int64
    /// Whether that may lie before where the cursor stands.
    package var rewind: Bool

    package static let nameWords = "must be 1 to 64 letters, digits, '.', '_' and '-'"

    package static func read(_ value: JSONValue) throws(APIError) -> CursorBody {
        var reader = ObjectReader(value, path: "", known: ["after", "rewind"])
        let rewind = reader.bool("rewind") ?? false
        let after = reader.integer("after", in: 0...Int64.max)
        if after == nil, reader.errors.isEmpty {
            reader.refuse("after", "is missing: give the seq of the last event you are done with")
        }
        guard let after, reader.errors.isEmpty else { throw .validation(reader.errors) }
        return CursorBody(after: after, rewind: rewind)
    }
}

extension LogCursor {
    /// `logEnd`: where the log ends, if that is to be compared.
    package func write(to json: inout JSONWriter, name field: String? = nil, logEnd: Int64? = nil) {
        json.object(field) {
            $0.field("cursor", name)
            $0.field("after", position)
            if let logEnd { $0.field("behind", max(0, logEnd - position)) }
            $0.field("updatedAt", updatedAt.rfc3339)
        }
    }
}
