import OutboxCore
import OutboxHTTP
import OutboxJSON

let showCommand = Command(
    name: "show", words: "ID", summary: "everything about one message, sent or received",
    options: [watchOption]
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let message = try client.call("GET", "/v1/messages/\(percentEncoded(id))"), !client.wantsJSON else { return }
    for (name, value) in message.members where name != "timeline" && !value.isNull {
        print("\(name)\(String(repeating: " ", count: max(1, 20 - name.count)))\(plain(value))")
    }
    guard let timeline = message["timeline"] else { return }
    print("timeline")
    for event in timeline.elements {
        let attempt = event["attempt"]?.integer.map { " attempt \($0)" } ?? ""
        let detail = event["detail"].map { " \(plain($0))" } ?? ""
        print("  \(plain(event["at"]))  \(plain(event["status"]))  (\(plain(event["event"]))\(attempt)\(detail))")
    }
}

/// A string without its quotes; everything else as JSON. On one line, whatever it holds.
func plain(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "-" }
    return (value.string ?? String(decoding: value.raw, as: UTF8.self)).onOneLine
}
