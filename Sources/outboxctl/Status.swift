import OutboxJSON

let statusCommand = Command(
    name: "status", words: "", summary: "how many messages stand where; exits 3 when outboxd does not run"
) { arguments, client in
    _ = try words(arguments)
    guard let status = try client.call("GET", "/v1/status"), !client.wantsJSON else { return }
    print("outboxd \(plain(status["version"])), serving since \(plain(status["startedAt"]))")
    var table = Table(["STATE", "MESSAGES"])
    for (state, count) in status["messages"]?.members.map({ $0 }) ?? [] { table.add([state, plain(count)]) }
    table.show()
    if let unknown = status["unknownOutcomes"]?.integer, unknown > 0 {
        print(
            "\(unknown) attempts have an unknown outcome: they wait for Meta's status or the policy; outboxctl unknown ls"
        )
    }
    if let silent = status["noReceipt"]?.integer, silent > 0 {
        print("\(silent) messages were sent, and Meta has given up delivering them without a word")
    }
    if let copies = status["duplicates"]?.integer, copies > 0 {
        print("\(copies) messages reached Meta a second time after an unknown outcome")
    }
    if let unread = status["unreadWebhooks"]?.integer, unread > 0 {
        print("\(unread) webhooks could not be read and are kept in the database's webhook table")
    }
}

let reloadCommand = Command(
    name: "reload", words: "", summary: "have settings and secrets read again"
) { arguments, client in
    _ = try words(arguments)
    _ = try client.call("POST", "/v1/reload")
}
