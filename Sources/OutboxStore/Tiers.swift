package import OutboxCore

extension Pool {
    static let columns =
        "id, account, name, tier, tier_learned, kept_for_high, elsewhere, elsewhere_until"

    init(_ row: Row) {
        self.init(
            id: row.integer(0), account: row.integer(1), name: row.text(2),
            settings: PoolSettings(
                tier: row.optionalInteger(3).flatMap(Tier.init(rawValue:)), keptForHigh: row.integer(5)),
            learned: row.optionalInteger(4).flatMap(Tier.init(rawValue:)), elsewhere: row.integer(6),
            elsewhereUntil: row.optionalInteger(7).map(Timestamp.init(milliseconds:)))
    }
}

extension Queue {
    func loadPools() throws -> [Int64: Pool] {
        let pools = try database.prepare("SELECT \(Pool.columns) FROM pool").all { Pool($0) }
        return Dictionary(uniqueKeysWithValues: pools.map { ($0.id, $0) })
    }

    package func pool(named name: String, account: Int64) -> Pool? {
        memory.pools.values.first { $0.account == account && $0.name == name }
    }

    /// The pool of that name, made if there is none.
    func poolForLine(_ name: String, account: Int64) throws -> Pool {
        if let pool = pool(named: name, account: account) { return pool }
        let id = try database.prepare(
            "INSERT INTO pool (account, name, kept_for_high) VALUES (:account, :name, 0) RETURNING id"
        ).first(.integer(account), .text(name)) { $0.integer(0) }
        guard let id else { preconditionFailure("an INSERT with RETURNING answers its row") }
        let pool = Pool(id: id, account: account, name: name)
        memory.pools[id] = pool
        return pool
    }

    /// Writes a pool an operator or Meta changed. Whoever waited for room may be let go by the next claim.
    package func save(_ pool: Pool) throws {
        try database.prepare(
            """
            UPDATE pool SET tier = :tier, tier_learned = :learned, kept_for_high = :kept, elsewhere = :elsewhere,
                elsewhere_until = :until WHERE id = :id
            """
        ).run(
            .optional(pool.settings.tier?.rawValue), .optional(pool.learned?.rawValue),
            .integer(pool.settings.keptForHigh), .integer(pool.elsewhere), .optional(pool.elsewhereUntil?.milliseconds),
            .integer(pool.id))
        memory.pools[pool.id] = pool
        memory.clockUsed = true
    }

    /// Changes what an operator says of a pool; nil: there is none, they come with lines. `used` are all people
    /// written to in the last 24 hours, by anybody.
    package func change(
        _ name: String, account: Int64, used: Int64?, _ settings: (PoolSettings) -> PoolSettings
    ) throws -> PoolStatus? {
        guard var pool = pool(named: name, account: account) else { return nil }
        pool.settings = settings(pool.settings)
        if let used {
            pool.elsewhere = max(0, used - (memory.slotsUsed[pool.id] ?? 0))
            pool.elsewhereUntil = limitsNow + TierSlot.span
        }
        try save(pool)
        return try status(of: pool)
    }

    private func status(of pool: Pool) throws -> PoolStatus {
        let lines = memory.lines.values.filter { $0.pool == pool.id }
        return PoolStatus(
            pool: pool, used: memory.slotsUsed[pool.id] ?? 0, elsewhere: pool.elsewhere(at: limitsNow),
            waiting: lines.reduce(0) { $0 + memory.counters.parked($1.id, .tier) },
            nextFreeAt: try firstSlotFree(pool.id), lines: lines.map(\.name).sorted())
    }

    /// Meta said how many people a line's pool may write to. Answers the pool if that is news.
    package func learn(_ tier: Tier, line: Int64) throws -> Pool? {
        guard let id = memory.lines[line]?.pool, var pool = memory.pools[id], pool.learned != tier else { return nil }
        pool.learned = tier
        try save(pool)
        return pool
    }

    // MARK: Slots

    /// People the pool of a line may still write to; nil: any number.
    func room(_ line: Line, _ priority: Priority) -> Int64? {
        memory.pools[line.pool]?.room(for: priority, used: memory.slotsUsed[line.pool] ?? 0, now: limitsNow)
    }

    func slotFreeAt(_ pool: Int64, _ person: String) throws -> Timestamp? {
        try limits.slot.first(.integer(pool), .text(person)) { Timestamp(milliseconds: $0.integer(0)) }
    }

