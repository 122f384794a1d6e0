import OutboxCommandLine
import OutboxCore
import OutboxService
import OutboxSystem

private let options =
    [
        Arguments.Option(
            "config", value: "FILE", "settings file, lines NAME = VALUE (default: \(Settings.defaultFile), if there)"),
        Arguments.Option("journal-catalog", "print what each kind of journal line means, for journalctl -x, and end"),
        Arguments.Option("version", "print the version and end"),
        Arguments.Option("help", short: "h", "print this and end"),
    ] + Settings.known.map { Arguments.Option($0.name, value: $0.value, $0.help) }

private let usage = """
    outboxd - the durable WhatsApp outbox of this machine

    usage: outboxd [options]
           outboxd restore FILE [--verify]      see outboxd restore --help

    \(Arguments.help(options))
    Flags count over the settings file, that over the environment (OUTBOXD_GRAPH_URL for --graph-url, and so on).
    Settings marked * are read again on SIGHUP and on outboxctl reload, and so are the files in DIR/secrets.
    Everything about lines is set over the socket: see outboxctl line add --help.

    exit status: 0 stopped as told; 64 wrong usage; 65 database damaged; 66 database another program's, or no plain
    file; 69 a socket cannot be had; 71 disk full; 73 disk or database cannot be written; 74 the disk failed;
    75 another outboxd has the state directory; 76 database of a later outboxd; 77 state directory or a file in it
    belongs to or is open to others; 78 a setting is wrong

    """

func runOutboxd(_ words: [String]) -> Int32 {
    if words.first == "restore" { return runRestore(Array(words.dropFirst())) }
    let arguments: Arguments
    do {
        arguments = try Arguments(words, options: options)
    } catch {
        complain("outboxd: \(error)")
        return ExitStatus.usage.rawValue
    }
    if arguments.has("help") {
        print(usage, terminator: "")
        return 0
    }
    if arguments.has("version") {
        print("outboxd \(outboxVersion)")
        return 0
    }
    if arguments.has("journal-catalog") {
        print(journalCatalog(), terminator: "")
        return 0
    }
    if let word = arguments.words.first {
        complain("outboxd: \(word): outboxd takes options only; see --help")
        return ExitStatus.usage.rawValue
    }
    return serve(arguments)
}

private func serve(_ arguments: Arguments) -> Int32 {
    blockSignals()
    keepMemoryPrivate()
    keepFreedMemory()
    let flags = Settings.known.compactMap { known in arguments[known.name].map { (name: known.name, value: $0) } }
    let file = arguments["config"]
    let journal = Journal()
    do {
        let daemon = try Daemon(journal: journal) { try Settings.load(file: file, flags: flags) }
        daemon.run()
        journal.close()
        return 0
    } catch {
        let status = ExitStatus(error)
        journal.write(
            LogLine(
                .error, status.kind, "outboxd cannot start: \(error)", [(.code, String(status.rawValue))]))
        journal.close(lastWords: true)
        return status.rawValue
    }
}
