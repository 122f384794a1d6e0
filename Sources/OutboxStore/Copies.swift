import OutboxCore
import OutboxJSON

/// Second copies of a message: an attempt nobody answered had arrived after all, and another one as well.
extension Queue {
    /// Writes down that an attempt arrived besides the one that counts; the first time with an event of its own.
    func noteCopy(
        _ record: inout Record, _ attempt: Int64, _ wamid: String, _ now: Timestamp
    ) throws {
        let isNew =
            try statements.insertDuplicate.run(.text(wamid), .integer(record.id.rawValue), .integer(attempt)) > 0
        guard isNew else { return }
        var json = JSONWriter()
        json.object {
            $0.field("whatsappMessageId", wamid)
            $0.field("attempt", attempt)
            $0.field("duplicateOf", record.wamid)
        }
        try save(&record, .duplicate, at: now, detail: json.bytes)
        try applyEarlyStatuses(of: wamid, to: record.id, attempt: attempt, now)
        // What those changed.
        if let changed = try load(record.id) { record = changed }
    }

    /// The message and attempt a copy's wamid belongs to.
    func copy(_ wamid: String) throws -> (id: MessageID, attempt: Int64)? {
        try statements.duplicate.first(.text(wamid)) {
            (id: MessageID(rawValue: $0.integer(0)), attempt: $0.integer(1))
        }
    }
}
