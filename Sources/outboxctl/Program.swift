import OutboxCommandLine
import OutboxCore

/// What outboxctl exits with.
enum ExitStatus: Int32, Error {
    case done = 0
    /// Something unforeseen; the message says what.
    case failed = 1
    /// outboxd is not running, or its socket cannot be reached.
    case notRunning = 3
    case notFound = 4
    /// outboxd refused: a wrong field, a conflict, a missing role.
    case refused = 5
    /// `send --wait`: the message failed, expired or was cancelled.
    case messageFailed = 6
    /// `send --wait`: the time was over first.
    case timedOut = 7
    /// `doctor`: something is wrong.
    case unhealthy = 8
    case usage = 64
}

/// One verb: what it takes and what it does.
struct Command: Sendable {
    var name: String
    /// Behind the name in the usage line.
    var words: String
    var summary: String
    var options: [Arguments.Option] = []
    /// Knows `--output id`.
    var printsIDs = false
    var run: @Sendable (Arguments, Client) throws -> Void
}

let commands = [
    sendCommand, showCommand, listCommand, queueCommand, statsCommand, topCommand, tailCommand, cursorListCommand,
    cursorSetCommand,
    cursorRemoveCommand,
    conversationListCommand, conversationShowCommand, contactListCommand, contactShowCommand, readCommand,
    cancelCommand, retryCommand, moveCommand, lineAddCommand, lineListCommand, lineRemoveCommand, lineHealthCommand,
    lineCatchUpCommand, lineShowCommand, lineVerifyCommand, lineRegisterCommand, lineSubscribeCommand,
    lineNumbersCommand, lineExchangeCommand,
    templateListCommand, templateShowCommand, templateCreateCommand, templateEditCommand, templateSyncCommand,
    templateRemoveCommand, templatePreviewCommand, whyCommand, pauseListCommand, pauseCommand, resumeCommand,
    unknownListCommand, unknownResolveCommand, retentionListCommand, retentionSetCommand,
    campaignCreateCommand, campaignAddCommand, campaignForecastCommand, campaignLaunchCommand, campaignPauseCommand,
    campaignResumeCommand, campaignCancelCommand, campaignShowCommand, campaignListCommand, campaignWatchCommand,
    campaignReportCommand, campaignRecipientsCommand, optOutListCommand, optOutAddCommand, optOutShowCommand,
    optOutRemoveCommand, capListCommand, capSetCommand, capRemoveCommand,
    webhookListCommand, webhookAddCommand, webhookSetCommand, webhookRemoveCommand, webhookTestCommand,
    webhookRotateCommand, webhookDeliveriesCommand, webhookReplayCommand,
    accountListCommand, accountAddCommand, accountSetCommand, keyListCommand, keyAddCommand, keyRotateCommand,
    keyRemoveCommand,
    poolListCommand, poolShowCommand, poolSetCommand, statusCommand, metricsCommand, reloadCommand, backupCommand,
    mediaUploadCommand, mediaListCommand, mediaGetCommand, mediaRemoveCommand, eraseCommand, doctorCommand,
    explainCodeCommand, completionCommand,
]

let commonOptions = [
    Arguments.Option(
        "socket", short: "s", value: "PATH", "outboxd's socket (default: $OUTBOXD_SOCKET or \(Client.defaultSocket))"),
    Arguments.Option("account", value: "NAME", "act in this account; for admins of the account default"),
    Arguments.Option("reason", value: "TEXT", "why, for whoever reads the log of what operators change"),
    Arguments.Option("json", "print what outboxd answers, as JSON; the same as --output json"),
    Arguments.Option(
        "output", short: "o", value: "FORMAT", "text, json, or id: ids alone, one a line, for other commands"),
    Arguments.Option("help", short: "h", "print this and end"),
]

let versionOption = Arguments.Option("version", "print the version and end")

private func list(_ commands: [Command]) -> String {
    let width = commands.map { "\($0.name) \($0.words)".count }.max() ?? 0
    return commands.map { command in
        let left = "\(command.name) \(command.words)"
        return "  \(left)\(String(repeating: " ", count: width - left.count))  \(command.summary)\n"
    }.joined()
}

/// The first word of a command of two, such as `webhook`.
private func group(_ words: [String]) -> [Command] {
    guard let first = words.first else { return [] }
    return commands.filter { $0.name.hasPrefix(first + " ") }
}

private var usage: String {
    let list = list(commands)
    return """
        outboxctl - drop messages into outboxd and see what becomes of them

        usage: outboxctl COMMAND [options]      outboxctl COMMAND --help

        \(list)
        \(Arguments.help(commonOptions + [versionOption]))
        exit status: 0 done; 1 failed; 3 outboxd does not run; 4 not found; 5 refused; 6 the message failed;
        7 the time was over; 8 a check found a problem; 64 wrong usage

        """
}

/// Common options may also stand before the command.
func commandFirst(_ words: [String]) -> [String] {
    var rest = words[...]
    var leading: [String] = []
    let valued = ["-s", "--socket", "-o", "--output", "--account", "--reason"]
    while let word = rest.first, word == "--json" || valued.contains(where: { word == $0 || word.hasPrefix("\($0)=") })
    {
        let count = valued.contains(word) ? 2 : 1
        leading += rest.prefix(count)
        rest = rest.dropFirst(count)
    }
    return rest + leading
}

func runOutboxctl(_ words: [String]) -> Int32 {
    if words.first == "complete" { return runComplete(Array(words.dropFirst(words.dropFirst().first == "--" ? 2 : 1))) }
    let words = commandFirst(words)
    if words.first == "--version" {
        print("outboxctl \(outboxVersion)")
        return 0
    }
    guard let command = commands.first(where: { words.starts(with: $0.name.split(separator: " ").map(String.init)) })
    else {
        let group = group(words)
        let isBare = words.count == 1 || words.dropFirst().allSatisfy { $0 == "--help" || $0 == "-h" }
        if !group.isEmpty, isBare {
            print("usage: outboxctl COMMAND [options]      outboxctl COMMAND --help\n\n\(list(group))", terminator: "")
            return words.count == 1 ? ExitStatus.usage.rawValue : 0
        }
        if words.contains("--help") || words.contains("-h") || words.isEmpty {
            print(usage, terminator: "")
            return words.isEmpty ? ExitStatus.usage.rawValue : 0
        }
        complain("outboxctl: \(words.joined(separator: " ")): no such command; see outboxctl --help")
        return ExitStatus.usage.rawValue
    }
    do {
        let rest = words.dropFirst(command.name.split(separator: " ").count)
        let arguments = try Arguments(rest, options: command.options + commonOptions)
        if arguments.has("help") {
            print("usage: outboxctl \(command.name) \(command.words)\n\n\(command.summary)\n")
            print(Arguments.help(command.options + commonOptions), terminator: "")
            return 0
        }
        let client = try Client(arguments)
        guard client.output != .id || command.printsIDs else {
            throw Arguments.Problem("\(command.name) has no ids to print")
        }
        try watching(arguments, client) { try command.run(arguments, $0) }
        return 0
    } catch let status as ExitStatus {
        return status.rawValue
    } catch {
        complain("outboxctl: \(error)")
        return (error is Arguments.Problem ? ExitStatus.usage : .failed).rawValue
    }
}
