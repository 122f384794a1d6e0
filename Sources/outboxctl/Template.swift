import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let templateListCommand = Command(
    name: "template ls", words: "LINE", summary: "the templates of a line, as Meta last listed them",
    options: [
        .init("name", value: "NAME", "of this name alone, in all languages"),
        .init("language", value: "CODE", "in this language alone, such as en_US"),
        .init("category", value: "CATEGORY", "MARKETING, UTILITY or AUTHENTICATION"),
        .init("status", value: "STATUS", "APPROVED, PENDING, REJECTED, PAUSED, DISABLED, …; several with commas"),
        .init("search", value: "TEXT", "with this text in the name, a text or a button"),
    ],
    printsIDs: true
) { arguments, client in
    let name = try words(arguments, "LINE")[0]
    var filters: [String] = []
    for (option, parameter) in [
        ("name", "name"), ("language", "language"), ("category", "category"), ("status", "status"), ("search", "q"),
    ] {
        if let value = arguments[option] { filters.append("&\(parameter)=\(percentEncoded(value))") }
    }
    let path = "/v1/lines/\(percentEncoded(name))/templates?limit=200\(filters.joined())"
    var table = Table(["NAME", "LANGUAGE", "STATUS", "CATEGORY"])
    var count = 0
    var cursor: String?
    repeat {
        let page = try client.whole("GET", path + (cursor.map { "&cursor=\(percentEncoded($0))" } ?? ""))
        for template in page?["data"]?.elements.map({ $0 }) ?? [] {
            count += 1
            table.add(["name", "language", "status", "category"].map { plain(template[$0]) })
        }
        cursor = page?["meta"]?["pagination"]?["cursor"]?.string
    } while cursor != nil
    if client.wantsJSON { return }
    if count == 0, filters.isEmpty {
        complain("none, or not read yet: see outboxctl line health \(name); the list needs the line's --waba-id")
    }
    table.show(client)
}

private func place(_ words: [String]) -> String {
    "/v1/lines/\(percentEncoded(words[0]))/templates/" + words.dropFirst().map(percentEncoded).joined(separator: "/")
}

let templateShowCommand = Command(
    name: "template show", words: "LINE NAME LANGUAGE", summary: "one template, whole, as Meta has it"
) { arguments, client in
    let words = try words(arguments, "LINE", "NAME", "LANGUAGE")
    guard let template = try client.call("GET", place(words)), !client.wantsJSON else { return }
    print(String(decoding: shown(json: template.raw), as: UTF8.self))
}

private let dryRun = Arguments.Option("dry-run", "check it alone; Meta is not asked")

/// The object in a file, or on standard input (`-`), with `dryRun` where that is wished.
private func object(_ file: String, _ arguments: Arguments) throws -> [UInt8] {
    let text = try readFile(file, bytesMax: 256 << 10)
    let value: JSONValue
    do {
        value = try JSONParser().parse(text.utf8)
    } catch {
        throw Arguments.Problem("\(file) is \(error)")
    }
    guard value.kind == .object else { throw Arguments.Problem("\(file) holds no JSON object") }
    guard arguments.has("dry-run") else { return Array(value.raw) }
    var json = JSONWriter()
    json.object {
        for (name, member) in value.members where name != "dryRun" { $0.field(name, raw: member.raw) }
        $0.field("dryRun", true)
    }
    return json.bytes
}

let templateCreateCommand = Command(
    name: "template create", words: "LINE FILE",
    summary: "have Meta review a new template: FILE is JSON as Meta writes it (name, language, category, components)",
    options: [dryRun]
) { arguments, client in
    let words = try words(arguments, "LINE", "FILE")
    let body = try object(words[1], arguments)
    let made = try client.call("POST", "/v1/lines/\(percentEncoded(words[0]))/templates", body: body, takesLong: true)
    guard !client.wantsJSON else { return }
    if arguments.has("dry-run") {
        print("\(plain(made?["name"]))/\(plain(made?["language"])) may go to Meta")
    } else {
        print(
            "\(plain(made?["name"]))/\(plain(made?["language"])) is \(plain(made?["status"])), "
                + "category \(plain(made?["category"]))")
    }
}

let templateEditCommand = Command(
    name: "template edit", words: "LINE NAME LANGUAGE FILE",
    summary: "change a template: FILE is JSON with what changes (components, category, …); Meta reviews it once more",
    options: [dryRun]
) { arguments, client in
    let words = try words(arguments, "LINE", "NAME", "LANGUAGE", "FILE")
    let body = try object(words[3], arguments)
    let changed = try client.call("PUT", place(Array(words.prefix(3))), body: body, takesLong: true)
    guard !client.wantsJSON else { return }
    print(
        arguments.has("dry-run")
            ? "the change may go to Meta"
            : "\(plain(changed?["name"]))/\(plain(changed?["language"])) is \(plain(changed?["status"]))")
}

