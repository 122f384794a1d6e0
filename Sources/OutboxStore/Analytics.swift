package import OutboxCore

/// Which messages are counted: those that were to leave from `since` on and before `until`, to whole hours.
package struct AnalyticsFilter: Equatable, Sendable {
    package var since: Timestamp
    package var until: Timestamp
    package var line: String?
    /// A name, or name/language; empty: those without a template.
    package var template: String?
    /// As the store numbers it.
    package var campaign: Int64?

    package init(since: Timestamp, until: Timestamp) {
        self.since = since
        self.until = until
    }
}

/// What became of some messages. Each stands in one of the first seven; `replied` are counted besides.
package struct MessageCounts: Equatable, Sendable {
    /// All of them.
    package var accepted: Int64 = 0
    package var sent: Int64 = 0
    package var delivered: Int64 = 0
    package var read: Int64 = 0
    /// That never were sent.
    package var failed: Int64 = 0
    package var failedAfterSent: Int64 = 0
    package var cancelled: Int64 = 0
    package var replied: Int64 = 0

    static let columns = """
        total(c.accepted), total(c.sent), total(c.delivered), total(c.read), total(c.failed),
        total(c.failed_after_sent), total(c.cancelled), total(c.replied)
        """

    package init() {}

    init(_ row: Row, from column: Int32 = 0) {
        accepted = row.integer(column)
        sent = row.integer(column + 1)
        delivered = row.integer(column + 2)
        read = row.integer(column + 3)
        failed = row.integer(column + 4)
        failedAfterSent = row.integer(column + 5)
        cancelled = row.integer(column + 6)
        replied = row.integer(column + 7)
    }

    static func += (a: inout MessageCounts, b: MessageCounts) {
        a.accepted += b.accepted
        a.sent += b.sent
        a.delivered += b.delivered
        a.read += b.read
        a.failed += b.failed
        a.failedAfterSent += b.failedAfterSent
        a.cancelled += b.cancelled
        a.replied += b.replied
    }

    /// Neither sent nor ended.
    package var waiting: Int64 { accepted - sent - delivered - read - failed - failedAfterSent - cancelled }
    /// Meta took them, whatever came then.
    package var everSent: Int64 { sent + delivered + read + failedAfterSent }
    package var everDelivered: Int64 { delivered + read }
    package var everFailed: Int64 { failed + failedAfterSent }
    /// That were tried, and came to something.
    package var tried: Int64 { everSent + failed }
}

/// By what messages are told apart.
package enum AnalyticsGroup: String, CaseIterable, Sendable {
    case line, template, campaign
}

extension QueueReader {
    /// The messages of some time, by their line, template or campaign; the most first.
    package func counts(_ filter: AnalyticsFilter, by group: AnalyticsGroup, account: Int64) throws
        -> [(name: String, counts: MessageCounts)]
    {
        let name =
            switch group {
            case .line: "(SELECT name FROM line WHERE id = :line)"
            case .template: "c.template"
            case .campaign: "c.campaign"
            }
        var found: [String: MessageCounts] = [:]
        try each(filter, "CAST(\(name) AS TEXT), \(MessageCounts.columns)", "GROUP BY 1", account) {
            found[$0.text(0), default: MessageCounts()] += MessageCounts($0, from: 1)
        }
        return found.map { (name: $0.key, counts: $0.value) }
            .sorted { ($1.counts.accepted, $0.name) < ($0.counts.accepted, $1.name) }
    }

    package func counts(_ filter: AnalyticsFilter, account: Int64) throws -> MessageCounts {
        var counts = MessageCounts()
        try each(filter, MessageCounts.columns, "", account) { counts += MessageCounts($0) }
        return counts
    }

    /// By the beginning of each hour or day (UTC), in order; those without a message are left out.
    package func series(_ filter: AnalyticsFilter, byHour: Bool, account: Int64) throws
        -> [(at: Timestamp, counts: MessageCounts)]
    {
        var found: [Int64: MessageCounts] = [:]
        let span = byHour ? Cohorts.hour : Cohorts.day
        // Hours come in order out of the index; days may have hours at either end.
        let began = byHour ? "c.at" : "c.at / \(span) * \(span)"
        try each(filter, "\(began), \(MessageCounts.columns)", "GROUP BY 1", account, onlyHours: byHour) {
            found[$0.integer(0), default: MessageCounts()] += MessageCounts($0, from: 1)
        }
        return found.sorted { $0.key < $1.key }.map { (at: Timestamp(milliseconds: $0.key), counts: $0.value) }
    }

