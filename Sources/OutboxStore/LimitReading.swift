package import OutboxCore

/// Pools, pauses and breakers as they are committed.
extension QueueReader {
    package func pools(account: Int64, limitsNow: Timestamp) throws -> [PoolStatus] {
        try database.prepare("SELECT \(Pool.columns) FROM pool WHERE account = :account ORDER BY name")
            .all(.integer(account)) { Pool($0) }.map { try status(of: $0, limitsNow) }
    }

    package func pool(_ id: Int64, limitsNow: Timestamp) throws -> PoolStatus? {
        try database.prepare("SELECT \(Pool.columns) FROM pool WHERE id = :id").first(.integer(id)) { Pool($0) }
            .map { try status(of: $0, limitsNow) }
    }

    private func status(of pool: Pool, _ limitsNow: Timestamp) throws -> PoolStatus {
        let id = SQLValue.integer(pool.id)
        let (used, next) =
            try database.prepare(
                "SELECT count(*), min(free_at) FROM tier_slot WHERE pool = :pool AND free_at > :now"
            ).first(id, .integer(limitsNow.milliseconds)) { ($0.integer(0), $0.optionalInteger(1)) } ?? (0, nil)
        let lines = try database.prepare(
            "SELECT name, id FROM line WHERE pool = :pool AND deleted_at IS NULL ORDER BY name"
        ).all(id) { (name: $0.text(0), id: $0.integer(1)) }
        let waiting = try lines.reduce(0) { try $0 + count($1.id, .queued, .tier) }
        return PoolStatus(
            pool: pool, used: used, elsewhere: pool.elsewhere(at: limitsNow), waiting: waiting,
            nextFreeAt: next.map(Timestamp.init(milliseconds:)), lines: lines.map(\.name))
    }

    /// Messages of a line in a state, of every class, at one gate.
    func count(_ line: Int64, _ state: MessageState, _ gate: Gate) throws -> Int64 {
        try database.prepare(
            "SELECT total(count) FROM counter WHERE line = :line AND state = :state AND gate = :gate"
        ).first(.integer(line), .integer(state.rawValue), .integer(gate.rawValue)) { $0.integer(0) } ?? 0
    }

    package func pauses(account: Int64) throws -> [Pause] {
        try database.prepare("SELECT \(Pause.columns) FROM pause WHERE account = :account ORDER BY id")
            .all(.integer(account)) { Pause($0) }
    }

    /// What Meta last said of a line, when its templates were read, and why asking failed.
    package func health(_ line: Int64) throws -> (health: LineHealth?, templatesAt: Timestamp?, problem: String?) {
        try database.prepare(
            "SELECT \(LineHealth.columns), templates_at, problem FROM line_health WHERE line = :line"
        ).first(.integer(line)) {
            (LineHealth($0), $0.optionalInteger(7).map(Timestamp.init(milliseconds:)), $0.optionalText(8))
        } ?? (nil, nil, nil)
    }

    /// Nil: none holds the line or Meta.
    func breaker(_ line: Int64) throws -> LineHold.State? { try database.breakers()[line] }
}
