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
        found += try campaignDisagreements()
        found += try pairDisagreements()
        found += try wamidDisagreements()
        found += try recordDisagreements()
        found += try alarmDisagreements()
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

extension Queue {
    /// Of who is in the queue: found by the person, or remembered as the only one.
    private func pairDisagreements() throws -> [String] {
        try database.prepare(
            """
            SELECT line, person, count(*), total(by_person), max(id), max(gate <> 0 OR state = 3), total(state NOT IN (1, 2, 3))
            FROM message WHERE state IN (1, 2, 3) OR by_person = 1 GROUP BY line, person
            """
        ).all { row -> String? in
            let (line, person, count) = (row.integer(0), row.text(1), row.integer(2))
            let indexed = row.integer(3)
            let isRight =
                indexed == 0
                ? count == 1 && row.integer(5) == 0 && pairs.alone(line, person)?.rawValue == row.integer(4)
                : indexed == count && pairs.indexed(line, person) == count
            if isRight, row.integer(6) == 0 { return nil }
            return "line \(line), \(person): \(indexed) of \(count) are found by the person"
        }.compactMap { $0 }
    }
}

extension Queue {
    /// Of Meta's ids: each message is found by its own.
    private func wamidDisagreements() throws -> [String] {
        var entries: Set<[Int64]> = []
        var found: [String] = []
        try database.prepare(
            "SELECT hash, message, -1 FROM wamid_fresh UNION ALL SELECT hash, message, run FROM wamid_run"
        ).each {
            let (hash, run) = ($0.integer(0), $0.integer(2))
            entries.insert([hash, $0.integer(1)])
            let passes = run < 0 ? memory.wamids.freshFilter.mayHave(hash) : memory.wamids.mayHave(hash, run: run)
            if !passes { found.append("the filter of run \(run) rules out what it has") }
        }
        return try found
            + database.prepare("SELECT id, wamid FROM message WHERE wamid IS NOT NULL").all { row -> String? in
                entries.contains([WamidRuns.hash(row.text(1)), row.integer(0)])
                    ? nil : "message \(row.integer(0)) is not found as \(row.text(1))"
            }.compactMap { $0 }
    }
}

extension Queue {
    /// Of campaigns: what is counted against a scan, as long as nothing of it was removed.
    private func campaignDisagreements() throws -> [String] {
        var found: [String] = []
        for (id, book) in memory.campaigns {
            let stored = try database.prepare(
                "SELECT kind, key, count FROM campaign_count WHERE campaign = :id AND count > 0"
            )
            .all(.integer(id)) { "\($0.integer(0)) \($0.text(1)) \($0.integer(2))" }
            let remembered = book.counts.filter { $0.value > 0 }.map {
                "\($0.key.kind.rawValue) \($0.key.key) \($0.value)"
            }
            if stored.sorted() != remembered.sorted() {
                found.append("campaign \(id): \(remembered.sorted()) is not in the file: \(stored.sorted())")
            }
            let pending =
                try database.prepare(
                    """
                    SELECT count(*) FROM campaign_recipient WHERE campaign = :id AND message IS NULL AND skipped IS NULL
                    """
                ).first(.integer(id)) { $0.integer(0) } ?? 0
            if pending != book.waiting { found.append("campaign \(id): \(pending) wait, not \(book.waiting)") }
            let states = try database.prepare("SELECT state, count(*) FROM message WHERE batch = :id GROUP BY state")
                .all(.integer(id)) { (state: $0.integer(0), count: $0.integer(1)) }
            let messages = states.reduce(0) { $0 + $1.count }
            guard messages == book.summed.messages else { continue }
            for (state, count) in states where book.count(.state, String(state)) != count {
                found.append("campaign \(id): \(count) in state \(state), not \(book.count(.state, String(state)))")
            }
        }
        return found
    }
}

extension Queue {
    /// Of messages on their way: their rows.
    private func recordDisagreements() throws -> [String] {
        try records.all.compactMap { remembered in
            let inFile = try statements.loadRecord.first(.integer(remembered.id.rawValue)) { Record($0).stored?.record }
            guard let row = inFile ?? nil else { return "message \(remembered.id.rawValue) is gone" }
            return String(describing: row) == String(describing: remembered)
                ? nil : "message \(remembered.id.rawValue): \(remembered) is \(row)"
        }
    }

    /// Of what the clock moves: none is missed.
    private func alarmDisagreements() throws -> [String] {
        var found: [String] = []
        for kind in Alarms.Kind.allCases where try nextAlarm(kind) < memory.alarms[kind] {
            found.append("\(kind): somebody's moment comes before \(memory.alarms[kind].milliseconds)")
        }
        if let contact = try nextContact(after: .min), contact < memory.nextContact {
            found.append("a wait with a person ends before \(memory.nextContact.milliseconds)")
        }
        return found
    }
}