    /// Counts a person in the pool until 24 hours after the latest end an attempt of now can have.
    func takeSlot(_ line: Line, _ record: Record, freeAt before: Timestamp?) throws -> TierSlot {
        // Never the moment another attempt gave it: by that each knows its own.
        let freeAt = max(limitsNow + TierSlot.span + attemptMax, (before ?? limitsNow) + .milliseconds(1))
        try limits.takeSlot.run(.integer(line.pool), .text(record.person), .integer(freeAt.milliseconds))
        memory.clockUsed = true
        let slot = TierSlot(pool: line.pool, person: record.person, freeAt: freeAt, before: before)
        guard before == nil else { return slot }
        memory.slotsUsed[line.pool, default: 0] += 1
        memory.nextSlotFree[line.pool] = min(memory.nextSlotFree[line.pool] ?? freeAt, freeAt)
        // The person is counted now: what else waits for it in the tier need not.
        guard memory.counters.isWaited(at: .tier) else { return slot }
        for other in memory.lines.values where other.pool == line.pool {
            try releaseFromTier(record.person, other.id)
        }
        return slot
    }

    /// An attempt certainly did not send anything: its place is as before.
    func giveBack(_ slot: TierSlot) throws {
        let (pool, person) = (SQLValue.integer(slot.pool), SQLValue.text(slot.person))
        let freeAt = SQLValue.integer(slot.freeAt.milliseconds)
        if let before = slot.before {
            let restored = try limits.restoreSlot.run(.integer(before.milliseconds), pool, person, freeAt)
            if restored == 1 {
                memory.nextSlotFree[slot.pool] = min(memory.nextSlotFree[slot.pool] ?? before, before)
            }
        } else if try limits.dropSlot.run(pool, person, freeAt) == 1 {
            memory.slotsUsed[slot.pool, default: 0] -= 1
        }
    }

    /// Forgets whom the pools wrote to more than 24 hours ago, and lets as many wait no longer. Answers whether more
    /// may be let go at once.
    func freeSlots() throws -> Bool {
        for (pool, next) in memory.nextSlotFree where next <= limitsNow {
            let freed = try limits.freeSlots.run(.integer(pool), .integer(limitsNow.milliseconds))
            memory.slotsUsed[pool, default: 0] -= Int64(freed)
            memory.nextSlotFree[pool] = try firstSlotFree(pool)
        }
        let waiting = memory.lines.values.filter { memory.counters.parked($0.id, .tier) > 0 }
        var more = false
        for (_, lines) in Dictionary(grouping: waiting, by: \.pool) { more = try releaseForRoom(lines) || more }
        return more
    }

    func firstSlotFree(_ pool: Int64) throws -> Timestamp? {
        (try limits.nextSlot.first(.integer(pool)) { $0.optionalInteger(0) } ?? nil).map(Timestamp.init(milliseconds:))
    }

    /// What is remembered of a pool's slots, out of the file.
    func countSlots(_ pool: Int64) throws {
        memory.slotsUsed[pool] = try database.integer("SELECT count(*) FROM tier_slot WHERE pool = \(pool)")
        memory.nextSlotFree[pool] = try firstSlotFree(pool)
    }

    /// A line joins another pool: the people it wrote to count there, too, and with them those of its old pool, for
    /// nobody knows which of them were its own.
    func copySlots(from old: Int64, to new: Int64) throws {
        try limits.copySlots.run(.integer(new), .integer(old))
        try countSlots(new)
    }

    /// Lets as many messages of a pool's lines try as it has room for, of the lines in turn and of the higher class
    /// first.
    private func releaseForRoom(_ lines: [Line]) throws -> Bool {
        var more = false
        for priority in Priority.allCases {
            let room = room(lines[0], priority) ?? Int64.max
            let wanting = lines.map { line in
                let waiting = memory.counters[line.id, .queued, priority, .tier]
                // Those let go before and not yet looked at may need places, too.
                let before = memory.released[LineClass(line: line.id, priority: priority)] ?? 0
                return (line: line.id, count: Int(min(waiting, max(0, room - before))))
            }.filter { $0.count > 0 }.sorted { $0.line < $1.line }
            let slots = Int(min(room, Self.releasedAtOnce))
            for share in fairShare(slots: slots, ready: wanting, after: memory.lastLineReleased) {
                for (id, _) in try parked(share.line, .tier, priority, limit: Int64(share.count)) {
                    try letGo(id, share.line, priority)
                }
                memory.lastLineReleased = share.line
                more = true
            }
        }
        return more
    }
}
