import OutboxCommandLine

/// Comma-separated values (RFC 4180): fields in quotes may hold the separator, line ends and doubled quotes. The
/// separator is what the first line has: comma, semicolon or tab.
struct CSV {
    /// The names of the columns.
    let header: [String]
    /// Each as long as the header, with the line of the file it begins in.
    private(set) var rows: [(line: Int, cells: [String])] = []

    init(_ text: String) throws {
        var scanner = Scanner(text)
        guard let header = try scanner.next()?.cells, header.contains(where: { !$0.isEmpty }) else {
            throw Arguments.Problem("the file is empty: its first line must name the columns, such as to,message")
        }
        self.header = header
        for (index, name) in header.enumerated() where header[..<index].contains(name) {
            throw Arguments.Problem("line 1: the column \(name.isEmpty ? "without a name" : name) stands there twice")
        }
        while let row = try scanner.next() {
            if row.cells == [""] { continue }
            guard row.cells.count == header.count else {
                throw Arguments.Problem(
                    "line \(row.line): \(row.cells.count) fields, and the header names \(header.count); put a field "
                        + "that holds the separator, a quote or a line end into quotes")
            }
            rows.append(row)
        }
    }

    private struct Scanner {
        private var rest: Substring.UnicodeScalarView
        private let separator: Unicode.Scalar
        private var line = 1

        init(_ text: String) {
            // What Excel puts before UTF-8.
            rest = Substring(text).unicodeScalars
            if rest.first == "\u{FEFF}" { rest.removeFirst() }
            let first = rest.prefix { $0 != "\n" && $0 != "\r" }
            separator = [",", ";", "\t"].first { first.contains($0) } ?? ","
        }

        mutating func next() throws -> (line: Int, cells: [String])? {
            guard !rest.isEmpty else { return nil }
            let start = line
            var cells: [String] = []
            while true {
                cells.append(rest.first == "\"" ? try quoted() : plain())
                guard let end = rest.popFirst() else { break }
                if end == separator {
                    if rest.isEmpty {
                        cells.append("")
                        break
                    }
                    continue
                }
                if end == "\r", rest.first == "\n" { rest.removeFirst() }
                line += 1
                break
            }
            return (start, cells)
        }

        private mutating func plain() -> String {
            let cell = rest.prefix { $0 != separator && $0 != "\n" && $0 != "\r" }
            rest = rest[cell.endIndex...]
            return String(String.UnicodeScalarView(cell))
        }

        private mutating func quoted() throws -> String {
            let start = line
            rest.removeFirst()
            var cell = String.UnicodeScalarView()
            while let scalar = rest.popFirst() {
                if scalar != "\"" {
                    if scalar == "\n" { line += 1 }
                    cell.append(scalar)
                } else if rest.first == "\"" {
                    cell.append(scalar)
                    rest.removeFirst()
                } else {
                    guard rest.first.map({ $0 == separator || $0 == "\n" || $0 == "\r" }) ?? true else {
                        throw Arguments.Problem(
                            "line \(line): text behind a closing quote; double quotes inside quotes")
                    }
                    return String(cell)
                }
            }
            throw Arguments.Problem("line \(start): a quote is opened and never closed")
        }
    }
}
