import OutboxCommandLine
import OutboxCore
import OutboxService
import OutboxStore
import OutboxSystem

private let options =
    [
        Arguments.Option(
            "verify", "look the backup through, say what is in it and whether it is whole; change nothing"),
        Arguments.Option("config", value: "FILE", "settings file (default: \(Settings.defaultFile), if there)"),
        Arguments.Option("help", short: "h", "print this and end"),
    ] + Settings.known.filter { $0.name == "state-dir" }.map { Arguments.Option($0.name, value: $0.value, $0.help) }

private let usage = """
    usage: outboxd restore FILE [--verify] [--state-dir DIR]

    Puts a backup (of outboxctl backup) in the place of the database, while outboxd is stopped; - reads it from
    standard input. What was there is kept beside it. Nothing leaves by itself afterwards: everything is paused,
    messages that may have gone out since the backup wait as unknown outcomes, and the pools count as full for 24
    hours. Root works as the owner of the state directory.

    \(Arguments.help(options))
    exit status: as outboxd's; 65 the backup is damaged, 66 it is none, 75 outboxd runs, 76 it is of a later outboxd

    """

/// `outboxd restore FILE [--verify]`
func runRestore(_ words: [String]) -> Int32 {
    do {
        let arguments = try Arguments(words, options: options)
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        guard arguments.words.count == 1 else {
            throw Arguments.Problem("restore takes one FILE; see outboxd restore --help")
        }
        let file = arguments.words[0]
        if arguments.has("verify") { return show(try Restoration.verify(file)) }
        let flags = arguments["state-dir"].map { [(name: "state-dir", value: $0)] } ?? []
        let settings = try Settings.load(file: arguments["config"], flags: flags)
        show(try Restoration.restore(file, settings: settings, now: Timestamp(milliseconds: wallClockMilliseconds())))
        return 0
    } catch {
        complain("outboxd restore: \(error)")
        return (error is Arguments.Problem ? ExitStatus.usage : ExitStatus(error)).rawValue
    }
}

private func contents(_ report: FileReport) -> String {
    let counts = report.counts.map { "\($0.count) \($0.state.name)" }.joined(separator: ", ")
    return """
        taken       \(report.takenAt?.rfc3339 ?? "unknown: not by outboxctl backup")
        schema      version \(report.schemaVersion)
        lines       \(report.lines.isEmpty ? "none" : report.lines.map(\.onOneLine).joined(separator: ", "))
        messages    \(counts.isEmpty ? "none" : counts)
        """
}

private func show(_ report: FileReport) -> Int32 {
    print(contents(report))
    for problem in report.problems { print("damaged     \(problem.onOneLine)") }
    print(report.problems.isEmpty ? "whole       yes" : "whole       NO: take another backup")
    return report.problems.isEmpty ? 0 : ExitStatus.damaged.rawValue
}

private func show(_ outcome: Restoration.Outcome) {
    let quarantined = outcome.quarantined
    print(contents(outcome.report))
    print("restored    \(outcome.database)")
    if let replaced = outcome.replaced { print("replaced    \(replaced): remove it when all is well") }
    for (account, pause) in quarantined.pauses {
        let place = account == Account.defaultName ? "" : " of account \(account)"
        let option = account == Account.defaultName ? "" : "--account \(account) "
        print("paused      everything\(place), as pause \(pause.id): outboxctl \(option)resume \(pause.id)")
    }
    if quarantined.held > 0 {
        print("held        \(quarantined.held) messages that may have left since: outboxctl unknown ls")
        print(
            "            outboxctl unknown resolve --as sent|failed|resend ID...; statuses from Meta settle them, too")
    }
    if quarantined.scheduled > 0 { print("scheduled   \(quarantined.scheduled) messages whose time had not come") }
    if !quarantined.pools.isEmpty {
        print(
            "full        for 24 hours: \(quarantined.pools.joined(separator: ", ")); who knows how many people were "
                + "written to says so: outboxctl pool set NAME --used N")
    }
    if quarantined.keys > 0 {
        print("keys        \(quarantined.keys), also those that were ended since the backup: outboxctl key ls")
    }
    print("next        systemctl start outboxd, then the above")
}
