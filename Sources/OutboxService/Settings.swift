import CLinux
import Glibc
import OutboxAPI
import OutboxCore
package import OutboxHTTP
package import OutboxMeta

/// What an operator may set about the process. Everything about lines is data, set over the socket.
package struct Settings: Equatable, Sendable {
    /// Holds the database, its lock and `secrets/`.
    package var stateDirectory = "/var/lib/outboxd"
    package var socket = "/run/outboxd/outboxd.sock"
    package var webhookSocket = "/run/outboxd/webhook.sock"
    package var graph = GraphEndpoint()
    /// Requests to Meta under way at a time, over all lines.
    package var connections = 64
    package var requestTimeout = Duration.seconds(30)
    /// From the claim of an attempt to its end: it may wait for a connection as long as it may take then.
    package var attemptMax: Duration { requestTimeout + requestTimeout + .seconds(1) }
    /// How long sends under way may take at the end.
    package var stopTimeout = Duration.seconds(20)
    package var logLevel = LogLevel.info
    package var maskNumbers = true
    /// Members of this group may send.
    package var sendGroup = "outboxd"
    /// Who has these roles besides root and the service's own user, who are admins.
    package var readers: [AccessEntry] = []
    package var senders: [AccessEntry] = []
    package var admins: [AccessEntry] = []
    /// A TCP address for callers with keys; nil: none.
    package var listen: TCPAddress?
    /// Calls of one caller in a minute; 0: any number.
    package var rateLimit = 0
    /// A TCP address for the pages of links; nil: none.
    package var pages: TCPAddress?
    /// Where people reach those pages, without a slash at the end; nil: no links are made.
    package var publicURL: String?
    /// Of Meta's Embedded Signup, which onboarding links begin.
    package var signupAppID: String?
    package var signupConfigID: String?
    /// Messages that may wait; 0: any number.
    package var queueMax = 0
    /// Of the disk, kept free of new messages; nil: 64 or a sixteenth of it, whichever is less.
    package var freeDiskMebibytes: Int?
    /// How long an idempotency key stands for what it was first used for.
    package var idempotencyHours = 24
    /// Events may cross a network in clear.
    package var allowsHTTPCallbacks = false
    /// A file of Meta's prices (`RateCard`), for forecasts and reports; nil: no costs are told.
    package var rates: String?

    package init() {}

    /// Read when no other file is named and it is there.
    package static let defaultFile = "/etc/outboxd/outboxd.conf"

    package struct Problem: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    /// Names, as flags (`--graph-url`), in the settings file (`graph-url = …`) and in the environment
    /// (`OUTBOXD_GRAPH_URL`), with what they take.
    package static let known: [(name: String, value: String, help: String)] = [
        ("state-dir", "DIR", "database and secrets (default: $STATE_DIRECTORY or /var/lib/outboxd)"),
        ("socket", "PATH", "socket for programs and outboxctl (default: /run/outboxd/outboxd.sock)"),
        ("webhook-socket", "PATH", "socket for Meta's webhooks (default: /run/outboxd/webhook.sock)"),
        ("graph-url", "URL", "where the Cloud API is (default: \(GraphEndpoint.metaURL)) *"),
        ("graph-version", "VERSION", "its version (default: \(GraphEndpoint.currentVersion)) *"),
        ("connections", "N", "requests to Meta at a time, 1 to 1000 (default: 64)"),
        ("request-timeout", "SECONDS", "for a whole request to Meta, 1 to 600 (default: 30) *"),
        ("stop-timeout", "SECONDS", "for sends under way at the end, 0 to 600 (default: 20)"),
        ("log-level", "LEVEL", "error, warning, notice, info or debug (default: info) *"),
        ("mask-numbers", "YES|NO", "hide phone numbers in the journal (default: yes) *"),
        ("send-group", "GROUP", "whose members may send (default: outboxd) *"),
        ("readers", "LIST", "who may read: users, @groups, each with :ACCOUNT behind it if need be *"),
        ("senders", "LIST", "who may send, besides the members of send-group *"),
        ("admins", "LIST", "who may do everything, besides root and the service's own user *"),
        ("listen", "ADDRESS:PORT", "also serve callers with a key on this loopback TCP address (default: none)"),
        ("pages", "ADDRESS:PORT", "serve the pages of links on this loopback TCP address (default: none)"),
        ("public-url", "URL", "where people reach those pages, by way of a proxy (default: none, and no links)"),
        ("signup-app-id", "ID", "Meta's app for Embedded Signup by onboarding links (default: none)"),
        ("signup-config-id", "ID", "its Facebook Login for Business configuration (default: none)"),
        ("rate-limit", "N", "calls a minute of one caller that is no admin; 0 (default): any number *"),
        ("queue-max", "N", "no new messages while so many wait; 0 (default): any number *"),
        ("free-disk-min", "MIB", "no new messages when less of the disk is free (default: 64, or 1/16 of it) *"),
        ("idempotency-hours", "HOURS", "how long idempotency keys are kept, 1 to 720 (default: 24)"),
        ("allow-http-callbacks", "YES|NO", "subscriptions may have http URLs of other machines (default: no) *"),
        ("rates", "FILE", "Meta's prices by country and category, as CSV or JSON, to tell costs (default: none) *"),
    ]

    /// Sets one by its name.
    package mutating func set(_ name: String, _ value: String) throws(Problem) {
        func wrong(_ rule: String) -> Problem { Problem(description: "\(name) must be \(rule), not \"\(value)\"") }
        func number(_ range: ClosedRange<Int>) throws(Problem) -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw wrong("a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        func path() throws(Problem) -> String {
            guard value.hasPrefix("/") else { throw wrong("an absolute path") }
            return value
        }
        switch name {
        case "state-dir": stateDirectory = try path()
        case "socket": socket = try path()
        case "webhook-socket": webhookSocket = try path()
        case "graph-url":
            var url = value
            while url.hasSuffix("/") { url.removeLast() }
            guard isHTTPSOrLocal(url) else { throw wrong("an https URL, or http to this machine itself") }
            graph.baseURL = url
        case "graph-version":
            guard value.hasPrefix("v"), value.dropFirst().allSatisfy({ $0.isNumber || $0 == "." }), value.count > 1
            else { throw wrong("a version such as \(GraphEndpoint.currentVersion)") }
            graph.version = value
        case "connections": connections = try number(1...1000)
        case "request-timeout": requestTimeout = .seconds(try number(1...600))
        case "stop-timeout": stopTimeout = .seconds(try number(0...600))
        case "log-level":
            guard let level = LogLevel(name: value) else { throw wrong("error, warning, notice, info or debug") }
            logLevel = level
        case "mask-numbers":
            guard value == "yes" || value == "no" else { throw wrong("yes or no") }
            maskNumbers = value == "yes"
        case "send-group": sendGroup = value
        case "readers", "senders", "admins":
            guard let list = AccessEntry.list(value) else {
                throw wrong("a list of users and @groups, each with :ACCOUNT behind it if it is not the default one")
            }
            switch name {
            case "readers": readers = list
            case "senders": senders = list
            default: admins = list
            }
        case "listen", "pages":
            let isPages = name == "pages"
            guard let address = TCPAddress(value), address.isLoopback else {
                let port = isPages ? 8088 : 8080
                throw wrong(
                    "a loopback address and a port, such as 127.0.0.1:\(port) or [::1]:\(port); for other machines put a "
                        + "proxy with TLS before it")
            }
            if isPages { pages = address } else { listen = address }
        case "public-url":
            var url = value
            while url.hasSuffix("/") { url.removeLast() }
            guard isHTTPSOrLocal(url), CallbackAddress.problem(url, allowsHTTP: false) == nil, !url.contains("?") else {
                throw wrong("an https URL (or http to this machine itself) without a query")
            }
            publicURL = url
        case "signup-app-id", "signup-config-id":
            guard (1...32).contains(value.utf8.count), value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw wrong("one of Meta's ids: 1 to 32 digits")
            }
            if name == "signup-app-id" { signupAppID = value } else { signupConfigID = value }
        case "rate-limit": rateLimit = try number(0...1_000_000)
        case "queue-max": queueMax = try number(0...1_000_000_000)
        case "free-disk-min": freeDiskMebibytes = try number(1...1_048_576)
        case "idempotency-hours": idempotencyHours = try number(1...720)
        case "allow-http-callbacks":
            guard value == "yes" || value == "no" else { throw wrong("yes or no") }
            allowsHTTPCallbacks = value == "yes"
        case "rates": rates = try path()
        default: throw Problem(description: "\(name) is no setting of outboxd; see outboxd --help")
        }
    }

    /// The names of what differs in `other` and is read at the start alone.
    func needsRestart(for other: Settings) -> [String] {
        [
            ("state-dir", stateDirectory != other.stateDirectory), ("socket", socket != other.socket),
            ("webhook-socket", webhookSocket != other.webhookSocket), ("connections", connections != other.connections),
            ("request-timeout", requestTimeout != other.requestTimeout),
            ("stop-timeout", stopTimeout != other.stopTimeout), ("listen", listen != other.listen),
            ("pages", pages != other.pages), ("public-url", publicURL != other.publicURL),
            ("signup-app-id", signupAppID != other.signupAppID),
            ("signup-config-id", signupConfigID != other.signupConfigID),
            ("idempotency-hours", idempotencyHours != other.idempotencyHours),
        ].filter(\.1).map(\.0)
    }

    /// Defaults, then the environment, then the settings file, then flags; the later one counts.
    package static func load(file: String?, flags: [(name: String, value: String)]) throws(Problem) -> Settings {
        var settings = Settings()
        if let directory = environment("STATE_DIRECTORY"), !directory.isEmpty {
            // systemd gives a list when several are declared.
            settings.stateDirectory = String(directory.prefix { $0 != ":" })
        }
        for (name, _, _) in known {
            let variable = "OUTBOXD_" + name.uppercased().map { $0 == "-" ? "_" : $0 }
            if let value = environment(variable) { try settings.set(name, value) }
        }
        if let file {
            try settings.read(file)
        } else if access(defaultFile, F_OK) == 0 {
            try settings.read(defaultFile)
        }
        for (name, value) in flags { try settings.set(name, value) }
        if settings.socket == settings.webhookSocket {
            throw Problem(description: "socket and webhook-socket must be two different paths")
        }
        return settings
    }

    /// Lines `name = value`; `#` begins a comment line.
    private mutating func read(_ file: String) throws(Problem) {
        guard let bytes = readFile(file, bytesMax: 65_536) else {
            throw Problem(description: "the settings file \(file) cannot be read: \(String(cString: strerror(errno)))")
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw Problem(description: "\(file) line \(index + 1): must be NAME = VALUE")
            }
            do {
                try set(String(parts[0].trimmed), String(parts[1].trimmed))
            } catch {
                throw Problem(description: "\(file) line \(index + 1): \(error.description)")
            }
        }
    }
}

