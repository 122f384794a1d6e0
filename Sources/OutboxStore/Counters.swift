import OutboxCore

/// How many messages of each line stand in each state.
struct Counters {
    struct Key: Hashable {
        var line: Int64
        var state: MessageState
    }

    private var counts: [Key: Int64] = [:]
    private var changed: Set<Key> = []

    init() {}

    init(_ database: Database) throws {
        let statement = try database.prepare("SELECT line, state, count FROM counter")
        try statement.each { row in
            guard let state = MessageState(rawValue: row.integer(1)) else { return }
            counts[Key(line: row.integer(0), state: state)] = row.integer(2)
        }
    }

    subscript(line: Int64, state: MessageState) -> Int64 { counts[Key(line: line, state: state)] ?? 0 }

    func total(_ isCounted: (MessageState) -> Bool) -> Int64 {
        counts.reduce(0) { isCounted($1.key.state) ? $0 + $1.value : $0 }
    }

    mutating func moved(_ line: Int64, from old: MessageState?, to new: MessageState) {
        guard old != new else { return }
        if let old { add(-1, Key(line: line, state: old)) }
        add(1, Key(line: line, state: new))
    }

    private mutating func add(_ difference: Int64, _ key: Key) {
        counts[key, default: 0] += difference
        changed.insert(key)
    }

    /// Part of the transaction that made the changes.
    mutating func save(_ statements: Statements) throws {
        for key in changed {
            try statements.saveCounter.run(
                .integer(key.line), .integer(key.state.rawValue), .integer(counts[key] ?? 0))
        }
        changed = []
    }
}
