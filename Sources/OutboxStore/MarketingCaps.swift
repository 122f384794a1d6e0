package import OutboxCore

/// How much marketing a person was sent, or may have been. Kept as the tier's slots are: counted in the claim's
/// transaction until the cap's days after the latest end of the attempt, given back on a certain "not sent".
extension Queue {
    func loadMarketingCaps() throws {
        let rows = try database.prepare("SELECT account, line, messages, days, when_reached FROM marketing_cap").all {
            row in (row.integer(0), MarketingCap(row, from: 1))
        }
        memory.marketingCaps = Dictionary(grouping: rows, by: \.0).mapValues { $0.map(\.1) }
    }

    /// Sets the cap of a line, or of the account.
    package func set(_ cap: MarketingCap, account: Int64) throws {
        try database.prepare(
            """
            INSERT INTO marketing_cap (account, line, messages, days, when_reached)
            VALUES (:account, :line, :messages, :days, :when_reached)
            ON CONFLICT (account, line) DO UPDATE SET messages = excluded.messages, days = excluded.days,
                when_reached = excluded.when_reached
            """
        ).run(
            .integer(account), .integer(cap.line ?? 0), .integer(cap.messages), .integer(cap.days),
            .integer(cap.whenReached.rawValue))
        memory.marketingCaps[account, default: []].removeAll { $0.line == cap.line }
        memory.marketingCaps[account, default: []].append(cap)
        wakeCapped(account)
    }

    /// False: there was none.
    package func removeMarketingCap(line: Int64?, account: Int64) throws -> Bool {
        let removed = try database.prepare("DELETE FROM marketing_cap WHERE account = :account AND line = :line").run(
            .integer(account), .integer(line ?? 0))
        memory.marketingCaps[account]?.removeAll { $0.line == line }
        if memory.marketingCaps[account]?.isEmpty ?? false { memory.marketingCaps[account] = nil }
        wakeCapped(account)
        return removed == 1
    }

    /// Whoever waits for a person may be let go by another cap.
    private func wakeCapped(_ account: Int64) {
        for line in memory.lines.values where line.account == account { sweep(.person, line: line.id) }
    }

    /// The cap that keeps a person from one more message, and until when, by the limits' clock; nil: none does.
    func cap(reachedBy person: String, line: Line) throws -> (cap: MarketingCap, until: Timestamp)? {
        guard let caps = memory.marketingCaps[line.account] else { return nil }
        return try MarketingCap.reached(of: caps, by: person, line, limitsNow: limitsNow, limits.marketingUse)
    }

    /// An attempt with marketing leaves.
    func useMarketing(_ record: Record, attempt: Int64) throws {
        guard memory.marketingCaps[record.account] != nil else { return }
        try limits.useMarketing.run(
            .integer(record.account), .text(record.person), .integer(record.id.rawValue), .integer(attempt),
            .integer(record.line), .integer((limitsNow + attemptMax).milliseconds))
        memory.clockUsed = true
    }

    /// It certainly did not reach anybody.
    func giveBackMarketing(_ record: Record, attempt: Int64) throws {
        guard memory.marketingCaps[record.account] != nil else { return }
        let removed = try limits.giveBackMarketing.run(
            .integer(record.account), .text(record.person), .integer(record.id.rawValue), .integer(attempt))
        // Whoever waits for its end may try at once.
        if removed > 0 {
            for line in memory.lines.values where line.account == record.account {
                for priority in Priority.allCases {
                    try release(of: record.person, line.id, priority, .person, .person)
                }
            }
        }
    }

    /// Forgets what no cap counts any more, some rows at a time. Answers whether there is more.
    func forgetMarketing() throws -> Bool {
        guard !memory.marketingCaps.isEmpty || memory.forgetsMarketing else { return false }
        let longest = memory.marketingCaps.values.joined().map(\.span).max() ?? .zero
        let removed = try limits.forgetMarketing.run(.integer((limitsNow - longest).milliseconds))
        memory.forgetsMarketing = removed > 0 || !memory.marketingCaps.isEmpty
        return removed == LimitStatements.forgottenAtOnce
    }

    /// When the last that is kept of a person no longer counts; nil: nothing is kept.
    func marketingKept(of person: String, account: Int64) throws -> Timestamp? {
        let longest = memory.marketingCaps[account]?.map(\.span).max() ?? .zero
        let last =
            try database.prepare(
                "SELECT max(at) FROM marketing_use WHERE account = :account AND person = :person"
            ).first(.integer(account), .text(person)) { $0.optionalInteger(0) } ?? nil
        return last.map { Timestamp(milliseconds: $0) + longest }
    }
}

extension MarketingCap {
    /// Of caps that are reached the one that counts, and until when; `use` is `LimitStatements.marketingUseSQL`.
    fileprivate static func reached(
        of caps: [MarketingCap], by person: String, _ line: Line, limitsNow: Timestamp, _ use: Statement
    ) throws -> (cap: MarketingCap, until: Timestamp)? {
        var found: (cap: MarketingCap, until: Timestamp)?
        for cap in caps where cap.line == nil || cap.line == line.id {
            // With the n-th newest gone there is room for one more.
            let oldest = try use.first(
                .integer(line.account), .text(person), .integer((limitsNow - cap.span).milliseconds),
                .optional(cap.line), .integer(cap.messages - 1)
            ) { Timestamp(milliseconds: $0.integer(0)) }
            guard let oldest else { continue }
            let until = oldest + cap.span + .milliseconds(1)
            if cap.outweighs(found, until: until) { found = (cap, until) }
        }
        return found
    }

    /// Of those that are reached, one that lets messages fail counts; else the one that lasts longest.
    private func outweighs(_ found: (cap: MarketingCap, until: Timestamp)?, until: Timestamp) -> Bool {
        guard let found else { return true }
        if (found.cap.whenReached == .fail) != (whenReached == .fail) { return whenReached == .fail }
        return found.until < until
    }

    init(_ row: Row, from first: Int32) {
        self.init(
            line: row.integer(first) == 0 ? nil : row.integer(first), messages: row.integer(first + 1),
            days: row.integer(first + 2), whenReached: WhenReached(rawValue: row.integer(first + 3)) ?? .wait)
    }
}

extension QueueReader {
    /// With the name of the line; nil: the account's.
    package func marketingCaps(account: Int64) throws -> [(line: String?, cap: MarketingCap)] {
        try database.prepare(
            """
            SELECT c.line, c.messages, c.days, c.when_reached, l.name FROM marketing_cap AS c
            LEFT JOIN line AS l ON l.id = c.line
            WHERE c.account = :account AND (c.line = 0 OR l.deleted_at IS NULL) ORDER BY c.line
            """
        ).all(.integer(account)) { (line: $0.optionalText(4), cap: MarketingCap($0, from: 0)) }
    }

    /// As `Queue.cap(reachedBy:line:)` tells.
    func cap(reachedBy person: String, line: Line, limitsNow: Timestamp) throws -> (
        cap: MarketingCap, until: Timestamp
    )? {
        let caps = try marketingCaps(account: line.account).map(\.cap)
        return try MarketingCap.reached(
            of: caps, by: person, line, limitsNow: limitsNow, database.prepare(LimitStatements.marketingUseSQL))
    }
}
