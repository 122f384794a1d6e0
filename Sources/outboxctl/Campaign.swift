import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

let campaignCreateCommand = Command(
    name: "campaign create", words: "NAME",
    summary: "make a campaign: a template for many; campaign add names them, campaign launch begins",
    options: [
        .init("template", short: "t", value: "NAME", "the template (required)"),
        .init("language", value: "CODE", "of the template (default: en_US)"),
        .init("components", value: "JSON", "its components, in which {{name}} stands for a recipient's variable"),
        .init("line", value: "NAME", "the line (default: the only one)"),
        .init("quiet", value: "FROM-TO", "nobody is written to then, by the recipient's clock: 21:00-08:00"),
        .init("canary", value: "N", "send N first and see what becomes of them"),
        .init("canary-wait", value: "SPAN", "how long at most, such as 30m, 2h (default: 1h)"),
        .init("abort-above", value: "PERCENT", "of the canary failed: the campaign is paused (default: 5)"),
        .init("expires", value: "TIME", "RFC 3339 with offset: what has not left by then does not"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    guard let template = arguments["template"] else { throw Arguments.Problem("--template is missing; see --help") }
    for option in ["canary-wait", "abort-above"] where arguments.has(option) && !arguments.has("canary") {
        throw Arguments.Problem("--\(option) goes with --canary")
    }
    let canary = try arguments.integer("canary", in: 1...1_000_000)
    let percent = try arguments.integer("abort-above", in: 0...99)
    let wait = try arguments["canary-wait"].map { try seconds($0) }
    let components = try arguments["components"].map { text in
        do {
            return Array(try JSONParser().parse(text.utf8).raw)
        } catch {
            throw Arguments.Problem("--components is \(error)")
        }
    }
    let quiet = arguments["quiet"]?.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    if let quiet, quiet.count != 2 { throw Arguments.Problem("--quiet must be FROM-TO, such as 21:00-08:00") }
    var json = JSONWriter()
    json.object {
        $0.field("name", name)
        $0.field("line", arguments["line"])
        $0.object("template") {
            $0.field("name", template)
            $0.field("language", arguments["language"] ?? "en_US")
            if let components { $0.field("components", raw: components) }
        }
        if let quiet {
            $0.object("quietHours") {
                $0.field("from", quiet[0])
                $0.field("to", quiet[1])
            }
        }
        if let canary {
            $0.object("canary") {
                $0.field("first", canary)
                $0.field("waitSeconds", wait ?? 3600)
                $0.field("abortAboveFailureShare", number: Double(percent ?? 5) / 100)
            }
        }
        $0.field("expiresAt", arguments["expires"])
    }
    guard let campaign = try client.call("POST", "/v1/campaigns", body: json.bytes), !client.wantsJSON else { return }
    let id = plain(campaign["id"])
    print("campaign \(id)\nadd recipients: outboxctl campaign add \(id) --from FILE")
}

let campaignListCommand = Command(
    name: "campaign ls", words: "", summary: "campaigns, newest first", options: pageOptions, printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page(
        "/v1/campaigns", arguments, client, ["ID", "NAME", "STATUS", "RECIPIENTS", "WAIT", "SENT", "FAILED", "SKIPPED"]
    ) { campaign in
        let progress = Progress(campaign)
        return [
            plain(campaign["id"]), plain(campaign["name"]), plain(campaign["status"]), String(progress.recipients),
            String(progress.waiting), String(progress.sent), String(progress.failed), String(progress.skipped),
        ]
    }
}

/// What is shown of a campaign's counts.
private struct Progress {
    var recipients: Int64
    var waiting: Int64
    var sent: Int64
    var delivered: Int64
    var failed: Int64
    var skipped: Int64

    init(_ campaign: JSONValue) {
        let progress = campaign["progress"]
        let messages = progress?["messages"]
        func sum(_ states: MessageState...) -> Int64 {
            states.reduce(0) { $0 + (messages?[$1.name]?.integer ?? 0) }
        }
        recipients = progress?["recipients"]?.integer ?? 0
        waiting = (progress?["pending"]?.integer ?? 0) + sum(.scheduled, .queued, .processing, .retrying)
        sent = sum(.sent, .delivered, .read)
        delivered = sum(.delivered, .read)
        failed = sum(.failed)
        skipped = progress?["skipped"]?.members.reduce(0) { $0 + ($1.value.integer ?? 0) } ?? 0
    }

    var words: String {
        "\(recipients - waiting) of \(recipients): \(sent) sent, \(delivered) delivered, \(failed) failed, \(skipped) skipped"
    }
}

private func tell(_ campaign: JSONValue) {
    for name in ["id", "name", "line", "status", "reason", "startAt", "startedAt", "pausedAt", "endedAt", "expiresAt"] {
        guard let value = campaign[name], !value.isNull else { continue }
        print("\(name)\(String(repeating: " ", count: max(1, 12 - name.count)))\(plain(value))")
    }
    print("template    \(plain(campaign["template"]?["name"]))/\(plain(campaign["template"]?["language"]))")
    if let hours = campaign["quietHours"] { print("quiet       \(plain(hours["from"])) to \(plain(hours["to"]))") }
    if let canary = campaign["canary"] {
        let state = canary["isOver"]?.bool == true ? "over" : canary["waitsUntil"]?.string.map { "waits until \($0)" }
        print("canary      the first \(plain(canary["first"]))\(state.map { ", \($0)" } ?? "")")
    }
    print("progress    \(Progress(campaign).words)")
    for (reason, count) in campaign["progress"]?["skipped"]?.members.map({ $0 }) ?? [] {
        print("skipped     \(plain(count)) \(reason)")
    }
}

let campaignShowCommand = Command(
    name: "campaign show", words: "ID", summary: "a campaign and how far it is", options: [watchOption]
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let campaign = try client.call("GET", "/v1/campaigns/\(percentEncoded(id))"), !client.wantsJSON else {
        return
    }
    tell(campaign)
}

let campaignWatchCommand = Command(
    name: "campaign watch", words: "ID",
    summary: "follow a campaign to its end; exit status 6 when it is cancelled or stopped"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    var shown = ""
    while true {
        guard let campaign = try client.quietly({ try $0.call("GET", "/v1/campaigns/\(percentEncoded(id))") }) else {
            return
        }
        let status = plain(campaign["status"])
        let isAborted = campaign["aborted"]?.bool ?? false
        let line =
            client.wantsJSON
            ? String(decoding: campaign.compact, as: UTF8.self) : "\(status)  \(Progress(campaign).words)"
        if line != shown { print(line) }
        shown = line
        if fflush(nil) != 0 { return }
        if status == "completed" { return }
        if status == "cancelled" || isAborted {
            if let reason = campaign["reason"]?.string { complain("outboxctl: \(status): \(reason)") }
            throw ExitStatus.messageFailed
        }
        sleep(1)
    }
}

private func orderCommand(
    _ deed: String, _ summary: String, _ options: [Arguments.Option] = [],
    _ fields: @escaping @Sendable (Arguments, inout JSONWriter) throws -> Void = { _, _ in }
) -> Command {
    Command(name: "campaign \(deed)", words: "ID", summary: summary, options: options) { arguments, client in
        let id = try words(arguments, "ID")[0]
        var json = JSONWriter()
        try json.object { try fields(arguments, &$0) }
        guard
            let campaign = try client.call("POST", "/v1/campaigns/\(percentEncoded(id))/\(deed)", body: json.bytes),
            !client.wantsJSON
        else { return }
        print("campaign \(plain(campaign["name"])) is \(plain(campaign["status"])): \(Progress(campaign).words)")
    }
}

let campaignLaunchCommand = orderCommand(
    "launch", "begin a campaign, at once or at a time", [.init("at", value: "TIME", "RFC 3339 with offset")]
) { arguments, json in
    if let at = arguments["at"] { json.field("startAt", at) }
}

let campaignPauseCommand = orderCommand("pause", "hold a campaign back; --reason says why") { arguments, json in
    if let reason = arguments["reason"] { json.field("reason", reason) }
}

let campaignResumeCommand = orderCommand("resume", "let a paused campaign go on, also one its canary stopped")

let campaignCancelCommand = orderCommand("cancel", "end a campaign: what has not left does not") { arguments, json in
    if let reason = arguments["reason"] { json.field("reason", reason) }
}

let campaignForecastCommand = Command(
    name: "campaign forecast", words: "ID", summary: "when a campaign would end, what limits it, what it would cost"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let forecast = try client.call("GET", "/v1/campaigns/\(percentEncoded(id))/forecast"), !client.wantsJSON
    else {
        return
    }
    let end = forecast["endsBy"]?.string.map { "ends by     \($0)" } ?? "does not end unless somebody acts"
    print("recipients  \(plain(forecast["recipients"]))\nstarts      \(plain(forecast["startsAt"]))\n\(end)")
    print("limited by  \(plain(forecast["limitedBy"]))")
    if let count = forecast["wouldExpire"]?.integer, count > 0 { print("expire      \(count)") }
    if let count = forecast["optedOut"]?.integer, count > 0 { print("opted out   \(count)") }
    tellCost(forecast["cost"])
}

private func tellCost(_ cost: JSONValue?) {
    guard let cost, !cost.isNull else { return }
    let missing = cost["withoutPrice"]?.integer ?? 0
    print(
        "cost        \(plain(cost["amount"])) \(plain(cost["currency"]))"
            + (missing > 0 ? ", without \(missing) messages that have no price" : ""))
}

let campaignReportCommand = Command(
    name: "campaign report", words: "ID", summary: "what became of a campaign; stays when its messages are gone"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    guard let report = try client.call("GET", "/v1/campaigns/\(percentEncoded(id))/report"), !client.wantsJSON else {
        return
    }
    for name in ["name", "status", "startedAt", "endedAt", "recipients", "notSent"] {
        guard let value = report[name], !value.isNull else { continue }
        print("\(name)\(String(repeating: " ", count: max(1, 12 - name.count)))\(plain(value))")
    }
    for (state, count) in report["messages"]?.members.map({ $0 }) ?? [] where count.integer ?? 0 > 0 {
        print("\(state)\(String(repeating: " ", count: max(1, 12 - state.count)))\(plain(count))")
    }
    for (reason, count) in report["skipped"]?.members.map({ $0 }) ?? [] {
        print("skipped     \(plain(count)) \(reason)")
    }
    for failure in report["failures"]?.elements.map({ $0 }) ?? [] {
        print("code        \(plain(failure["count"])) \(plain(failure["code"])); see outboxctl explain-code")
    }
    tellCost(report["cost"])
}

let campaignRecipientsCommand = Command(
    name: "campaign recipients", words: "ID", summary: "whom a campaign is for, and what became of it",
    options: pageOptions + [.init("status", value: "WHICH", "all (default), pending or skipped")], printsIDs: true
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    try page(
        "/v1/campaigns/\(percentEncoded(id))/recipients", arguments, client, filters: [("status", "status")],
        ["TO", "STATUS", "WHY", "MESSAGE"]
    ) { recipient in
        let why = [recipient["skipped"], recipient["errorCode"]].compactMap { $0 }.first { !$0.isNull }
        return [plain(recipient["to"]), plain(recipient["status"]), plain(why), plain(recipient["messageId"])]
    }
}
