import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let optOutListCommand = Command(
    name: "opt-out ls", words: "", summary: "who wants no marketing, since when and how that is known",
    options: pageOptions, printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page("/v1/opt-outs", arguments, client, ["RECIPIENT", "SOURCE", "LINE", "SINCE", "REASON"]) { entry in
        ["recipient", "source", "line", "since", "reason"].map { plain(entry[$0]) }
    }
}

let optOutAddCommand = Command(
    name: "opt-out add", words: "RECIPIENT",
    summary: "send this person no marketing any more; --reason says why"
) { arguments, client in
    let recipient = try words(arguments, "RECIPIENT")[0]
    var json = JSONWriter()
    json.object { if let reason = arguments["reason"] { $0.field("reason", reason) } }
    _ = try client.call("PUT", "/v1/opt-outs/\(percentEncoded(recipient))", body: json.bytes)
}

let optOutShowCommand = Command(
    name: "opt-out show", words: "RECIPIENT", summary: "whether a person wants no marketing; 4 when not on the list"
) { arguments, client in
    let recipient = try words(arguments, "RECIPIENT")[0]
    guard let entry = try client.call("GET", "/v1/opt-outs/\(percentEncoded(recipient))"), !client.wantsJSON else {
        return
    }
    show(entry)
}

let optOutRemoveCommand = Command(
    name: "opt-out rm", words: "RECIPIENT", summary: "this person wants marketing again"
) { arguments, client in
    let recipient = try words(arguments, "RECIPIENT")[0]
    _ = try client.call("DELETE", "/v1/opt-outs/\(percentEncoded(recipient))")
}

private func scope(_ arguments: Arguments) -> String { arguments["line"].map { "line:\($0)" } ?? "account" }

private let capLineOption = Arguments.Option("line", value: "NAME", "of this line alone (default: of all together)")

let capListCommand = Command(
    name: "cap ls", words: "", summary: "how much marketing one person may be sent"
) { arguments, client in
    _ = try words(arguments)
    guard let caps = try client.call("GET", "/v1/marketing-caps"), !client.wantsJSON else { return }
    var table = Table(["SCOPE", "MESSAGES", "DAYS", "WHEN REACHED"])
    for cap in caps.elements { table.add(["scope", "messages", "days", "whenReached"].map { plain(cap[$0]) }) }
    table.show(client)
}

let capSetCommand = Command(
    name: "cap set", words: "MESSAGES/DAYS",
    summary: "at most so many marketing messages to one person in so many days",
    options: [
        capLineOption, .init("when-reached", value: "DO", "wait (default) until there is room, or fail"),
    ]
) { arguments, client in
    let parts = try words(arguments, "MESSAGES/DAYS")[0].split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let messages = Int64(parts[0]), let days = Int64(parts[1]) else {
        throw Arguments.Problem("give MESSAGES/DAYS, such as 2/7")
    }
    var json = JSONWriter()
    json.object {
        $0.field("messages", messages)
        $0.field("days", days)
        if let done = arguments["when-reached"] { $0.field("whenReached", done) }
    }
    _ = try client.call("PUT", "/v1/marketing-caps/\(percentEncoded(scope(arguments)))", body: json.bytes)
}

let capRemoveCommand = Command(
    name: "cap rm", words: "", summary: "take a cap away", options: [capLineOption]
) { arguments, client in
    _ = try words(arguments)
    _ = try client.call("DELETE", "/v1/marketing-caps/\(percentEncoded(scope(arguments)))")
}
