import OutboxCore
import OutboxJSON

/// Everything the sandbox received, in order.
struct Ledger {
    struct Entry {
        var sequence: Int
        var at: Timestamp
        var phoneNumberID: String
        var to: String
        var type: String
        var opaque: String?
        /// Nil when the message was not accepted.
        var wamid: String?
        /// What was done: `accepted`, or the fault's name.
        var outcome: String
        var body: [UInt8]
    }

    /// Older entries are forgotten, but counted.
    static let entriesMax = 1_000_000

    private(set) var entries: [Entry] = []
    private var forgotten = 0
    private(set) var accepted = 0

    var received: Int { forgotten + entries.count }

    mutating func add(_ entry: Entry) {
        var entry = entry
        entry.sequence = received + 1
        if entry.wamid != nil { accepted += 1 }
        if entries.count == Self.entriesMax {
            entries.removeFirst(Self.entriesMax / 10)
            forgotten += Self.entriesMax / 10
        }
        entries.append(entry)
    }

    mutating func forget() { self = Ledger() }

    func write(after: Int, limit: Int, to json: inout JSONWriter) {
        json.array("data") {
            for entry in entries.dropFirst(max(0, min(after, received) - forgotten)).prefix(limit) {
                $0.object {
                    $0.field("seq", entry.sequence)
                    $0.field("at", entry.at.rfc3339)
                    $0.field("phoneNumberId", entry.phoneNumberID)
                    $0.field("to", entry.to)
                    $0.field("type", entry.type)
                    $0.field("opaque", entry.opaque)
                    $0.field("wamid", entry.wamid)
                    $0.field("outcome", entry.outcome)
                    $0.field("body", raw: entry.body)
                }
            }
        }
    }
}
