import OutboxCommandLine
import OutboxJSON

let lineAddCommand = Command(
    name: "line add", words: "NAME", summary: "add a line, or change what is given of the one of that name",
    options: [
        .init("phone-number-id", value: "ID", "Meta's id of the number (required for a new line)"),
        .init("waba-id", value: "ID", "Meta's id of the WhatsApp business account"),
        .init("token", value: "-", "read Meta's access token from standard input; never give it on the command line"),
        .init("token-secret", value: "NAME", "the credential or file in secrets/ that holds the token"),
        .init("on-unknown", value: "POLICY", "after a lost answer: hold (default), resend or fail"),
        .init("messages-per-second", value: "N", "the number's throughput (default: 80, Meta's)"),
        .init("unknown-grace", value: "SECONDS", "how long to wait for Meta's status first (default: 300)"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var token: String?
    if let given = arguments["token"] {
        // A command line can be read by everybody on the machine.
        guard given == "-" else {
            throw Arguments.Problem("--token takes - alone: the token comes from standard input")
        }
        token = trimmed(try readStandardInput(bytesMax: 8192))
    }
    let rate = try arguments.integer("messages-per-second", in: 1...10_000)
    let before = try client.quietly { try $0.call("GET", "/v1/lines") }?.elements.first { $0["line"]?.string == name }
    let grace = try arguments.integer("unknown-grace", in: 1...2_592_000)
    var json = JSONWriter()
    json.object {
        for (option, field) in [
            ("phone-number-id", "phoneNumberId"), ("waba-id", "wabaId"), ("token-secret", "tokenSecret"),
            ("on-unknown", "onUnknown"),
        ] {
            // What is not given stays as it is.
            let kept = field == "tokenSecret" && token != nil ? nil : before?[field]?.string
            if let value = arguments[option] ?? kept { $0.field(field, value) }
        }
        if let token { $0.field("token", token) }
        if let rate = rate.map(Int64.init) ?? before?["messagesPerSecond"]?.integer {
            $0.field("messagesPerSecond", rate)
        }
        if let grace = grace.map(Int64.init) ?? before?["unknownGraceSeconds"]?.integer {
            $0.field("unknownGraceSeconds", grace)
        }
    }
    let line = try client.call("PUT", "/v1/lines/\(escaped(name))", body: json.bytes)
    if !client.wantsJSON { print("line \(plain(line?["line"])) sends from \(plain(line?["phoneNumberId"]))") }
}

private func trimmed(_ text: String) -> String {
    String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
}

let lineListCommand = Command(
    name: "line ls", words: "", summary: "the lines"
) { arguments, client in
    _ = try words(arguments)
    guard let lines = try client.call("GET", "/v1/lines"), !client.wantsJSON else { return }
    var table = Table(["LINE", "PHONE NUMBER ID", "WABA ID", "TOKEN SECRET", "ON UNKNOWN", "GRACE S", "PER SECOND"])
    for line in lines.elements {
        table.add(
            ["line", "phoneNumberId", "wabaId", "tokenSecret", "onUnknown", "unknownGraceSeconds", "messagesPerSecond"]
                .map { plain(line[$0]) })
    }
    table.show()
}

let lineRemoveCommand = Command(
    name: "line rm", words: "NAME", summary: "remove a line nothing waits on; its ended messages stay"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    _ = try client.call("DELETE", "/v1/lines/\(escaped(name))")
}
