import OutboxAPI
import OutboxCommandLine
import OutboxJSON
import OutboxMeta

let explainCodeCommand = Command(
    name: "explain-code", words: "CODE ...",
    summary: "what an errorCode means, Meta's or outboxd's, what outboxd does, what you can do",
    options: [.init("manual", "print all of them as the manual page outboxd-errors(7)")]
) { arguments, client in
    if arguments.has("manual") {
        guard arguments.words.isEmpty else { throw Arguments.Problem("--manual prints all codes; leave CODE away") }
        print(errorManual(), terminator: "")
        return
    }
    guard !arguments.words.isEmpty else { throw Arguments.Problem("explain-code takes CODE; see --help") }
    for (index, word) in arguments.words.enumerated() {
        if index > 0, !client.wantsJSON { print() }
        try explain(word, client)
    }
}

private func explain(_ word: String, _ client: Client) throws {
    guard let rows = ownWords(word) ?? Int64(word).flatMap(MetaError.of).map(metaWords) else {
        complain(
            "outboxctl: \(word) is no code outboxd knows; with HTTP 5xx the outcome counts as unknown, "
                + "marked transient it is tried again, else the message fails")
        throw ExitStatus.notFound
    }
    if client.wantsJSON {
        var json = JSONWriter()
        json.object { json in json.object("data") { for (name, text) in rows { $0.field(name, text) } } }
        print(String(decoding: json.bytes, as: UTF8.self))
    } else {
        for (name, text) in rows { print("\(name)\(String(repeating: " ", count: 8 - name.count))\(text)") }
    }
}

private func metaWords(_ error: MetaError) -> [(String, String)] {
    [
        ("code", String(error.code)), ("title", error.title), ("means", error.meaning), ("sent", "no"),
        ("then", error.action), ("wait", error.errorClass.waitWords), ("remedy", error.remedy),
        ("source", error.source.rawValue),
    ]
}

private func ownWords(_ word: String) -> [(String, String)]? {
    ownCode(word).map {
        [
            ("code", word), ("means", $0.means), ("sent", $0.sent), ("then", $0.then), ("remedy", $0.remedy),
            ("source", "outboxd"),
        ]
    }
}
