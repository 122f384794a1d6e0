import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let statsCommand = Command(
    name: "stats", words: "", summary: "what became of the messages of the last days, drawn",
    options: [
        .init("days", short: "d", value: "N", "today and the days before it, 1 to 90 (default: 30)"),
        .init("since", value: "TIME", "from there instead, in RFC 3339"),
        .init("until", value: "TIME", "up to there (default: now)"),
        .init("by", value: "hour|day", "what a bar stands for (default: day, or hour of one day)"),
        .init("line", short: "l", value: "LINE", "of this line"),
        .init("template", short: "t", value: "NAME", "of this template, or name/language"),
        .init("campaign", value: "ID", "of this campaign"),
        watchOption,
    ]
) { arguments, client in
    _ = try words(arguments)
    let query = try ["days", "since", "until", "line", "template", "campaign"].compactMap { name in
        try arguments[name].map { value in
            if name == "days" { _ = try arguments.integer("days", in: 1...90) }
            return "\(name)=\(percentEncoded(value))"
        }
    }
    let by = arguments["by"] ?? (arguments["days"] == "1" ? "hour" : "day")
    func ask(_ report: String, _ more: [String] = []) throws -> JSONValue? {
        try client.call("GET", "/v1/analytics/\(report)?\((query + more).joined(separator: "&"))")
    }
    // For programs each is an answer of its own, a line each.
    guard let summary = try ask("summary"), let funnel = try ask("funnel"),
        let series = try ask("timeseries", ["by=\(by)"]), let lines = try ask("breakdown", ["by=line"]),
        let templates = try ask("breakdown", ["by=template"]),
        let campaigns = try ask("breakdown", ["by=campaign"]), let failures = try ask("failures"),
        let costs = try ask("costs"), !client.wantsJSON
    else { return }
    print("\(plain(summary["since"])) to \(plain(summary["until"])) (UTC)")
    print()
    draw(summary: summary)
    draw(funnel: funnel)
    draw(series: series)
    draw(breakdown: lines, "line", client)
    draw(breakdown: templates, "template", client)
    draw(breakdown: campaigns, "campaign", client)
    draw(failures: failures, client)
    draw(costs: costs, client)
}

private func draw(summary: JSONValue) {
    let statuses = ["waiting", "sent", "delivered", "read", "failed", "cancelled"].map { name in
        "\(summary["byStatus"]?[name]?.integer ?? 0) \(name)"
    }
    print("\(summary["total"]?.integer ?? 0) messages: \(statuses.joined(separator: ", "))")
    let rates = ["delivery", "read", "reply", "failure"].compactMap { name in
        percent(summary["\(name)Rate"]).map { "\(name) \($0)" }
    }
    if !rates.isEmpty { print("of those tried: \(rates.joined(separator: ", "))") }
}

private func draw(funnel: JSONValue) {
    let steps = funnel["steps"]?.elements.map { $0 } ?? []
    let most = steps.compactMap { $0["count"]?.integer }.max() ?? 0
    guard most > 0 else { return }
    print()
    for step in steps {
        let count = step["count"]?.integer ?? 0
        let drawn = bar(count, of: most, width: 40)
        print("\(padded(plain(step["step"]), 10)) \(drawn) \(count) \(percent(step["share"]) ?? "")")
    }
}

private func draw(series: JSONValue) {
    let points = series["points"]?.elements.map { $0 } ?? []
    let most = points.compactMap { $0["accepted"]?.integer }.max() ?? 0
    guard most > 0 else { return }
    let isHour = series["by"]?.string == "hour"
    print()
    print("\(padded(isHour ? "HOUR" : "DAY", 16)) \(padded("MESSAGES", 41)) DELIVERED  READ  FAILED")
    // What lies before the first message says nothing.
    for point in points.drop(while: { $0["accepted"]?.integer == 0 }) {
        func number(_ name: String) -> String { String(point[name]?.integer ?? 0) }
        let at = plain(point["at"])
        let label = isHour ? String(at.prefix(16)).replacing("T", with: " ") : String(at.prefix(10))
        let drawn = "\(bar(point["accepted"]?.integer ?? 0, of: most, width: 30)) \(number("accepted"))"
        let came = "\(padded(number("delivered"), 10)) \(padded(number("read"), 5)) \(number("failed"))"
        print("\(padded(label, 16)) \(padded(drawn, 41)) \(came)")
    }
}

private func draw(breakdown: JSONValue, _ by: String, _ client: Client) {
    let rows = breakdown["rows"]?.elements.map { $0 } ?? []
    guard rows.count > 1 || (by != "line" && rows.first?[by]?.string != nil) else { return }
    var table = Table([by.uppercased(), "MESSAGES", "DELIVERED", "READ", "REPLIED", "FAILED"])
    for row in rows {
        table.add(
            [row[by]?.string ?? "(none)"]
                + ["accepted", "delivered", "read", "replied", "failed"].map { String(row[$0]?.integer ?? 0) })
    }
    print()
    table.show(client)
}

private func draw(failures: JSONValue, _ client: Client) {
    let codes = failures["codes"]?.elements.map { $0 } ?? []
    guard !codes.isEmpty else { return }
    var table = Table(["CODE", "FAILED", "MEANING"])
    for code in codes {
        table.add([plain(code["code"]), String(code["count"]?.integer ?? 0), code["title"]?.string ?? ""])
    }
    print()
    table.show(client)
}

private func draw(costs: JSONValue, _ client: Client) {
    let rows = costs["rows"]?.elements.map { $0 } ?? []
    guard !rows.isEmpty else { return }
    let currency = costs["currency"]?.string
    var table = Table(["COUNTRY", "CATEGORY", "PRICED", "MESSAGES", currency.map { "COST (\($0))" } ?? "COST"])
    for row in rows {
        table.add([
            row["country"]?.string ?? "?", plain(row["category"]), plain(row["type"]),
            String(row["messages"]?.integer ?? 0), row["cost"]?.string ?? "?",
        ])
    }
    print()
    table.show(client)
    if let currency, let cost = costs["cost"]?.string { print("together \(cost) \(currency)") }
    if currency == nil { print("no rates are known: see --rates in outboxd(8)") }
}

/// `0.9408` is `94.0%`.
private func percent(_ share: JSONValue?) -> String? {
    guard let share, share.kind == .number else { return nil }
    let digits = String(decoding: share.raw, as: UTF8.self).split(separator: ".")
    guard digits.count == 2, let whole = Int(digits[0]), let rest = Int(digits[1].prefix(3)) else { return nil }
    let thousandths = whole * 1000 + rest
    return "\(thousandths / 10).\(thousandths % 10)%"
}

private func bar(_ count: Int64, of most: Int64, width: Int64) -> String {
    let eighths = most > 0 ? Int(count * width * 8 / most) : 0
    let part = eighths % 8
    let end = part == 0 ? "" : String(UnicodeScalar(0x2590 - UInt32(part)) ?? " ")
    return String(repeating: "\u{2588}", count: eighths / 8) + end
}

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
