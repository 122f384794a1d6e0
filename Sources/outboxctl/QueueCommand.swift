import OutboxCommandLine
import OutboxJSON

let queueCommand = Command(
    name: "queue", words: "", summary: "what waits where and for how long: age by line and gate",
    options: [.init("line", short: "l", value: "LINE", "of this line"), watchOption]
) { arguments, client in
    _ = try words(arguments)
    guard let shape = try client.call("GET", "/v1/queue"), !client.wantsJSON else { return }
    let ages = shape["ages"]?.elements.compactMap(\.integer) ?? []
    var table = Table(["LINE", "GATE", "TOTAL"] + ages.map { "<\(span($0))" } + ["OLDER", "OLDEST"])
    var sums = Array(repeating: Int64(0), count: ages.count + 2)
    for row in shape["rows"]?.elements.map({ $0 }) ?? []
    where arguments["line"] == nil || row["line"]?.string == arguments["line"] {
        let counts = [row["total"]?.integer ?? 0] + (row["counts"]?.elements.compactMap(\.integer) ?? [])
        for (index, count) in counts.enumerated() where sums.indices.contains(index) { sums[index] += count }
        table.add(
            [plain(row["line"]), plain(row["gate"])] + counts.map { $0 == 0 ? "." : String($0) }
                + [plain(row["oldestAt"])])
    }
    guard sums.first != 0 else { return print("nothing waits") }
    table.add(["all", ""] + sums.map(String.init) + [""])
    table.show(client)
}

/// `90` is `90s`, `3600` is `1h`.
func span(_ seconds: Int64) -> String {
    for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)] where seconds % length == 0 && seconds > 0 {
        return "\(seconds / length)\(unit)"
    }
    return "\(seconds)s"
}