/// https anywhere, http only to this machine itself: a token must not cross a network in clear.
private func isHTTPSOrLocal(_ url: String) -> Bool {
    if url.hasPrefix("https://") { return url.utf8.count > 8 }
    guard url.hasPrefix("http://") else { return false }
    let authority = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
    return ["127.0.0.1", "localhost", "[::1]"].contains(String(host)) && !authority.contains("@")
}

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// A whole small file; nil, with errno, when it cannot be read, is longer, or is no plain file (EINVAL), which might
/// keep its reader waiting.
func readFile(_ path: String, bytesMax: Int, followsLinks: Bool = true) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW))
    guard descriptor >= 0 else { return nil }
    defer {
        // close may set it.
        let number = errno
        close(descriptor)
        errno = number
    }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { return nil }
    guard info.st_mode & S_IFMT == S_IFREG else {
        errno = EINVAL
        return nil
    }
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var filled = 0
    while filled <= bytesMax {
        let count = bytes.withUnsafeMutableBytes {
            Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
        }
        if count == 0 { return Array(bytes[..<filled]) }
        if count < 0 { return nil }
        filled += count
    }
    errno = EFBIG
    return nil
}

extension StringProtocol {
    /// Without the white space around it.
    var trimmed: Substring {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return text
    }
}
