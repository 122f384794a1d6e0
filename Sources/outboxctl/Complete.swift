import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// `outboxctl complete -- WORD...`: what the shells' completions ask for at every TAB. The words are those behind
/// `outboxctl` up to the one the cursor is in; answers lines `VALUE<TAB>DESCRIPTION`, values that begin with that word.
///
/// It reads the same table of commands as `outboxctl` itself. Without words it says what of the tables of values names
/// no command or option, and exits 1.
func runComplete(_ words: [String]) -> Int32 {
    guard !words.isEmpty else {
        let strangers = Completion.strangers
        for stranger in strangers { complain("outboxctl complete: there is no \(stranger)") }
        return strangers.isEmpty ? 0 : 1
    }
    for (value, description) in Completion(words).candidates {
        print(description.isEmpty ? value : "\(value)\t\(description)")
    }
    return 0
}

struct Completion {
    typealias Candidate = (value: String, description: String)

    private var before: [String]
    private var current: String
    /// bash takes `--wait=read` apart, and wants the last part alone.
    private let isApart: Bool

    init(_ words: [String]) {
        current = words.last ?? ""
        before = commandFirst(Array(words.dropLast()))
        isApart = current == "=" || before.last == "="
        if current == "=" { current = "" }
        if before.last == "=" { before.removeLast() }
    }

    var candidates: [Candidate] {
        all.filter { $0.value.hasPrefix(current) }
    }

    private var all: [Candidate] {
        guard let command = commands.first(where: { before.starts(with: $0.path) && isLongest($0) }) else {
            return current.hasPrefix("-") ? options(commonOptions + [versionOption]) : nextWords
        }
        let rest = before.dropFirst(command.path.count)
        let known = command.options + commonOptions
        if isApart || !current.hasPrefix("-"), let option = open(rest, known) { return values(of: option, command) }
        if current.hasPrefix("--"), let equals = current.firstIndex(of: "=") {
            let name = String(current[..<equals].dropFirst(2))
            guard let option = known.first(where: { $0.name == name }) else { return [] }
            return values(of: option, command).map { ("--\(name)=\($0.value)", $0.description) }
        }
        if current.hasPrefix("-") { return options(known) }
        return values(CompletionValues.ofWords[command.name]) + (rest.isEmpty ? nextWords : [])
    }

    /// `pause` and `pause ls` are both commands: the longer one counts when it stands there.
    private func isLongest(_ command: Command) -> Bool {
        !commands.contains { $0.path.count > command.path.count && before.starts(with: $0.path) }
    }

    /// The next word of every command that begins like this.
    private var nextWords: [Candidate] {
        var seen: Set<String> = []
        return commands.compactMap { command in
            let words = command.path
            guard words.count > before.count, words.starts(with: before), seen.insert(words[before.count]).inserted
            else { return nil }
            let group = commands.filter { $0.path.starts(with: before + [words[before.count]]) }
            let whole = group.first { $0.path.count == before.count + 1 }
            let summary = (whole ?? (group.count == 1 ? command : nil))?.summary
            return (words[before.count], summary ?? group.compactMap { $0.path.last }.joined(separator: ", "))
        }
    }

    /// The option whose value the cursor is in.
    private func open(_ rest: ArraySlice<String>, _ known: [Arguments.Option]) -> Arguments.Option? {
        guard let last = rest.last, last.hasPrefix("-"), !last.contains("=") else { return nil }
        let option = known.first { last == "--\($0.name)" || $0.short.map { last == "-\($0)" } ?? false }
        guard let option, option.value != nil else { return nil }
        // A value that may be left out stands behind = alone.
        return option.whenBare == nil || isApart ? option : nil
    }

    private func options(_ options: [Arguments.Option]) -> [Candidate] {
        options.map { ("--\($0.name)", $0.help) }
    }

    private func values(of option: Arguments.Option, _ command: Command) -> [Candidate] {
        let own = CompletionValues.ofOptions["\(command.name) --\(option.name)"]
        return values(own ?? CompletionValues.ofOptions["--\(option.name)"])
    }

    private func values(_ values: CompletionValues?) -> [Candidate] {
        switch values {
        case .words(let words): words.map { ($0, "") }
        case .list(let list): asked(list)
        case nil: []
        }
    }

    /// What outboxd says there is; nothing when it does not answer at once.
    private func asked(_ list: CompletionValues.List) -> [Candidate] {
        let given = before.lastIndex { $0 == "--socket" || $0 == "-s" }.flatMap { before.dropFirst($0 + 1).first }
        let socket =
            given ?? before.last { $0.hasPrefix("--socket=") }.map { String($0.dropFirst(9)) }
            ?? getenv("OUTBOXD_SOCKET").map { String(cString: $0) } ?? Client.defaultSocket
        let request = OutgoingRequest(
            method: "GET", url: "http://outboxd\(list.path)", timeout: .seconds(1), unixSocket: socket)
        guard case .answered(200, _, let body) = callAndWait(request),
            let answer = try? JSONParser().parse(body), let items = answer["data"]?.elements
        else { return [] }
        return items.compactMap { item in
            guard let value = item[list.field].flatMap(word) else { return nil }
            return (value, list.described.compactMap { item[$0].flatMap(word) }.joined(separator: " "))
        }
    }

    private func word(_ value: JSONValue) -> String? { value.string ?? value.integer.map(String.init) }

    /// What the tables of values name and nobody knows.
    static var strangers: [String] {
        let names = Set(commands.map(\.name))
        let options = Set(
            commands.flatMap { command in
                (command.options + commonOptions).flatMap { ["--\($0.name)", "\(command.name) --\($0.name)"] }
            }
        )
        return CompletionValues.ofWords.keys.filter { !names.contains($0) }
            + CompletionValues.ofOptions.keys.filter { !options.contains($0) }
    }
}

extension Command {
    fileprivate var path: [String] { name.split(separator: " ").map(String.init) }
}
