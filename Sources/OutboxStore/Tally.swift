package import OutboxCore

/// What transactions did, counted for the metrics: what is undone is not counted, and nothing of it is stored.
package struct Tally: Equatable, Sendable {
    package struct LineState: Hashable, Sendable {
        package var line: Int64
        package var state: MessageState

        package init(line: Int64, state: MessageState) {
            self.line = line
            self.state = state
        }
    }

    package struct LineGate: Hashable, Sendable {
        package var line: Int64
        package var gate: Gate

        package init(line: Int64, gate: Gate) {
            self.line = line
            self.gate = gate
        }
    }

    /// Messages taken into the queue, by line.
    package var submitted: [Int64: Int64] = [:]
    /// How often a message came into a state.
    package var entered: [LineState: Int64] = [:]
    /// How often a message was put at a gate.
    package var deferred: [LineGate: Int64] = [:]
    /// Gates at which more or fewer messages wait than before.
    package var touched: Set<LineGate> = []
    /// Of scheduled messages that came into the queue: how late, in milliseconds.
    package var lateness: [Int64] = []

    /// `old` is nil for a message that is new.
    mutating func moved(from old: Counters.Key?, to new: Counters.Key) {
        if old == nil { submitted[new.line, default: 0] += 1 }
        if old?.state != new.state { entered[LineState(line: new.line, state: new.state), default: 0] += 1 }
        guard old?.gate ?? .none != new.gate else { return }
        if let old, old.gate != .none { touched.insert(LineGate(line: old.line, gate: old.gate)) }
        guard new.gate != .none else { return }
        let gate = LineGate(line: new.line, gate: new.gate)
        deferred[gate, default: 0] += 1
        touched.insert(gate)
    }
}

extension Queue {
    /// What was done since the last call.
    package func takeTally() -> Tally {
        defer { memory.counters.tally = Tally() }
        return memory.counters.tally
    }

    /// Messages of a line at a gate.
    package func count(of place: Tally.LineGate) -> Int64 { memory.counters.parked(place.line, place.gate) }
}
