import CLinux
import Glibc
import OutboxCore

/// Rows in columns: aligned and cut to the terminal's width there, separated by tabs elsewhere.
struct Table {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) { self.header = header }

    /// Words of others neither end a row nor begin a column.
    mutating func add(_ row: [String]) { rows.append(row.map(\.onOneLine)) }

    func show() {
        guard isatty(STDOUT_FILENO) != 0 else {
            for row in rows { print(row.joined(separator: "\t")) }
            return
        }
        var widths = header.map(\.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        let limit = terminalWidth()
        for row in [header] + rows {
            let line = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }.joined(separator: "  ")
            print(String(line.prefix(limit)))
        }
    }

    private func terminalWidth() -> Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 120
    }
}
