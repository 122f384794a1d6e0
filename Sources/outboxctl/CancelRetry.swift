import OutboxCommandLine
import OutboxJSON

let cancelCommand = Command(
    name: "cancel", words: "ID...", summary: "take back messages that have not left"
) { arguments, client in try each(nil, arguments, client, "cancel") }

let retryCommand = Command(
    name: "retry", words: "ID...", summary: "queue failed messages again"
) { arguments, client in try each(nil, arguments, client, "retry") }

/// Does it to every id; the last refusal decides the exit status.
func each(
    _ ids: [String]?, _ arguments: Arguments, _ client: Client, _ verb: String, body: [UInt8] = []
) throws {
    let ids = ids ?? arguments.words
    guard !ids.isEmpty else { throw Arguments.Problem("\(verb) takes the id of a message; see --help") }
    var refusal: ExitStatus?
    for id in ids {
        do {
            let data = try client.call("POST", "/v1/messages/\(escaped(id))/\(verb)", body: body)
            if !client.wantsJSON { print("\(id)\t\(plain(data?["status"]))") }
        } catch let status as ExitStatus {
            if status == .notRunning { throw status }
            complain("  that was \(id)")
            refusal = status
        }
    }
    if let refusal { throw refusal }
}
