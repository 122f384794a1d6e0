import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let conversationListCommand = Command(
    name: "conversation ls", words: "", summary: "who wrote to us, the newest message first",
    options: [
        .init("line", short: "l", value: "LINE", "with this line"),
        .init("contact", value: "ID", "of this contact"),
    ] + pageOptions,
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page(
        "/v1/conversations", arguments, client, filters: [("line", "line"), ("contact", "contact")],
        ["ID", "LINE", "REPLY TO", "NAME", "RECEIVED", "LAST", "WINDOW UNTIL"]
    ) { conversation in
        [
            "id", "line", "contactReplyTo", "contactName", "messagesReceived", "lastReceivedAt", "windowUntil",
        ].map { plain(conversation[$0]) }
    }
}

let conversationShowCommand = Command(
    name: "conversation show", words: "ID", summary: "what a person and a line wrote to each other, newest first",
    options: pageOptions
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    try page(
        "/v1/conversations/\(percentEncoded(id))/messages", arguments, client,
        ["ID", "", "AT", "STATUS", "TYPE", "TEXT"]
    ) { message in
        let isInbound = message["direction"]?.string == "inbound"
        let sentType = message["template"].map { "template \(plain($0["name"]))" } ?? plain(message["type"])
        return [
            plain(message["id"]), isInbound ? "<" : ">", plain(message[isInbound ? "timestamp" : "createdAt"]),
            plain(message["status"]), isInbound ? plain(message["type"]) : sentType,
            plain(message[isInbound ? "text" : "message"]),
        ]
    }
}

let contactListCommand = Command(
    name: "contact ls", words: "", summary: "the people who wrote to us, the newest first",
    options: [
        .init("phone", value: "NUMBER", "who has this number"),
        .init("user-id", value: "ID", "who has this user id of Meta's"),
        .init("username", value: "NAME", "who has this username"),
    ] + pageOptions,
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page(
        "/v1/contacts", arguments, client,
        filters: [("phone", "phone"), ("user-id", "userId"), ("username", "username")],
        ["ID", "PHONE", "USER ID", "USERNAME", "NAME", "LAST"]
    ) { contact in
        ["id", "contactPhone", "contactUserId", "contactUsername", "contactName", "lastMessageAt"]
            .map { plain(contact[$0]) }
    }
}

let contactShowCommand = Command(
    name: "contact show", words: "ID", summary: "a person under every name Meta has used"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let contact = try client.call("GET", "/v1/contacts/\(percentEncoded(id))"), !client.wantsJSON else { return }
    show(contact)
}

let readCommand = Command(
    name: "read", words: "ID", summary: "tell the person that a message was read",
    options: [.init("typing", "and that somebody is writing, for 25 seconds or until the answer")]
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    var json = JSONWriter()
    json.object { $0.field("typing", arguments.has("typing")) }
    _ = try client.call("POST", "/v1/messages/\(percentEncoded(id))/read", body: json.bytes)
}
