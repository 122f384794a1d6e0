import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let whyCommand = Command(
    name: "why", words: "[ID]", summary: "why a message waits, when it leaves, and what can be done",
    options: [.init("line", value: "NAME", "instead: what all messages of this line wait on")]
) { arguments, client in
    if let line = arguments["line"] {
        _ = try words(arguments)
        return try whyLine(line, client)
    }
    let id = try words(arguments, "ID")[0]
    guard let why = try client.call("GET", "/v1/messages/\(percentEncoded(id))/why"), !client.wantsJSON else { return }
    print("status      \(plain(why["status"]))")
    for gate in why["gates"]?.elements.map({ $0 }) ?? [] { show(gate: gate) }
    if let ahead = why["ahead"]?.integer, ahead > 0 {
        print("ahead       \(ahead) message\(ahead == 1 ? "" : "s") of the line")
    }
    print("leaves      \(why["leavesAt"]?.string.map { "\($0), " } ?? "")\(plain(why["estimate"]))")
}

private func show(gate: JSONValue) {
    let passes = gate["passes"]?.bool ?? false
    let name = plain(gate["gate"])
    let times = [("since", "since"), ("until", "until")].compactMap { field, word in
        gate[field]?.string.map { "\(word) \($0)" }
    }.joined(separator: ", ")
    let pad = String(repeating: " ", count: max(1, 16 - name.count))
    print(
        "\(passes ? "  ok  " : " WAIT ")      \(name)\(pad)\(plain(gate["reason"]))\(times.isEmpty ? "" : " (\(times))")"
    )
    guard !passes else { return }
    if let remedy = gate["remedy"]?.string { print("                            \(remedy)") }
    if let command = gate["command"]?.string { print("                            $ \(command)") }
}

private func whyLine(_ line: String, _ client: Client) throws {
    guard let why = try client.call("GET", "/v1/lines/\(percentEncoded(line))/why"), !client.wantsJSON else { return }
    if let stopped = why["stopped"]?.string { print("stopped     \(stopped)") }
    for (field, words) in [("held", "nothing of this line gets through"), ("metaHeld", "nothing gets through to Meta")]
    {
        guard let hold = why[field] else { continue }
        print(
            "held        \(words) since \(plain(hold["since"])), next try \(plain(hold["nextTryAt"])): "
                + "\(plain(hold["errorCode"])) \(plain(hold["errorMessage"]))")
    }
    for pause in why["pauses"]?.elements.map({ $0 }) ?? [] {
        let until = pause["until"]?.string.map { " until \($0)" } ?? ""
        let reason = pause["reason"]?.string.map { ": \($0)" } ?? ""
        print(
            "paused      \(words(of: pause)) by \(plain(pause["pausedBy"]))\(until)\(reason); "
                + "outboxctl resume \(plain(pause["id"]))")
    }
    for field in ["scheduled", "retrying"] {
        if let count = why[field]?.integer, count > 0 { print("\(count) \(field)") }
    }
    for wait in why["waiting"]?.elements.map({ $0 }) ?? [] {
        print("\(plain(wait["count"])) wait at \(plain(wait["gate"]))")
    }
    if let pool = why["pool"] {
        let limit = pool["limit"]?.integer.map { "of \($0) people" } ?? "people, without limit,"
        let next = pool["nextFreeAt"]?.string.map { ", the next place is free at \($0)" } ?? ""
        print("pool        \(plain(pool["pool"])): \(plain(pool["used"])) \(limit) written to in 24 hours\(next)")
    }
}

let lineHealthCommand = Command(
    name: "line health", words: "NAME", summary: "what Meta says of a line: status, quality, tier, what it can do"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    guard let health = try client.call("GET", "/v1/lines/\(percentEncoded(name))/health"), !client.wantsJSON else {
        return
    }
    show(health)
}