let templateRemoveCommand = Command(
    name: "template rm", words: "LINE NAME [LANGUAGE]",
    summary: "remove a template at Meta; its name cannot be used again for 30 days",
    options: [.init("all-languages", "in place of LANGUAGE: in every language it has")]
) { arguments, client in
    let all = arguments.has("all-languages")
    guard arguments.words.count == (all ? 2 : 3) else {
        throw Arguments.Problem("template rm takes LINE, NAME and LANGUAGE, or LINE, NAME and --all-languages")
    }
    let gone = try client.call("DELETE", place(arguments.words), takesLong: true)
    guard !client.wantsJSON else { return }
    print(
        "removed \(plain(gone?["name"])): \(gone?["languages"]?.elements.compactMap(\.string).joined(separator: ", ") ?? "")"
    )
}

let templateSyncCommand = Command(
    name: "template sync", words: "LINE", summary: "have the list read again now, and see what changed"
) { arguments, client in
    let name = try words(arguments, "LINE")[0]
    let sync = try client.call("POST", "/v1/lines/\(percentEncoded(name))/template-sync", takesLong: true)
    guard let sync, !client.wantsJSON else { return }
    let changes = sync["changes"]?.elements.map { $0 } ?? []
    for change in changes {
        let template = "\(plain(change["name"]))/\(plain(change["language"]))"
        switch (change["statusBefore"]?.string, change["status"]?.string) {
        case (nil, let now?): print("\(template) is new: \(now), \(plain(change["category"]))")
        case (let before?, nil): print("\(template) is gone; it was \(before)")
        default:
            print(
                "\(template) was \(plain(change["statusBefore"])), \(plain(change["categoryBefore"])); is now "
                    + "\(plain(change["status"])), \(plain(change["category"]))")
        }
    }
    print("\(plain(sync["total"])) templates, \(changes.count) changed")
}

let templatePreviewCommand = Command(
    name: "template preview", words: "LINE NAME LANGUAGE", summary: "a template with its variables filled in",
    options: [
        .init("param", short: "p", value: "TEXT", "the body's next variable; may be given several times"),
        .init("named", value: "NAME=TEXT", "a variable of the body that has a name; may be given several times"),
        .init("components", value: "JSON", "all components, as a message has them"),
    ]
) { arguments, client in
    let words = try words(arguments, "LINE", "NAME", "LANGUAGE")
    let body = try previewBody(arguments)
    guard let shown = try client.call("POST", place(words) + "/preview", body: body), !client.wantsJSON else { return }
    if let header = shown["header"], !header.isNull {
        print(header["text"]?.string ?? "[\(plain(header["format"]))]")
        print("")
    }
    if let text = shown["body"]?.string { print(text) }
    if let footer = shown["footer"]?.string { print("\n\(footer)") }
    for button in shown["buttons"]?.elements.map({ $0 }) ?? [] {
        let more = ["url", "phoneNumber", "code"].compactMap { button[$0]?.string }.joined(separator: " ")
        print("\n[ \(plain(button["text"])) ]\(more.isEmpty ? "" : "  \(more)")", terminator: "")
    }
    if shown["buttons"]?.elements.first(where: { _ in true }) != nil { print("") }
    for (index, card) in (shown["cards"]?.elements.map { $0 } ?? []).enumerated() {
        print("\ncard \(index + 1): \(plain(card["body"]))")
    }
    for problem in shown["problems"]?.elements.map({ $0 }) ?? [] {
        complain("missing: \(problem["field"]?.string ?? "") \(problem["message"]?.string ?? "")")
    }
    if shown["complete"]?.bool == false { throw ExitStatus.unhealthy }
}

private func previewBody(_ arguments: Arguments) throws -> [UInt8] {
    let (texts, named) = (arguments.all("param"), arguments.all("named"))
    guard [!texts.isEmpty, !named.isEmpty, arguments.has("components")].count(where: { $0 }) <= 1 else {
        throw Arguments.Problem("--param, --named and --components exclude each other")
    }
    var json = JSONWriter()
    try json.object {
        if let text = arguments["components"] {
            do {
                $0.field("components", raw: try JSONParser().parse(text.utf8).raw)
            } catch let error as JSONError {
                throw Arguments.Problem("--components is \(error)")
            }
            return
        }
        let pairs: [(name: String?, text: String)] =
            try texts.map { (nil, $0) }
            + named.map { word in
                guard let equals = word.firstIndex(of: "=") else {
                    throw Arguments.Problem("--named \(word): give NAME=TEXT")
                }
                return (String(word[..<equals]), String(word[word.index(after: equals)...]))
            }
        guard !pairs.isEmpty else { return }
        $0.array("components") {
            $0.object {
                $0.field("type", "body")
                $0.array("parameters") {
                    for (name, text) in pairs {
                        $0.object {
                            $0.field("type", "text")
                            if let name { $0.field("parameter_name", name) }
                            $0.field("text", text)
                        }
                    }
                }
            }
        }
    }
    return json.bytes
}
