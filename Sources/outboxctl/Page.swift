import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let pageOptions: [Arguments.Option] = [
    .init("limit", short: "n", value: "N", "how many (default: 20, at most 200)"),
    .init("cursor", value: "CURSOR", "go on where a page ended"),
]

/// One page of a list as a table; where the next begins is told on standard error.
func page(
    _ path: String, _ arguments: Arguments, _ client: Client, filters: [(option: String, field: String)] = [],
    always: [String] = [],
    _ header: [String], _ row: (JSONValue) -> [String]
) throws {
    var query = ["limit=\(try arguments.integer("limit", in: 1...200) ?? 20)"]
    query += always
    for (option, field) in filters + [("cursor", "cursor")] {
        if let value = arguments[option] { query.append("\(field)=\(percentEncoded(value))") }
    }
    guard let answer = try client.whole("GET", "\(path)?\(query.joined(separator: "&"))"), !client.wantsJSON else {
        return
    }
    var table = Table(header)
    for item in answer["data"]?.elements.map({ $0 }) ?? [] { table.add(row(item)) }
    table.show(client)
    if let cursor = answer["meta"]?["pagination"]?["cursor"]?.string { complain("more: --cursor \(cursor)") }
}
