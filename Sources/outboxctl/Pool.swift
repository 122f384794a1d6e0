import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

let poolListCommand = Command(
    name: "pool ls", words: "", summary: "the pools of lines, their tiers and how much of them is used",
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    guard let pools = try client.call("GET", "/v1/pools"), !client.wantsJSON else { return }
    var table = Table(["POOL", "TIER", "FROM", "LIMIT", "USED", "FREE", "WAITING", "NEXT FREE AT"])
    for pool in pools.elements {
        table.add(
            ["pool", "tier", "tierFrom", "limit", "used", "free", "waiting", "nextFreeAt"].map { plain(pool[$0]) })
    }
    table.show(client)
}

let poolShowCommand = Command(
    name: "pool show", words: "NAME", summary: "one pool: tier, people written to in 24 hours, who waits"
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    guard let pool = try client.call("GET", "/v1/pools/\(percentEncoded(name))"), !client.wantsJSON else { return }
    show(pool)
}

let poolSetCommand = Command(
    name: "pool set", words: "NAME", summary: "set what is given of a pool; what is left out stays",
    options: [
        .init(
            "tier", value: "TIER",
            "TIER_50, TIER_250, TIER_1K, TIER_2K, TIER_10K, TIER_100K, TIER_UNLIMITED, or learned"),
        .init("keep-for-high", value: "PERCENT", "of the tier, for messages of the class high alone"),
        .init("used", value: "N", "people written to in the last 24 hours by anybody, other senders included"),
    ]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    let kept = try arguments.integer("keep-for-high", in: 0...100)
    let used = try arguments.integer("used", in: 0...1_000_000_000)
    guard arguments["tier"] != nil || kept != nil || used != nil else {
        throw Arguments.Problem("nothing is given to set; see --help")
    }
    var json = JSONWriter()
    json.object {
        $0.field("tier", arguments["tier"])
        if let kept { $0.field("keptForHigh", kept) }
        if let used { $0.field("used", used) }
    }
    guard let pool = try client.call("PUT", "/v1/pools/\(percentEncoded(name))", body: json.bytes), !client.wantsJSON
    else { return }
    show(pool)
}

/// Name and value of everything that has one.
func show(_ object: JSONValue) {
    for (name, value) in object.members where !value.isNull {
        print("\(name)\(String(repeating: " ", count: max(1, 20 - name.count)))\(plain(value))")
    }
}
