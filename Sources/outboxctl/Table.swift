import CLinux
import Glibc
import OutboxCore

/// Rows in columns: aligned and fitted to the terminal's width there, separated by tabs elsewhere.
struct Table {
    private let header: [String]
    private var rows: [[String]] = []
    /// No column is made narrower than this, or than its heading.
    private static let narrowest = 8

    init(_ header: [String]) { self.header = header }

    /// Words of others neither end a row nor begin a column.
    mutating func add(_ row: [String]) { rows.append(row.map(\.onOneLine)) }

    /// With `--output id` the first column alone.
    func show(_ client: Client) {
        if client.output == .id {
            for row in rows { if let id = row.first { print(id) } }
        } else if isatty(STDOUT_FILENO) == 0 {
            for row in rows { print(row.joined(separator: "\t")) }
        } else {
            for line in lines(width: Terminal.width) { print(line) }
        }
    }

    /// Aligned, no line longer than `width`: the widest columns give way first, and what is cut ends in an ellipsis.
    func lines(width: Int) -> [String] {
        var widths = header.map(\.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        let gaps = 2 * (widths.count - 1)
        while widths.reduce(gaps, +) > width {
            let floor = zip(widths, header).map { max(Self.narrowest, $1.count) }
            // An id that is cut is none: the first column gives way last.
            let wide = widths.indices.filter { widths[$0] > floor[$0] }
            let candidates = wide.filter { $0 > 0 || wide.count == 1 }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            let excess = widths.reduce(gaps, +) - width
            let second = candidates.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
            widths[widest] = max(floor[widest], min(widths[widest] - 1, max(second, widths[widest] - excess)))
        }
        return ([header] + rows).map { row in
            let line = zip(row, widths).map { cell, width in
                let cut = cell.count > width ? cell.prefix(width - 1) + "…" : Substring(cell)
                return cut + String(repeating: " ", count: width - cut.count)
            }.joined(separator: "  ")
            return String(line.prefix(width).reversed().drop { $0 == " " }.reversed())
        }
    }
}
