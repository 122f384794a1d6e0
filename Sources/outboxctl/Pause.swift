import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

private let scopeOptions: [Arguments.Option] = [
    .init("everything", "all messages of all lines"),
    .init("line", value: "NAME", "the messages of this line; also narrows the others"),
    .init("template", value: "NAME", "messages of this template, in every language"),
    .init("batch", value: "ID", "messages of this batch"),
    .init("priority", value: "CLASS", "messages of the class high, normal or low"),
]

private let fields = [("line", "line"), ("template", "template"), ("batch", "batchId"), ("priority", "priority")]

let pauseCommand = Command(
    name: "pause", words: "", summary: "hold messages back until they are resumed; survives a restart",
    options: scopeOptions + [
        .init("for", value: "SPAN", "how long: 90s, 30m, 2h, 1d (default: until resumed)"),
        .init("until", value: "TIME", "RFC 3339 with offset"),
    ]
) { arguments, client in
    _ = try words(arguments)
    try checkScope(arguments)
    var json = JSONWriter()
    try json.object {
        if arguments.has("everything") { $0.field("everything", true) }
        for (option, field) in fields { $0.field(field, arguments[option]) }
        $0.field("reason", arguments["reason"])
        $0.field("until", arguments["until"])
        if let span = arguments["for"] { $0.field("seconds", try seconds(span)) }
    }
    guard let pause = try client.call("POST", "/v1/pauses", body: json.bytes), !client.wantsJSON else { return }
    let until = pause["until"]?.string.map { " until \($0)" } ?? ""
    let id = plain(pause["id"])
    print("pause \(id): \(words(of: pause))\(until); outboxctl resume \(id) ends it")
}

private func checkScope(_ arguments: Arguments) throws {
    let targets = ["template", "batch", "priority"].filter { arguments.has($0) }
    let everything = arguments.has("everything")
    guard everything || arguments.has("line") || !targets.isEmpty else {
        throw Arguments.Problem("say what to pause: --everything, --line, --template, --batch or --priority")
    }
    if targets.count > 1 { throw Arguments.Problem("--\(targets.joined(separator: " and --")) exclude each other") }
    if everything, arguments.has("line") || !targets.isEmpty { throw Arguments.Problem("--everything stands alone") }
    if arguments.has("for"), arguments.has("until") { throw Arguments.Problem("--for and --until exclude each other") }
}

let pauseListCommand = Command(name: "pause ls", words: "", summary: "what is paused, by whom and why", printsIDs: true)
{
    arguments, client in
    _ = try words(arguments)
    guard let pauses = try client.call("GET", "/v1/pauses"), !client.wantsJSON else { return }
    var table = Table(["ID", "WHAT", "BY", "SINCE", "UNTIL", "REASON"])
    for pause in pauses.elements {
        table.add(
            [plain(pause["id"]), words(of: pause)]
                + ["pausedBy", "pausedAt", "until", "reason"].map { plain(pause[$0]) })
    }
    table.show(client)
}

let resumeCommand = Command(
    name: "resume", words: "[ID]", summary: "end a pause, by its number or by what it holds back",
    options: scopeOptions + [.init("all", "end every pause")]
) { arguments, client in
    guard arguments.words.count <= 1 else { throw Arguments.Problem("resume takes one ID at most; see --help") }
    let wanted = fields.filter { arguments[$0.0] != nil }
    let everything = arguments.has("everything")
    let ways = [!arguments.words.isEmpty, arguments.has("all"), everything, !wanted.isEmpty].count { $0 }
    guard ways == 1 else {
        throw Arguments.Problem(
            ways == 0
                ? "say which pause: an ID, what it holds back, or --all; see outboxctl pause ls"
                : "an ID, --all, --everything and what a pause holds back exclude each other")
    }
    if let id = arguments.words.first {
        _ = try client.call("DELETE", "/v1/pauses/\(percentEncoded(id))")
        return
    }
    let pauses = try client.quietly { try $0.call("GET", "/v1/pauses") }?.elements.map { $0 } ?? []
    let ended = pauses.filter { pause in
        if arguments.has("all") { return true }
        if everything { return pause["scope"]?.string == "everything" }
        return fields.allSatisfy { option, field in pause[field]?.string == arguments[option] }
    }
    for pause in ended { _ = try client.call("DELETE", "/v1/pauses/\(plain(pause["id"]))") }
    guard !ended.isEmpty else {
        complain("outboxctl: no such pause; see outboxctl pause ls")
        throw ExitStatus.notFound
    }
    if !client.wantsJSON { print("ended \(ended.count) pause\(ended.count == 1 ? "" : "s")") }
}

func words(of pause: JSONValue) -> String {
    if pause["scope"]?.string == "everything" { return "everything" }
    return fields.compactMap { name, field in
        pause[field].flatMap { $0.isNull ? nil : "\(name) \(plain($0))" }
    }.joined(separator: ", ")
}

/// `90s`, `30m`, `2h`, `1d`
func seconds(_ span: String) throws -> Int64 {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    guard let unit = span.last.flatMap({ units[$0] }), let number = Int64(span.dropLast()), number > 0,
        number <= 31_536_000 / unit
    else { throw Arguments.Problem("\(span): a span is a whole number and s, m, h or d, such as 30m; 365d at most") }
    return number * unit
}
