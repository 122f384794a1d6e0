import OutboxCommandLine
import OutboxCore
import OutboxJSON

let sendCommand = Command(
    name: "send", words: "TO [TEXT]",
    summary: "queue a message: a text (- reads standard input), a template or another kind; with --from all of a file",
    options: [
        .init("line", short: "l", value: "LINE", "the line to send from, when there are several"),
        .init("template", short: "t", value: "NAME", "an approved template instead of a text"),
        .init("language", value: "CODE", "the template's language (default: en_US)"),
        .init("param", short: "p", value: "TEXT", "the template's next body variable; may be given several times"),
        .init("components", value: "JSON", "the template's components, whole"),
        .init("fallback", value: "NAME", "with a text: the template that goes when the 24-hour window is closed"),
        .init("any-order", "need not wait for other messages to the same person"),
        .init("when-full", value: "DO", "when the tier is used up: wait or refuse (default: as the line says)"),
        .init("on-unknown", value: "POLICY", "after a lost answer: hold, resend, evidence, fail or byKind"),
        .init("preview-url", "show a preview of the text's first link; or --preview"),
        .init("preview", "the same as --preview-url"),
        .init("at", value: "TIME", "not before: RFC 3339 with offset, such as 2030-01-31T09:00:00+01:00"),
        .init("expires", value: "TIME", "not after"),
        .init("priority", value: "CLASS", "high, normal or low"),
        .init("metadata", value: "JSON", "an object of your own, shown wherever the message is"),
        .init("idempotency-key", value: "KEY", "your name for this call: a repeat of it queues nothing again"),
        .init(
            "wait", value: "STATE", whenBare: "delivered",
            "wait until it is sent, delivered or read (default: delivered)"),
        .init("timeout", value: "SPAN", "with --wait: how long: 90s, 30m, 2h, 1d (default: 60s)"),
        .init("simulate", "queue it and take it through sent and delivered without calling Meta"),
        .init("dry-run", "check everything and say when it would leave; queue nothing"),
        .init("from", value: "FILE", "instead of TO and TEXT: CSV with a header row, or NDJSON; - is standard input"),
        .init("format", value: "FORMAT", "of --from: csv or ndjson (default: by its name or first character)"),
    ] + SendContent.options,
    printsIDs: true
) { arguments, client in
    if arguments.has("from") { return try SendFile(arguments, client).run() }
    if arguments.has("format") { throw Arguments.Problem("--format belongs to --from") }
    guard (arguments.has("body") ? 0...1 : 1...2).contains(arguments.words.count) else {
        throw Arguments.Problem("send takes TO and TEXT, or TO and an option that says what is sent; see --help")
    }
    try refuseMixtures(arguments)
    let body = try messageBody(arguments, client)
    let wait = try Wait(arguments)
    guard let data = try client.call("POST", "/v1/messages", headers: try keyHeader(arguments), body: body) else {
        return
    }
    if client.wantsJSON {
        try wait?.run(data["id"]?.string ?? "", client)
        return
    }
    if arguments.has("dry-run") {
        let estimate = data["estimate"]
        print(
            "would be \(data["status"]?.string ?? "?") on line \(estimate?["line"]?.string ?? "?"), "
                + "\(estimate?["ahead"]?.integer ?? 0) ahead, would leave by \(estimate?["leavesBy"]?.string ?? "?")"
                + (estimate?["limitedBy"]?.string == "tier" ? ", when the tier has room" : ""))
    } else {
        print(data["id"]?.string ?? "")
        try wait?.run(data["id"]?.string ?? "", client)
    }
}

private func keyHeader(_ arguments: Arguments) throws -> [String] {
    guard let key = arguments["idempotency-key"] else { return [] }
    guard IdempotencyKey.isValid(key) else {
        throw Arguments.Problem(
            "--idempotency-key must be 1 to \(IdempotencyKey.lengthMax) visible ASCII characters without spaces")
    }
    return ["Idempotency-Key: \(key)"]
}

/// An option that would be passed over is refused.
private func refuseMixtures(_ arguments: Arguments) throws {
    for option in ["language", "param", "components"]
    where arguments.has(option) && !arguments.has("template") && !arguments.has("fallback") {
        throw Arguments.Problem("--\(option) belongs to --template or --fallback")
    }
    if arguments.has("template"), arguments.has("fallback") {
        throw Arguments.Problem("--template and --fallback exclude each other: a template needs no window")
    }
    if arguments.has("timeout"), !arguments.has("wait") { throw Arguments.Problem("--timeout belongs to --wait") }
    if arguments.has("dry-run"), arguments.has("wait") {
        throw Arguments.Problem("--dry-run and --wait exclude each other: nothing is queued")
    }
    if arguments.has("components"), arguments.has("param") {
        throw Arguments.Problem("--components and --param exclude each other")
    }
    if arguments.has("idempotency-key"), arguments.has("dry-run") {
        throw Arguments.Problem("--idempotency-key and --dry-run exclude each other: a dry run queues nothing anyway")
    }
}

private func messageBody(_ arguments: Arguments, _ client: Client) throws -> [UInt8] {
    func raw(_ name: String) throws -> ArraySlice<UInt8>? {
        guard let text = arguments[name] else { return nil }
        do {
            return try JSONParser().parse(text.utf8).raw
        } catch {
            throw Arguments.Problem("--\(name) is \(error)")
        }
    }
    var text = arguments.words.count > 1 ? arguments.words[1] : nil
    if text == "-" {
        var input = try readStandardInput(bytesMax: 65_536)
        // The line end of echo and of editors is not part of the message.
        if input.hasSuffix("\n") || input.hasSuffix("\r\n") { input.removeLast() }
        text = input
    }
    let content = try SendContent(arguments, client, text: text)
    let components = try raw("components")
    let metadata = try raw("metadata")
    var json = JSONWriter()
    try json.object {
        if let to = arguments.words.first { $0.field("to", to) }
        if let content {
            try content.write(to: &$0)
        } else if let text {
            $0.field("message", text)
        }
        if arguments.has("preview-url") || arguments.has("preview") { $0.field("previewUrl", true) }
        if let name = arguments["template"] {
            $0.object("template") { template(name, arguments, components, &$0) }
        }
        for (option, field) in [
            ("reply-to", "replyTo"), ("when-full", "whenFull"), ("on-unknown", "onUnknown"), ("line", "line"),
            ("at", "sendAt"),
            ("expires", "expiresAt"),
            ("priority", "priority"),
        ] {
            if let value = arguments[option] { $0.field(field, value) }
        }
        if let name = arguments["fallback"] {
            $0.object("fallback") { json in
                json.object("template") { template(name, arguments, components, &$0) }
            }
        }
        if arguments.has("any-order") { $0.field("order", "any") }
        if let metadata { $0.field("metadata", raw: metadata) }
        if arguments.has("dry-run") { $0.field("dryRun", true) }
        if arguments.has("simulate") { $0.field("simulate", true) }
    }
    return json.bytes
}

private func template(
    _ name: String, _ arguments: Arguments, _ components: ArraySlice<UInt8>?, _ json: inout JSONWriter
) {
    json.field("name", name)
    json.field("language", arguments["language"] ?? "en_US")
    let parameters = arguments.all("param")
    if let components {
        json.field("components", raw: components)
    } else if !parameters.isEmpty {
        json.array("components") {
            $0.object {
                $0.field("type", "body")
                $0.array("parameters") {
                    for text in parameters {
                        $0.object {
                            $0.field("type", "text")
                            $0.field("text", text)
                        }
                    }
                }
            }
        }
    }
}
