import OutboxCore
import OutboxJSON
import OutboxStore
import OutboxSystem

/// What a call tells whose subscription takes several events in one: `{"events": [ … ]}`, each as it would be told alone.
struct GatheredCall {
    /// Its `webhook-id`: the same for the same events and another for others, so that whoever passes over calls seen
    /// before passes over no event with them.
    let name: String
    let body: [UInt8]
    /// How many of the events it has.
    let count: Int

    /// It ends with the event that crosses this.
    private static let bytesMax = 1 << 20

    init(_ events: [LoggedEvent], _ codec: IDCodec, _ parser: JSONParser) {
        var names: [String] = []
        var json = JSONWriter(capacity: 512 * events.count)
        Self.write(to: &json) { json in
            for event in events where json.bytes.count <= Self.bytesMax {
                names.append(event.write(to: &json, codec, parser))
            }
        }
        name = "call_" + hexadecimal(sha256(names.joined(separator: " ").utf8).prefix(16))
        body = json.bytes
        count = names.count
    }

    static func write(to json: inout JSONWriter, _ events: (inout JSONWriter) -> Void) {
        json.object { $0.array("events") { events(&$0) } }
    }
}
