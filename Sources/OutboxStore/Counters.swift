import OutboxCore

/// How many messages stand where: by line, state, class and gate.
struct Counters {
    struct Key: Hashable {
        var line: Int64
        var state: MessageState
        var priority: Priority
        var gate: Gate
    }

    /// Of one line, each at its place.
    private struct OfLine {
        var counts = [Int64](repeating: 0, count: Counters.places)
        /// A bit for each place that is not in the file as it is here.
        var changed: UInt64 = 0

        /// Answers whether it is the first change.
        mutating func add(_ difference: Int64, at place: Int) -> Bool {
            counts[place] += difference
            defer { changed |= 1 << UInt64(place) }
            return changed == 0
        }
    }

    /// Each state and class, and for those in the queue each gate.
    private static let classes = Priority.allCases.count
    private static let states = MessageState.allCases.count
    private static let places = classes * (states + Gate.allCases.count)

    private static func place(_ state: MessageState, _ priority: Priority, _ gate: Gate) -> Int {
        let row = state == .queued ? states + Int(gate.rawValue) : Int(state.rawValue)
        return row * classes + Int(priority.rawValue)
    }

    private static func key(_ line: Int64, _ place: Int) -> Key? {
        let (row, priority) = (place / classes, Priority(rawValue: Int64(place % classes)))
        let state = row < states ? MessageState(rawValue: Int64(row)) : .queued
        let gate = row < states ? Gate.none : Gate(rawValue: Int64(row - states))
        guard let state, let priority, let gate else { return nil }
        return Key(line: line, state: state, priority: priority, gate: gate)
    }

    private var lines: [Int64: OfLine] = [:]
    /// Lines of which something has changed.
    private var changed: [Int64] = []
    /// Messages at each gate, of all lines together.
    private var atGate = [Int64](repeating: 0, count: Gate.allCases.count)
    /// What moved since somebody took it.
    var tally = Tally()

    init() {}

    init(_ database: Database) throws {
        let statement = try database.prepare("SELECT line, state, priority, gate, count FROM counter")
        try statement.each { row in
            guard let state = MessageState(rawValue: row.integer(1)), let gate = Gate(rawValue: row.integer(3)),
                let priority = Priority(rawValue: row.integer(2))
            else { return }
            lines[row.integer(0), default: OfLine()].counts[Self.place(state, priority, gate)] = row.integer(4)
            if state == .queued { atGate[Int(gate.rawValue)] += row.integer(4) }
        }
    }

    subscript(line: Int64, state: MessageState) -> Int64 {
        guard let counts = lines[line]?.counts else { return 0 }
        let gates = state == .queued ? Gate.allCases : [.none]
        return gates.reduce(0) { sum, gate in
            Priority.allCases.reduce(sum) { $0 + counts[Self.place(state, $1, gate)] }
        }
    }

    subscript(line: Int64, state: MessageState, priority: Priority, gate: Gate) -> Int64 {
        // Only those in the queue stand at gates.
        guard state == .queued || gate == .none else { return 0 }
        return lines[line]?.counts[Self.place(state, priority, gate)] ?? 0
    }

    /// Messages of a line in its classes' queues, at no gate.
    func ready(_ line: Int64, _ priority: Priority) -> Int64 { self[line, .queued, priority, .none] }

    /// The classes of a line that have any there.
    func readyClasses(_ line: Int64) -> [Priority] {
        guard let counts = lines[line]?.counts else { return [] }
        return Priority.allCases.filter { counts[Self.place(.queued, $0, .none)] > 0 }
    }

    /// Messages of a line at a gate.
    func parked(_ line: Int64, _ gate: Gate) -> Int64 {
        Priority.allCases.reduce(0) { $0 + self[line, .queued, $1, gate] }
    }

    /// Whether a message of any line is at a gate.
    func isWaited(at gate: Gate) -> Bool { atGate[Int(gate.rawValue)] > 0 }

    func total(_ isCounted: (MessageState) -> Bool) -> Int64 {
        let states = MessageState.allCases.filter(isCounted)
        return lines.keys.reduce(0) { sum, line in states.reduce(sum) { $0 + self[line, $1] } }
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
        let place = Self.place(key.state, key.priority, key.gate)
        if lines[key.line, default: OfLine()].add(difference, at: place) { changed.append(key.line) }
        if key.state == .queued { atGate[Int(key.gate.rawValue)] += difference }
    }

    /// Part of the transaction that made the changes.
    mutating func save(_ statements: Statements) throws {
        for line in changed {
            guard let ofLine = lines[line] else { continue }
            var left = ofLine.changed
            while left != 0 {
                let place = left.trailingZeroBitCount
                left &= left - 1
                guard let key = Self.key(line, place) else { continue }
                let values: [SQLValue] = [
                    .integer(ofLine.counts[place]), .integer(line), .integer(key.state.rawValue),
                    .integer(key.priority.rawValue), .integer(key.gate.rawValue),
                ]
                if try statements.changeCounter.run(list: values) == 0 {
                    _ = try statements.addCounter.run(list: values)
                }
            }
            lines[line]?.changed = 0
        }
        changed = []
    }
}
