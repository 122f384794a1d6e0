import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let lineAddCommand = Command(
    name: "line add", words: "NAME", summary: "add a line, or change what is given of the one of that name",
    options: [
        .init("wizard", "ask step by step on the terminal, each answer checked with Meta at once"),
        .init("phone-number-id", value: "ID", "Meta's id of the number (required for a new line)"),
        .init("waba-id", value: "ID", "Meta's id of the WhatsApp business account"),
        .init("token", value: "-", "read Meta's access token from standard input; never give it on the command line"),
        .init("token-secret", value: "NAME", "the credential or file in secrets/ that holds the token"),
        .init("on-unknown", value: "POLICY", "after a lost answer: byKind (default), hold, resend, evidence or fail"),
        .init("messages-per-second", value: "N", "the number's throughput (default: what Meta says, or 80)"),
        .init("burst", value: "N", "messages that may leave at once after a pause (default: 1)"),
        .init("pool", value: "NAME", "count its people with other lines of the same portfolio (default: alone)"),
        .init(
            "pair-limit", value: "ON", "on (default) or off: 45 messages in a burst, then one per 6 s, to one person"),
        .init("when-full", value: "DO", "when the tier is used up: wait (default) or refuse, with 429"),
        .init("when-stopped", value: "DO", "while Meta stops the line: hold (default) or refuse new messages"),
        .init(
            "when-down", value: "DO", "while nothing gets through: accept (default) or refuse new messages, with 503"),
        .init("closed-window", value: "DO", "free-form outside 24 hours: refuse (default), or leave it to Meta"),
        .init("attempts-max", value: "N", "attempts that count before a message fails (default: 10)"),
        .init("first-wait", value: "SECONDS", "bound of the first wait between them; doubles (default: 2)"),
        .init("max-wait", value: "SECONDS", "the longest of these bounds (default: 600)"),
        .init("max-age", value: "SECONDS", "messages expire after this unless they say otherwise (default: never)"),
        .init(
            "opt-out-keywords", value: "WORDS",
            "with commas: who writes one wants no marketing, such as STOP; - for none"),
        .init("opt-in-keywords", value: "WORDS", "who writes one of these wants it again, such as START; - for none"),
        .init("bot", value: "ID", "the subscription whose answers to received messages are sent, or none (default)"),
        .init(
            "auto-reply", value: "TEXT", "answer whoever writes with this, once a day; off: nothing, nor the bot; or on"
        ),
        .init("auto-reply-seconds", value: "N", "how long a person is not answered so again (default: 86400)"),
        .init("unknown-grace", value: "SECONDS", "how long to wait for Meta's status first (default: 300)"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    if arguments.has("wizard") { return try LineWizard(name, arguments, client).run() }
    var token: String?
    if let given = arguments["token"] {
        // A command line can be read by everybody on the machine.
        guard given == "-" else {
            throw Arguments.Problem("--token takes - alone: the token comes from standard input")
        }
        token = trimmed(try readStandardInput(bytesMax: 8192))
    }
    let before = try client.quietly { try $0.call("GET", "/v1/lines") }?.elements.first { $0["line"]?.string == name }
    var json = JSONWriter()
    try json.object {
        // What is not given stays as it is.
        for (option, field) in textFields {
            let kept = field == "tokenSecret" && token != nil ? nil : before?[field]?.string
            $0.field(field, arguments[option] ?? kept)
        }
        if let token { $0.field("token", token) }
        for (option, field, range) in numberFields {
            let given = try arguments.integer(option, in: range).map(Int64.init)
            $0.field(field, given ?? before?[field]?.integer)
        }
        for (option, field) in [("opt-out-keywords", "optOutKeywords"), ("opt-in-keywords", "optInKeywords")] {
            if let given = arguments[option] {
                let words = given == "-" ? [] : given.split(separator: ",").map { trimmed($0) }
                $0.array(field) { for word in words { $0.value(word) } }
            } else if let kept = before?[field] {
                $0.field(field, raw: kept.raw)
            }
        }
        if let pairs = try pairLimit(arguments) ?? before?["pairLimit"]?.bool { $0.field("pairLimit", pairs) }
        let bot = try bot(arguments) ?? before?["bot"]?.integer
        if let bot, bot != noBot { $0.field("bot", bot) }
        writeAutoReply(to: &$0, arguments["auto-reply"], before)
    }
    let line = try client.call("PUT", "/v1/lines/\(percentEncoded(name))", body: json.bytes)
    if !client.wantsJSON { print("line \(plain(line?["line"])) sends from \(plain(line?["phoneNumberId"]))") }
}

let textFields = [
    ("phone-number-id", "phoneNumberId"), ("waba-id", "wabaId"), ("token-secret", "tokenSecret"),
    ("on-unknown", "onUnknown"), ("pool", "pool"), ("when-full", "whenFull"), ("when-stopped", "whenStopped"),
    ("when-down", "whenDown"),
    ("closed-window", "closedWindow"),
]

let numberFields: [(String, String, ClosedRange<Int>)] = [
    ("messages-per-second", "messagesPerSecond", 1...10_000), ("unknown-grace", "unknownGraceSeconds", 1...2_592_000),
    ("attempts-max", "attemptsMax", 1...1000),
    ("burst", "burst", 1...1000), ("first-wait", "firstWaitSeconds", 1...86_400),
    ("max-wait", "maxWaitSeconds", 1...86_400), ("max-age", "maxAgeSeconds", 1...31_536_000),
    ("auto-reply-seconds", "autoReplySeconds", 1...2_592_000),
]

private func pairLimit(_ arguments: Arguments) throws -> Bool? {
    switch arguments["pair-limit"] {
    case nil: nil
    case "on": true
    case "off": false
    default: throw Arguments.Problem("--pair-limit takes on or off")
    }
}

private let noBot: Int64 = 0

/// Nil: not given.
private func bot(_ arguments: Arguments) throws -> Int64? {
    guard let text = arguments["bot"] else { return nil }
    if text == "none" { return noBot }
    guard let id = Int64(text), id > noBot else {
        throw Arguments.Problem("--bot takes the id of a subscription, see outboxctl webhook ls, or none")
    }
    return id
}

/// `given` is `on`, `off` or a text; nil: it stays as it is.
func writeAutoReply(to json: inout JSONWriter, _ given: String?, _ before: JSONValue?) {
    let was = before?["autoReply"]
    let isSwitch = given == "on" || given == "off"
    guard given != nil || was != nil else { return }
    json.object("autoReply") {
        $0.field("enabled", given.map { $0 != "off" } ?? was?["enabled"]?.bool ?? true)
        $0.field("text", isSwitch ? was?["text"]?.string : given ?? was?["text"]?.string)
    }
}

/// Without white space at its ends.
func trimmed(_ text: some StringProtocol) -> String {
    String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
}

let lineListCommand = Command(
    name: "line ls", words: "", summary: "the lines",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let lines = try client.call("GET", "/v1/lines"), !client.wantsJSON else { return }
    var table = Table([
        "LINE", "PHONE NUMBER ID", "WABA ID", "TOKEN SECRET", "ON UNKNOWN", "GRACE S", "PER SECOND", "POOL",
    ])
    for line in lines.elements {
        table.add(
            [
                "line", "phoneNumberId", "wabaId", "tokenSecret", "onUnknown", "unknownGraceSeconds",
                "messagesPerSecond", "pool",
            ]
            .map { plain(line[$0]) })
    }
    table.show(client)
}

let lineRemoveCommand = Command(
    name: "line rm", words: "NAME", summary: "remove a line nothing waits on; its ended messages stay"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    _ = try client.call("DELETE", "/v1/lines/\(percentEncoded(name))")
}
