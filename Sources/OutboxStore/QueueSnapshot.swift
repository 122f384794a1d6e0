package import OutboxCore

/// How the queue stood at one moment, from what its writer remembers: for another thread to count together.
package struct QueueSnapshot: Sendable {
    package private(set) var lines: [Int64: Line]
    package private(set) var pools: [Int64: Pool]
    /// Classes that have messages at no gate and are not held back, by line.
    package let ready: [Int64: [Priority]]
    /// Where the log ends.
    package let lastEvent: Int64
    private let counters: Counters
    private let unknown: [Int64: Int64]
    private let slotsUsed: [Int64: Int64]
    private let health: [Int64: LineHealth]
    private let tokens: [Int64: TokenHealth]
    private let webhooks: WebhookCounts
    private let earlyStatuses: Int64
    private let limitsNow: Timestamp

    init(_ memory: Queue.Memory, ready: [Int64: [Priority]], limitsNow: Timestamp) {
        lines = memory.lines
        pools = memory.pools
        self.ready = ready
        lastEvent = memory.lastEvent
        counters = memory.counters
        unknown = memory.unknown
        slotsUsed = memory.slotsUsed
        health = memory.health
        tokens = memory.tokens
        webhooks = memory.webhookCounts
        earlyStatuses = memory.earlyStatuses
        self.limitsNow = limitsNow
    }

    /// Has lines and pools of accounts other than the default one bear the account's name, too, as `shop/main`: there
    /// may be several of one name.
    package mutating func tellAccountsApart(_ names: [Int64: String]) {
        func full(_ name: String, _ account: Int64) -> String {
            account == Account.defaultID ? name : "\(names[account] ?? String(account))/\(name)"
        }
        for (id, line) in lines { lines[id]?.settings.name = full(line.name, line.account) }
        for (id, pool) in pools { pools[id]?.name = full(pool.name, pool.account) }
    }

    package func count(_ line: Int64, _ state: MessageState) -> Int64 { counters[line, state] }

    package func count(_ line: Int64, _ gate: Gate) -> Int64 { counters.parked(line, gate) }

    /// Messages whose outcome is unknown.
    package func unknown(_ line: Int64) -> Int64 { unknown[line] ?? 0 }

    /// Nil: Meta was never asked about the line's token.
    package func token(_ line: Int64) -> TokenHealth? { tokens[line] }

    /// As far as Meta has said.
    package func canSend(_ line: Int64) -> Bool { health[line]?.canSendMessages ?? true }

    /// People counted in the pool's last 24 hours, those of other senders included.
    package func used(_ pool: Pool) -> Int64 { (slotsUsed[pool.id] ?? 0) + pool.elsewhere(at: limitsNow) }

    package var webhookTotals: WebhookTotals {
        var totals = webhooks.totals
        totals.waiting = earlyStatuses
        return totals
    }
}

extension Queue {
    package func snapshot() -> QueueSnapshot {
        let ready = memory.lines.mapValues { readyClasses($0.id) }.filter { !$0.value.isEmpty }
        return QueueSnapshot(memory, ready: ready, limitsNow: limitsNow)
    }
}

extension QueueReader {
    /// When the message was due whose turn it is, or the first of the next turn if that was earlier, of each line's
    /// classes together; lines where none waits are left out. Batches take turns, so whoever waits longest is one of
    /// the two. Two rows for each class, by index message_ready.
    package func oldestDue(_ ready: [Int64: [Priority]]) throws -> [Int64: Timestamp] {
        let next = try database.prepare(
            """
            SELECT turn, due_at FROM message
            WHERE line = :line AND priority = :priority AND state = 1 AND gate = 0 AND turn > :turn
            ORDER BY turn, id LIMIT 1
            """)
        var oldest: [Int64: Timestamp] = [:]
        for (line, priorities) in ready {
            for priority in priorities {
                var turn = Int64.min
                for _ in 0..<2 {
                    let head = try next.first(.integer(line), .integer(priority.rawValue), .integer(turn)) {
                        (turn: $0.integer(0), due: Timestamp(milliseconds: $0.integer(1)))
                    }
                    guard let head else { break }
                    turn = head.turn
                    oldest[line] = min(oldest[line] ?? head.due, head.due)
                }
            }
        }
        return oldest
    }
}
