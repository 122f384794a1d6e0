import OutboxCore

/// What may stand for a word or an option's value, where that can be known.
enum CompletionValues {
    case words([String])
    case list(List)

    /// A list of outboxd's whose entries' field is meant.
    struct List {
        var path: String
        var field: String
        var described: [String] = []
    }

    private static let lines = CompletionValues.list(
        List(path: "/v1/lines", field: "line", described: ["phoneNumberId"]))
    private static let pools = CompletionValues.list(List(path: "/v1/pools", field: "pool", described: ["tier"]))
    private static let messages = recent("")
    private static let keys = CompletionValues.list(List(path: "/v1/keys", field: "id", described: ["name", "role"]))
    private static let subscriptions = CompletionValues.list(
        List(path: "/v1/subscriptions", field: "id", described: ["url"]))
    private static let cursors = CompletionValues.list(List(path: "/v1/cursors", field: "cursor"))
    private static let pauses = CompletionValues.list(
        List(path: "/v1/pauses", field: "id", described: ["scope", "target", "reason"]))

    private static let files = CompletionValues.list(
        List(path: "/v1/media", field: "id", described: ["type", "filename"]))
    private static let campaigns = CompletionValues.list(
        List(path: "/v1/campaigns?limit=20", field: "id", described: ["name", "status"]))
    private static let optOuts = CompletionValues.list(
        List(path: "/v1/opt-outs?limit=20", field: "recipient", described: ["source", "since"]))

    private static func recent(_ filter: String) -> CompletionValues {
        .list(List(path: "/v1/messages?limit=20\(filter)", field: "id", described: ["status", "to"]))
    }

    private static func names(_ type: (some NamedCase).Type) -> CompletionValues { .words(type.allCases.map(\.name)) }

    /// By command.
    static let ofWords: [String: CompletionValues] = [
        "show": messages, "why": messages, "cancel": recent("&status=scheduled,queued,retrying"),
        "move": recent("&status=scheduled,queued,retrying"),
        "retry": recent("&status=failed"), "unknown resolve": recent("&gate=outcome_unknown"),
        "line add": lines, "line rm": lines, "line health": lines, "line catch-up": lines,
        "line show": lines, "line verify": lines, "line register": lines, "line subscribe": lines,
        "template ls": lines, "template show": lines, "template create": lines, "template edit": lines,
        "template sync": lines, "template rm": lines, "template preview": lines,
        "pool show": pools, "pool set": pools, "cursor set": cursors, "cursor rm": cursors, "resume": pauses,
        "webhook set": subscriptions, "webhook rm": subscriptions, "webhook test": subscriptions,
        "webhook rotate": subscriptions, "webhook deliveries": subscriptions, "webhook replay": subscriptions,
        "campaign add": campaigns, "campaign forecast": campaigns, "campaign launch": campaigns,
        "campaign pause": campaigns, "campaign resume": campaigns, "campaign cancel": campaigns,
        "campaign show": campaigns, "campaign watch": campaigns, "campaign report": campaigns,
        "campaign recipients": campaigns, "opt-out show": optOuts, "opt-out rm": optOuts,
        "key rotate": keys, "key rm": keys,
        "conversation show": .list(List(path: "/v1/conversations?limit=20", field: "id", described: ["line"])),
        "media rm": files, "media get": files,
        "contact show": .list(List(path: "/v1/contacts?limit=20", field: "id", described: ["name"])),
        "account set": .list(List(path: "/v1/accounts", field: "name", described: ["plan"])),
        "retention set": names(RetentionKind.self), "completion": .words(CompletionScript.allCases.map(\.rawValue)),
    ]

    /// By option, or by command and option.
    static let ofOptions: [String: CompletionValues] = [
        "--type": .words(MediaType.all.map(\.mime)), "--reply-to": messages, "--to-message": messages, "--line": lines,
        "--line-to": lines,
        "--format": .words(SendFile.formats), "--pool": pools,
        "--status": names(MessageState.self), "--gate": .words(WaitsAt.names),
        "template ls --status": .words(["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL"]),
        "template ls --category": .words(["MARKETING", "UTILITY", "AUTHENTICATION"]),
        "campaign recipients --status": .words(["all", "pending", "skipped"]),
        "--when-reached": names(MarketingCap.WhenReached.self),
        "webhook deliveries --status": .words(["waiting", "delivered", "failed"]),
        "--priority": names(Priority.self), "--on-unknown": names(UnknownPolicy.self), "--tier": names(Tier.self),
        "--when-full": names(WhenFull.self), "--when-down": names(WhenDown.self),
        "--when-stopped": names(WhenStopped.self), "--closed-window": names(ClosedWindow.self),
        "--pair-limit": .words(["on", "off"]), "--bot": subscriptions, "--auto-reply": .words(["on", "off"]),
        "--active": .words(["yes", "no"]), "--as": names(Resolution.self),
        "--wait": .words(["sent", "delivered", "read"]), "--output": .words(Client.Output.allCases.map(\.rawValue)),
        "tail --cursor": cursors, "--event": .words(EventKind.publicNames), "--events": .words(EventKind.publicNames),
        "webhook replay --event": .words([]), "--role": .words(["read", "send", "admin"]),
    ]
}
