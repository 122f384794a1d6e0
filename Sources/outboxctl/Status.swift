import OutboxJSON

let statusCommand = Command(
    name: "status", words: "", summary: "how many messages stand where; exits 3 when outboxd does not run",
    options: [watchOption]
) { arguments, client in
    _ = try words(arguments)
    guard let status = try client.call("GET", "/v1/status"), !client.wantsJSON else { return }
    print("outboxd \(plain(status["version"])), serving since \(plain(status["startedAt"]))")
    var table = Table(["STATE", "MESSAGES"])
    for (state, count) in status["messages"]?.members.map({ $0 }) ?? [] { table.add([state, plain(count)]) }
    table.show(client)
    showWebhooks(status["webhooks"])
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
    for token in status["tokens"]?.elements.map({ $0 }) ?? [] {
        let (line, end) = (plain(token["line"]), plain(token["expiresAt"]))
        let words =
            switch token["state"]?.string {
            case "expired": "the access token of the line \(line) ended at \(end): its messages wait"
            case "refused": "Meta does not take the access token of the line \(line): its messages wait"
            default: "the access token of the line \(line) ends at \(end)"
            }
        print(Terminal.paint("\(words); outboxctl line add \(line) --token -", .red))
    }
    let callbacks = status["callbacks"]
    if let waiting = callbacks?["waiting"]?.integer, let givenUp = callbacks?["givenUp"]?.integer, waiting + givenUp > 0
    {
        print("\(waiting) events wait for an endpoint, \(givenUp) were given up: outboxctl webhook ls")
    }
    for one in callbacks?["inactive"]?.elements.map({ $0 }) ?? [] {
        print("subscription \(plain(one["id"])) is inactive: \(plain(one["reason"]))")
    }
    for (app, count) in status["refusedWebhooks"]?.members.map({ $0 }) ?? [] {
        print("\(plain(count)) webhooks of the app \(app) were refused: is its secret app.\(app).secret right?")
    }
    if let unread = status["unreadWebhooks"]?.integer, unread > 0 {
        print("\(unread) webhooks could not be read and are kept in the database's webhook table")
    }
}

private let webhookWords = [
    ("received", "calls"), ("statuses", "statuses"), ("messages", "messages"),
    ("repeatedStatuses", "repeated statuses"), ("repeatedMessages", "repeated messages"),
    ("waitingStatuses", "statuses wait for their message"), ("droppedStatuses", "statuses without a message dropped"),
    ("foreignMessages", "messages to numbers of no line"),
]

/// What came from Meta, as far as anything did.
private func showWebhooks(_ webhooks: JSONValue?) {
    var counts = webhookWords.compactMap { name, words in
        webhooks?[name]?.integer.flatMap { $0 > 0 ? "\($0) \(words)" : nil }
    }
    counts += (webhooks?["others"]?.members.map { $0 } ?? []).map { "\(plain($0.value)) \($0.name)" }
    if !counts.isEmpty { print("by webhook: \(counts.joined(separator: ", "))") }
}

let metricsCommand = Command(
    name: "metrics", words: "", summary: "what outboxd counts, as Prometheus reads it"
) { arguments, client in
    _ = try words(arguments)
    print(try client.text("/metrics"), terminator: "")
}

let reloadCommand = Command(
    name: "reload", words: "", summary: "have settings and secrets read again"
) { arguments, client in
    _ = try words(arguments)
    _ = try client.call("POST", "/v1/reload")
}
