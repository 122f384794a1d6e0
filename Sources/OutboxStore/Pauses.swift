package import OutboxCore

extension Pause {
    static let columns = "id, account, scope, line, target, reason, who, created_at, until"

    init(_ row: Row) {
        self.init(
            id: row.integer(0), account: row.integer(1), scope: PauseScope(rawValue: row.integer(2)) ?? .everything,
            line: row.optionalInteger(3), target: row.optionalText(4), reason: row.optionalText(5), who: row.text(6),
            createdAt: Timestamp(milliseconds: row.integer(7)),
            until: row.optionalInteger(8).map(Timestamp.init(milliseconds:)))
    }
}

extension Queue {
    func loadPauses() throws -> [Pause] {
        try database.prepare("SELECT \(Pause.columns) FROM pause ORDER BY id").all { Pause($0) }
    }

    /// Holds messages back. One that covers the same messages is replaced.
    package func pause(_ pause: Pause) throws -> Pause {
        for old in memory.pauses where old.covers(the: pause) { try remove(old) }
        let id = try database.prepare(
            """
            INSERT INTO pause (account, scope, line, target, reason, who, created_at, until)
            VALUES (:account, :scope, :line, :target, :reason, :who, :created_at, :until) RETURNING id
            """
        ).first(
            .integer(pause.account), .integer(pause.scope.rawValue), .optional(pause.line), .optional(pause.target),
            .optional(pause.reason), .text(pause.who), .integer(pause.createdAt.milliseconds),
            .optional(pause.until?.milliseconds)
        ) { $0.integer(0) }
        guard let id else { preconditionFailure("an INSERT with RETURNING answers its row") }
        var pause = pause
        pause.id = id
        memory.pauses.append(pause)
        return pause
    }

    /// Lets go what these pauses held back; answers them.
    package func resume(_ account: Int64, where matches: (Pause) -> Bool) throws -> [Pause] {
        let ended = memory.pauses.filter { $0.account == account && matches($0) }
        for pause in ended { try remove(pause) }
        return ended
    }

    /// Ends the pauses whose time is over; answers them.
    package func expirePauses(_ now: Timestamp) throws -> [Pause] {
        let ended = memory.pauses.filter { $0.until.map { $0 <= now } ?? false }
        for pause in ended { try remove(pause) }
        return ended
    }

    private func remove(_ pause: Pause) throws {
        try database.prepare("DELETE FROM pause WHERE id = :id").run(.integer(pause.id))
        memory.pauses.removeAll { $0.id == pause.id }
        guard pause.scope == .template || pause.scope == .batch else { return }
        if let line = pause.line { sweep(.pause, line: line) } else { sweepAll(.pause) }
    }

    /// Whether single messages of a line may have to wait.
    func isPaused(_ record: Record) -> Bool {
        campaignHolds(record.batch)
            || memory.pauses.contains {
                $0.holds(template: record.template, batch: record.batch, line: record.line, account: record.account)
            }
    }

    /// The classes of a line that may send and have something at no gate.
    func readyClasses(_ line: Int64) -> [Priority] {
        let classes = memory.counters.readyClasses(line)
        if classes.isEmpty || memory.health[line]?.canSendMessages == false { return [] }
        guard !memory.pauses.isEmpty else { return classes }
        guard let account = memory.lines[line]?.account else { return [] }
        return classes.filter { priority in
            !memory.pauses.contains {
                $0.holds(line: line, account: account) || $0.holds(priority, line: line, account: account)
            }
        }
    }
}
