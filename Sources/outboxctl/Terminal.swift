import CLinux
import Glibc
import OutboxCommandLine

/// The terminal behind standard output.
enum Terminal {
    static var size: (rows: Int, columns: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (24, 80)
        }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    static var width: Int { size.columns }

    static var isThere: Bool { isatty(STDOUT_FILENO) != 0 }

    /// Colours are for terminals, unless the environment says otherwise (no-color.org).
    static var hasColours: Bool {
        guard isThere else { return false }
        if let set = getenv("NO_COLOR"), set.pointee != 0 { return false }
        return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }

    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    /// `text` is our own.
    static func paint(_ text: String, _ colour: Colour) -> String {
        hasColours ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Control characters and all; words of others in it were freed of theirs.
    static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody looks any more.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

let watchOption = Arguments.Option(
    "watch", value: "SECONDS", whenBare: "2", "show it again and again, every SECONDS (default: 2), until interrupted")

/// Runs a command, with `--watch` again and again. Whoever was there once is waited for.
func watching(_ arguments: Arguments, _ client: Client, _ run: (Client) throws -> Void) throws {
    guard arguments.has("watch") else { return try run(client) }
    guard let interval = try arguments.integer("watch", in: 1...3600) else { return try run(client) }
    var wasThere = false
    while true {
        // On a terminal the new picture stands in the place of the old one.
        if Terminal.isThere, client.output == .text { Terminal.write("\u{1B}[H\u{1B}[2J") }
        do {
            try run(client)
            wasThere = true
        } catch ExitStatus.notRunning where wasThere {
            // It said so on standard error.
        }
        if fflush(nil) != 0 { return }
        sleep(UInt32(interval))
    }
}
