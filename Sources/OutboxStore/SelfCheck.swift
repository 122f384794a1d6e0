import OutboxCore

extension Queue {
    /// Where what the writer remembers is not what the file says. For tests and for looking into a damaged file.
    /// `nothingRemoved`: no message was ever pruned or erased, so that the statistics say no more than is there.
    package func disagreements(nothingRemoved: Bool = false) throws -> [String] {
        var found: [String] = []
        let counted = try database.prepare(
            "SELECT line, state, priority, gate, count(*) FROM message GROUP BY line, state, priority, gate"
        ).all { row in
            (
                line: row.integer(0), state: row.integer(1), priority: row.integer(2), gate: row.integer(3),
                count: row.integer(4)
            )
        }
        for line in memory.lines.keys {
            for state in MessageState.allCases {
                for priority in Priority.allCases {
                    for gate in Gate.allCases {
                        let inFile =
                            counted.first {
                                $0.line == line && $0.state == state.rawValue && $0.priority == priority.rawValue
                                    && $0.gate == gate.rawValue
                            }?.count ?? 0
                        let remembered = memory.counters[line, state, priority, gate]
                        if inFile != remembered {
                            found.append("line \(line): \(inFile) \(state) \(priority) at \(gate), not \(remembered)")
                        }
                    }
                }
            }
        }
        found += try cohortDisagreements(exactly: nothingRemoved)
        for pool in memory.pools.keys {
            let inFile = try database.integer("SELECT count(*) FROM tier_slot WHERE pool = \(pool)")
            let remembered = memory.slotsUsed[pool] ?? 0
            if inFile != remembered { found.append("pool \(pool): \(inFile) people, not \(remembered)") }
            let first = try database.integer("SELECT min(free_at) FROM tier_slot WHERE pool = \(pool)")
            let next = memory.nextSlotFree[pool]?.milliseconds ?? 0
            if inFile > 0, next > first || next == 0 { found.append("pool \(pool): a place is free before \(next)") }
        }
        return found
    }
}
