import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let accountListCommand = Command(
    name: "account ls", words: "", summary: "accounts: the owners of lines, messages, keys and subscriptions",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let all = try client.call("GET", "/v1/accounts"), !client.wantsJSON else { return }
    var table = Table(["ID", "NAME", "PLAN", "LABEL", "EMAIL", "CREATED"])
    for one in all.elements {
        table.add(["id", "name", "plan", "label", "email", "createdAt"].map { plain(one[$0]) })
    }
    table.show(client)
}

let accountAddCommand = Command(
    name: "account add", words: "NAME",
    summary: "make an account; readers, senders and admins in the settings, or keys, give it callers",
    options: profileOptions
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    json.object {
        $0.field("name", name)
        write(profile: arguments, to: &$0)
    }
    guard let made = try client.call("POST", "/v1/accounts", body: json.bytes), !client.wantsJSON else { return }
    show(made)
}

let accountSetCommand = Command(
    name: "account set", words: "NAME", summary: "say anew what belongs to an account; what is not given is no more",
    options: profileOptions
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    json.object { write(profile: arguments, to: &$0) }
    guard let account = try client.call("PUT", "/v1/accounts/\(percentEncoded(name))", body: json.bytes),
        !client.wantsJSON
    else { return }
    show(account)
}

private let profileOptions: [Arguments.Option] = [
    .init("plan", value: "PLAN", "calls a minute of each key: free 20, basic 100, pro 500, enterprise 2000"),
    .init("label", value: "TEXT", "whose it is, in words"),
    .init("email", value: "ADDRESS", "of whoever looks after it"),
]

private func write(profile arguments: Arguments, to json: inout JSONWriter) {
    for name in ["plan", "label", "email"] { if let text = arguments[name] { json.field(name, text) } }
}

let keyListCommand = Command(
    name: "key ls", words: "", summary: "bearer keys of the account, and when each was used", printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let all = try client.call("GET", "/v1/keys"), !client.wantsJSON else { return }
    var table = Table(["ID", "NAME", "ROLE", "CREATED", "BY", "ROTATED", "OLD ONE UNTIL", "LAST USED"])
    for one in all.elements {
        table.add(
            ["id", "name", "role", "createdAt", "createdBy", "rotatedAt", "oldKeyUntil", "lastUsedAt"].map {
                plain(one[$0])
            })
    }
    table.show(client)
}

let keyAddCommand = Command(
    name: "key add", words: "NAME", summary: "make a bearer key for callers that are no local users; prints it, once",
    options: [
        .init("role", value: "ROLE", "what it may do: read, send (default) or admin"),
        .init("prefix", value: "PREFIX", "what it begins with: sk_live_ (default), cm_ or sk_org_"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    json.object {
        $0.field("name", name)
        $0.field("role", arguments["role"] ?? "send")
        if let prefix = arguments["prefix"] { $0.field("prefix", prefix) }
    }
    guard let made = try client.call("POST", "/v1/keys", body: json.bytes), !client.wantsJSON else { return }
    print("key \(plain(made["id"])) (\(plain(made["role"])))")
    print(plain(made["key"]))
}

let keyRotateCommand = Command(
    name: "key rotate", words: "ID",
    summary: "another key in place of one, printed once; the old one counts for a while",
    options: [.init("overlap", value: "SPAN", "how long: 90s, 30m, 2h, 7d; 0 for not at all (default: 1d)")]
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    var json = JSONWriter()
    let overlap = arguments["overlap"]
    let span: Int64? = try overlap.map { text in text == "0" ? 0 : try seconds(text) }
    json.object { if let span { $0.field("overlapSeconds", span) } }
    guard let made = try client.call("POST", "/v1/keys/\(percentEncoded(id))/rotate", body: json.bytes),
        !client.wantsJSON
    else { return }
    print(plain(made["key"]))
}

let keyRemoveCommand = Command(name: "key rm", words: "ID", summary: "end a bearer key at once, its old one too") {
    arguments, client in
    _ = try client.call("DELETE", "/v1/keys/\(percentEncoded(try words(arguments, "ID")[0]))")
}
