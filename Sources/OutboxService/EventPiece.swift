import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxStore

/// Some events as they go over the wire.
struct EventPiece {
    private(set) var bytes: [UInt8] = []
    private let format: EventQuery.Format

    init(_ format: EventQuery.Format) { self.format = format }

    mutating func add(_ event: LoggedEvent, _ codec: IDCodec, _ parser: JSONParser) {
        guard let name = event.kind.publicName else { return }
        var json = JSONWriter(capacity: 512)
        event.write(to: &json, codec, parser)
        add(id: event.sequence, name: name, json.bytes)
    }

    /// Of what these numbers stood for some is no longer kept; the rest follows. Its own place is before them: whoever
    /// goes on from there misses nothing of that rest.
    mutating func addGap(from: Int64, to: Int64) {
        var json = JSONWriter()
        json.object {
            $0.field("event", "log.gap")
            $0.object("data") {
                $0.field("from", from)
                $0.field("to", to)
            }
        }
        add(id: from - 1, name: "log.gap", json.bytes)
    }

    private mutating func add(id: Int64, name: String, _ json: [UInt8]) {
        if format == .serverSent { bytes += Array("id: \(id)\nevent: \(name)\ndata: ".utf8) }
        // A caller's own metadata may hold line ends between its parts; in strings JSON has none.
        bytes += json.lazy.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        bytes += format == .serverSent ? [0x0A, 0x0A] : [0x0A]
    }

    /// Says nothing, so that both sides know the other is there.
    static func heartbeat(_ format: EventQuery.Format) -> [UInt8] {
        Array((format == .serverSent ? ":\n\n" : "\n").utf8)
    }
}
