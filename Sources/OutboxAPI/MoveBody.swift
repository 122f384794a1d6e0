package import OutboxJSON

/// The body of `POST /v1/messages/{id}/move`: `{"line":"…"}`
package struct MoveBody: Equatable, Sendable {
    package var line: String
    /// Only says whether it could.
    package var dryRun: Bool

    package static func read(_ value: JSONValue) throws(APIError) -> MoveBody {
        var reader = ObjectReader(value, path: "", known: ["line", "dryRun"])
        let line = reader.string("line")
        let dryRun = reader.bool("dryRun") ?? false
        if line == nil, reader.errors.isEmpty { reader.refuse("line", "is missing: the line the message shall go to") }
        guard reader.errors.isEmpty, let line else { throw .validation(reader.errors) }
        return MoveBody(line: line, dryRun: dryRun)
    }
}
