import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON

let campaignAddCommand = Command(
    name: "campaign add", words: "ID [TO...]",
    summary: "add recipients; who is in the campaign already is left out, so that a file may be sent again",
    options: [
        .init("from", value: "FILE", "CSV (columns to, timezone; others are variables) or NDJSON; - is standard input"),
        .init("format", value: "FORMAT", "csv or ndjson (default: by FILE's name, or how it begins)"),
    ]
) { arguments, client in
    guard let id = arguments.words.first else { throw Arguments.Problem("give the campaign's ID; see --help") }
    let numbers = arguments.words.dropFirst()
    if !numbers.isEmpty, arguments.has("from") { throw Arguments.Problem("--from and numbers exclude each other") }
    let rows: [(line: Int, json: [UInt8])]
    if numbers.isEmpty {
        guard let file = arguments["from"] else { throw Arguments.Problem("give numbers, or --from FILE; see --help") }
        rows = try RecipientRows(file, arguments["format"]).rows
    } else {
        rows = numbers.enumerated().map { index, to in
            var json = JSONWriter()
            json.object { $0.field("to", to) }
            return (index + 1, json.bytes)
        }
    }
    guard !rows.isEmpty else { throw Arguments.Problem("there is no recipient in \(arguments["from"] ?? "it")") }
    var body: [UInt8] = []
    for row in rows {
        body += row.json
        body.append(0x0A)
    }
    var request = client.request("POST", "/v1/campaigns/\(percentEncoded(id))/recipients", body: body)
    request.headers[0] = "Content-Type: application/x-ndjson"
    request.timeout = .zero
    switch callAndWait(request) {
    case .notSent(let text), .broken(let text): throw client.notRunning(text)
    case .answered(let status, _, let bytes):
        if client.wantsJSON { print(String(decoding: shown(json: bytes), as: UTF8.self), terminator: "") }
        let answer = try? JSONParser().parse(bytes)
        let data = answer?["data"]
        for entry in data?["errors"]?.elements.map({ $0 }) ?? [] {
            let index = entry["index"]?.integer.map(Int.init) ?? 0
            let details = entry["error"]?["details"]?.elements.map { "\(plain($0["field"])) \(plain($0["message"]))" }
            let line = rows.indices.contains(index) ? rows[index].line : index + 1
            complain("line \(line): \((details ?? []).joined(separator: "; ").onOneLine)")
        }
        guard (200...299).contains(status) else { throw client.refused(status, answer) }
        let failed = data?["failedCount"]?.integer ?? 0
        if !client.wantsJSON {
            let twice = data?["duplicates"]?.integer ?? 0
            print(
                "added \(plain(data?["added"])) of \(plain(data?["total"]))"
                    + (twice > 0 ? ", \(twice) were in the campaign already" : ""))
        }
        if failed > 0 {
            complain("outboxctl: \(failed) were refused; mend their lines, then add the file again")
            throw ExitStatus.refused
        }
    }
}

/// The rows of a file as recipients.
private struct RecipientRows {
    private static let bytesMax = 1 << 30
    private static let zones = ["timezone", "time_zone", "time-zone", "zone"]
    private(set) var rows: [(line: Int, json: [UInt8])] = []

    init(_ file: String, _ format: String?) throws {
        let text = try readFile(file, bytesMax: Self.bytesMax)
        let isCSV: Bool
        switch format {
        case "csv": isCSV = true
        case "ndjson": isCSV = false
        case nil:
            isCSV = !file.hasSuffix(".ndjson") && (file.hasSuffix(".csv") || text.first { !$0.isWhitespace } != "{")
        default: throw Arguments.Problem("--format must be csv or ndjson")
        }
        if isCSV { try read(CSV(text)) } else { try read(lines: text) }
    }

    private mutating func read(_ csv: CSV) throws {
        let names = csv.header.map { $0.lowercased() }
        guard let to = names.firstIndex(of: "to") else {
            throw Arguments.Problem("line 1: there is no column to; the first line names the columns")
        }
        let zone = names.firstIndex { Self.zones.contains($0) }
        for (line, cells) in csv.rows {
            var json = JSONWriter()
            json.object {
                $0.field("to", cells[to])
                if let zone, !cells[zone].isEmpty { $0.field("timeZone", cells[zone]) }
                $0.object("variables") {
                    for (index, cell) in cells.enumerated() where index != to && index != zone {
                        $0.field(variable(csv.header[index]), cell)
                    }
                }
            }
            rows.append((line, json.bytes))
        }
    }

    /// A column that is a variable though it is named like a field: `var.to`.
    private func variable(_ name: String) -> String { name.hasPrefix("var.") ? String(name.dropFirst(4)) : name }

    private mutating func read(lines text: String) throws {
        let lines = Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
            do {
                rows.append((index + 1, Array(try JSONParser().parse(line).raw)))
            } catch {
                throw Arguments.Problem("line \(index + 1) is \(error)")
            }
        }
    }
}