    /// How many failed with which code; the most first.
    package func failures(_ filter: AnalyticsFilter, account: Int64) throws -> [(code: String, count: Int64)] {
        var found: [String: Int64] = [:]
        try each(filter, "f.code, sum(f.count)", "GROUP BY 1", account, join: "cohort_failure AS f ON f.cohort = c.id")
        {
            found[$0.text(0), default: 0] += $0.integer(1)
        }
        return found.filter { $0.value > 0 }.map { (code: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.code) < ($0.count, $1.code) }
    }

    /// Delivered messages of one price.
    package struct Priced: Equatable, Sendable {
        /// ISO 3166-1; empty: not known.
        package var country: String
        package var pricing: Pricing
        package var count: Int64
    }

    /// How many were delivered at which of Meta's prices; the most first.
    package func prices(_ filter: AnalyticsFilter, account: Int64) throws -> [Priced] {
        struct Key: Hashable {
            var country: String
            var pricing: Pricing
        }
        var found: [Key: Int64] = [:]
        try each(
            filter, "p.country, p.category, p.type, p.billable, sum(p.count)", "GROUP BY 1, 2, 3, 4", account,
            join: "cohort_price AS p ON p.cohort = c.id"
        ) { row in
            guard
                let pricing = Pricing(category: row.text(1), type: row.text(2), isBillable: row.integer(3) != 0)
            else { return }
            found[Key(country: row.text(0), pricing: pricing), default: 0] += row.integer(4)
        }
        return found.filter { $0.value > 0 }
            .map { Priced(country: $0.key.country, pricing: $0.key.pricing, count: $0.value) }
            .sorted { ($1.count, $0.country, $0.pricing.text) < ($0.count, $1.country, $1.pricing.text) }
    }

    /// Rows of days where whole days are asked for, and of hours besides.
    private func each(
        _ filter: AnalyticsFilter, _ columns: String, _ rest: String, _ account: Int64, onlyHours: Bool = false,
        join: String? = nil, _ body: (Row) throws -> Void
    ) throws {
        var conditions = ["c.line = :line", "c.span = :span", "c.at >= :since", "c.at < :until"]
        if filter.template != nil {
            conditions.append(
                "(c.template = :template OR substr(c.template, 1, length(:template) + 1) = :template || '/')")
        }
        if filter.campaign != nil { conditions.append("c.campaign = :campaign") }
        let statement = try database.prepare(
            """
            SELECT \(columns) FROM cohort AS c \(join.map { "JOIN \($0)" } ?? "")
            WHERE \(conditions.joined(separator: " AND ")) \(rest)
            """)
        for line in try lineIDs(filter.line, account: account) {
            for part in Self.parts(filter, onlyHours: onlyHours) where part.since < part.until {
                var values: [SQLValue] = [
                    .integer(line), .integer(part.span), .integer(part.since), .integer(part.until),
                ]
                if let template = filter.template { values.append(.text(template)) }
                if let campaign = filter.campaign { values.append(.integer(campaign)) }
                try statement.each(list: values, body: body)
            }
        }
    }

    /// Removed lines, too: their messages were sent.
    private func lineIDs(_ name: String?, account: Int64) throws -> [Int64] {
        try database.prepare("SELECT id, name FROM line WHERE account = :account").all(.integer(account)) {
            (id: $0.integer(0), name: $0.text(1))
        }.filter { name == nil || $0.name == name }.map(\.id)
    }

    private static func parts(_ filter: AnalyticsFilter, onlyHours: Bool)
        -> [(span: Int64, since: Int64, until: Int64)]
    {
        let since = filter.since.milliseconds / Cohorts.hour * Cohorts.hour
        let until = (filter.until.milliseconds + Cohorts.hour - 1) / Cohorts.hour * Cohorts.hour
        let first = (since + Cohorts.day - 1) / Cohorts.day * Cohorts.day
        let last = until / Cohorts.day * Cohorts.day
        guard !onlyHours, first < last else { return [(Cohorts.hour, since, until)] }
        return [(Cohorts.hour, since, first), (Cohorts.day, first, last), (Cohorts.hour, last, until)]
    }
}
