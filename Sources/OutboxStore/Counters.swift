import OutboxCore

/// How many messages stand where: by line, state, class and gate.
struct Counters {
    struct Key: Hashable {
        var line: Int64
        var state: MessageState
        var priority: Priority
        var gate: Gate
    }

    private var counts: [Key: Int64] = [:]
    private var changed: Set<Key> = []
    /// What moved since somebody took it.
    var tally = Tally()

    init() {}

    init(_ database: Database) throws {
        let statement = try database.prepare("SELECT line, state, priority, gate, count FROM counter")
        try statement.each { row in
            guard let state = MessageState(rawValue: row.integer(1)), let gate = Gate(rawValue: row.integer(3)),
                let priority = Priority(rawValue: row.integer(2))
            else { return }
            counts[Key(line: row.integer(0), state: state, priority: priority, gate: gate)] = row.integer(4)
        }
    }

    subscript(line: Int64, state: MessageState) -> Int64 {
        Priority.allCases.reduce(0) { sum, priority in
            state == .queued
                ? Gate.allCases.reduce(sum) { $0 + self[line, .queued, priority, $1] }
                : sum + self[line, state, priority, .none]
        }
    }

    subscript(line: Int64, state: MessageState, priority: Priority, gate: Gate) -> Int64 {
        counts[Key(line: line, state: state, priority: priority, gate: gate)] ?? 0
    }

    /// Messages of a line in its classes' queues, at no gate.
    func ready(_ line: Int64, _ priority: Priority) -> Int64 { self[line, .queued, priority, .none] }

    /// Messages of a line at a gate.
    func parked(_ line: Int64, _ gate: Gate) -> Int64 {
        Priority.allCases.reduce(0) { $0 + self[line, .queued, $1, gate] }
    }

    func total(_ isCounted: (MessageState) -> Bool) -> Int64 {
        counts.reduce(0) { isCounted($1.key.state) ? $0 + $1.value : $0 }
    }

    mutating func moved(from old: Key?, to new: Key) {
        guard old != new else { return }
        tally.moved(from: old, to: new)
        if let old { add(-1, old) }
        add(1, new)
    }

    /// It is no longer in the file.
    mutating func removed(_ key: Key) { add(-1, key) }

    private mutating func add(_ difference: Int64, _ key: Key) {
        counts[key, default: 0] += difference
        changed.insert(key)
    }

    /// Part of the transaction that made the changes.
    mutating func save(_ statements: Statements) throws {
        for key in changed {
            try statements.saveCounter.run(
                .integer(key.line), .integer(key.state.rawValue), .integer(key.priority.rawValue),
                .integer(key.gate.rawValue), .integer(counts[key] ?? 0))
        }
        changed = []
    }
}
