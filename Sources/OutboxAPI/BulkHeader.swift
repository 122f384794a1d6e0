package import OutboxJSON

/// What stands around the messages of `POST /v1/messages/bulk`.
package struct BulkHeader: Sendable {
    package var messages: JSONValue?
    package var atomic = false
    package var dryRun = false
    package var errors: [FieldError] = []

    package static func read(_ value: JSONValue) -> BulkHeader {
        var header = BulkHeader()
        var reader = ObjectReader(value, path: "", known: ["messages", "atomic", "dryRun"])
        if value.kind == .object {
            header.atomic = reader.bool("atomic") ?? false
            header.dryRun = reader.bool("dryRun") ?? false
            header.messages = reader["messages"]
            if header.messages?.kind != .array || header.messages?.elements.first(where: { _ in true }) == nil {
                reader.refuse("messages", "must be an array of at least one message")
            }
        }
        header.errors = reader.errors
        return header
    }
}
