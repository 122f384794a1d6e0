import OutboxCore

extension Queue {
    /// Messages released at once for a gate that opened, so that one-time codes never wait long for them.
    static let releasedAtOnce: Int64 = 200

    /// Takes a message off its class's queue until its gate opens.
    func park(_ record: Record, _ gate: Gate, until: Timestamp?, _ now: Timestamp) throws {
        try move(record.id, record.line, record.priority, from: .none, to: gate, now)
        if pairs.index(record.id, record.line, record.person) {
            try limits.indexPerson.run(.integer(record.id.rawValue))
        }
        var told = Told(.waits(gate), record.id, record.line, .queued, person: record.person, at: now)
        told.attempt = record.standing.attempt
        told.gate = gate
        tell(told)
        if let until {
            try change(record.line, record.person) { $0.wakeAt = min($0.wakeAt ?? until, until) }
        }
        if !gate.keepsPlace, !record.anyOrder { try releaseFollower(of: record) }
    }

    /// Puts a message back into its class's queue, at its old place.
    func unpark(_ id: MessageID, _ line: Int64, _ priority: Priority, from gate: Gate) throws {
        try move(id, line, priority, from: gate, to: .none, nil)
    }

    /// The same for one that was let go because its pool has room; it keeps its `gated_at` until it is looked at.
    func letGo(_ id: MessageID, _ line: Int64, _ priority: Priority) throws {
        try move(id, line, priority, from: .tier, to: .none, nil, keepsMoment: true)
        memory.released[LineClass(line: line, priority: priority), default: 0] += 1
    }

    private func move(
        _ id: MessageID, _ line: Int64, _ priority: Priority, from old: Gate, to new: Gate, _ now: Timestamp?,
        keepsMoment: Bool = false
    ) throws {
        let changed = try limits.park.run(
            .integer(new.rawValue), .optional(now?.milliseconds), .integer(keepsMoment ? 1 : 0), .integer(id.rawValue))
        precondition(changed == 1, "a message moved under its only writer")
        records.forget(id)
        if new == .none { memory.returned += 1 }
        memory.counters.moved(
            from: Counters.Key(line: line, state: .queued, priority: priority, gate: old),
            to: Counters.Key(line: line, state: .queued, priority: priority, gate: new))
    }

    // MARK: Gates that open for many

    /// Messages at a gate that are looked at again, slice after slice.
    struct Sweep: Equatable {
        var line: Int64
        var gate: Gate
        var priority: Priority
        var turn: Int64 = .min
        var id: Int64 = 0
    }

    /// Everything at that gate is to be looked at again.
    func sweep(_ gate: Gate, line: Int64) {
        for priority in Priority.allCases where memory.counters[line, .queued, priority, gate] > 0 {
            memory.sweeps.removeAll { $0.line == line && $0.gate == gate && $0.priority == priority }
            memory.sweeps.append(Sweep(line: line, gate: gate, priority: priority))
        }
    }

    func sweepAll(_ gate: Gate) { for line in memory.lines.keys { sweep(gate, line: line) } }

    /// One slice of what is to be looked at again. Answers whether there is more.
    func sweepOn() throws -> Bool {
        guard var sweep = memory.sweeps.first else { return false }
        let slice = try parked(
            sweep.line, sweep.gate, sweep.priority, after: (sweep.turn, sweep.id), limit: Self.releasedAtOnce)
        for (id, turn) in slice {
            try unpark(id, sweep.line, sweep.priority, from: sweep.gate)
            (sweep.turn, sweep.id) = (turn, id.rawValue)
        }
        if slice.count < Int(Self.releasedAtOnce) {
            memory.sweeps.removeFirst()
        } else {
            memory.sweeps[0] = sweep
        }
        return !memory.sweeps.isEmpty
    }

    func parked(
        _ line: Int64, _ gate: Gate, _ priority: Priority, after place: (turn: Int64, id: Int64) = (.min, 0),
        limit: Int64
    ) throws -> [(id: MessageID, turn: Int64)] {
        try limits.parked.all(
            .integer(line), .integer(gate.rawValue), .integer(priority.rawValue), .integer(place.turn),
            .integer(place.id), .integer(limit)
        ) { (id: MessageID(rawValue: $0.integer(0)), turn: $0.integer(1)) }
    }
}
