import OutboxCommandLine
import OutboxJSON

let accountListCommand = Command(
    name: "account ls", words: "", summary: "accounts: the owners of lines, messages, keys and subscriptions",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let all = try client.call("GET", "/v1/accounts"), !client.wantsJSON else { return }
    var table = Table(["ID", "NAME", "CREATED"])
    for one in all.elements { table.add(["id", "name", "createdAt"].map { plain(one[$0]) }) }
    table.show(client)
}

let accountAddCommand = Command(
    name: "account add", words: "NAME",
    summary: "make an account; readers, senders and admins in the settings, or keys, give it callers"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    json.object { $0.field("name", name) }
    guard let made = try client.call("POST", "/v1/accounts", body: json.bytes), !client.wantsJSON else { return }
    show(made)
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
    options: [.init("role", value: "ROLE", "what it may do: read, send (default) or admin")]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    json.object {
        $0.field("name", name)
        $0.field("role", arguments["role"] ?? "send")
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
    guard let made = try client.call("POST", "/v1/keys/\(escaped(id))/rotate", body: json.bytes), !client.wantsJSON
    else { return }
    print(plain(made["key"]))
}

let keyRemoveCommand = Command(name: "key rm", words: "ID", summary: "end a bearer key at once, its old one too") {
    arguments, client in
    _ = try client.call("DELETE", "/v1/keys/\(escaped(try words(arguments, "ID")[0]))")
}
