import OutboxCore

/// Messages that were to leave in the same hour: what became of them, counted in the transaction that changes it, so
/// that no statistic is ever a look at all messages. Counts stay when the messages are pruned.
struct Cohorts {
    struct Key: Hashable {
        var line: Int64
        /// Milliseconds since 1970 at which the hour began.
        var hour: Int64
        /// `name/language`; empty: without a template.
        var template: String
        /// 0: of none.
        var campaign: Int64
    }

    /// Where a message is counted, besides under all that were accepted.
    enum Column: Int {
        case accepted, sent, delivered, read, failed, failedAfterSent, cancelled, replied
    }

    struct PriceKey: Hashable {
        /// ISO 3166-1, two letters; empty: not known.
        var country: String
        var pricing: Pricing
    }

    struct Difference {
        /// By `Column`.
        var counts = SIMD8<Int64>()
        var failures: [String: Int64] = [:]
        var prices: [PriceKey: Int64] = [:]
    }

    static let hour: Int64 = 3_600_000
    static let day: Int64 = 86_400_000
    /// Rows of hours and days; beyond, all are looked up anew.
    private static let knownMax = 4096

    private var known: [Key: Int64] = [:]
    /// Of hours, 0: of none.
    private var days: [Int64: Int64] = [:]
    private var changed: [Int64: Difference] = [:]

    /// The cohort of a message that is new, or of one that moves to another line.
    mutating func find(_ key: Key, _ statements: CohortStatements) throws -> Int64 {
        if let id = known[key] { return id }
        let id = try statements.find(key)
        if known.count >= Self.knownMax { known = [:] }
        known[key] = id
        return id
    }

    mutating func accepted(_ cohort: Int64, by count: Int64 = 1) {
        changed[cohort, default: Difference()].counts[Column.accepted.rawValue] += count
    }

    mutating func moved(from old: Record, to new: Record) {
        guard new.cohort != 0 else { return }
        let (before, after) = (Place(old), Place(new))
        if before != after { changed[new.cohort, default: Difference()].count(from: before, to: after) }
        guard before.pricing != after.pricing || after.pricing != nil && old.person != new.person else { return }
        func count(_ pricing: Pricing?, of country: @autoclosure () -> String, by sign: Int64) {
            guard let pricing else { return }
            let key = PriceKey(country: country(), pricing: pricing)
            changed[new.cohort, default: Difference()].prices[key, default: 0] += sign
        }
        count(before.pricing, of: old.country, by: -1)
        count(after.pricing, of: new.country, by: 1)
    }

    /// Part of the transaction that made the changes.
    mutating func save(_ statements: CohortStatements) throws {
        for (cohort, difference) in changed {
            guard let day = try day(of: cohort, statements) else { continue }
            try statements.add(difference, to: cohort)
            if day != 0 { try statements.add(difference, to: day) }
        }
        changed = [:]
    }

    /// Nil: the cohort was pruned.
    private mutating func day(of cohort: Int64, _ statements: CohortStatements) throws -> Int64? {
        if let day = days[cohort] { return day }
        guard let day = try statements.day(of: cohort) else { return nil }
        if days.count >= Self.knownMax { days = [:] }
        days[cohort] = day
        return day
    }

    /// Some were pruned.
    mutating func forget() { (known, days) = ([:], [:]) }

    /// What of a message's row is counted.
    fileprivate struct Place: Equatable {
        var column: Column?
        var isReplied: Bool
        var failure: String?
        /// Meta charges what was delivered.
        var pricing: Pricing?

        init(_ record: Record) {
            switch record.standing.state {
            case .scheduled, .queued, .processing, .retrying: column = nil
            case .sent: column = .sent
            case .delivered: column = .delivered
            case .read: column = .read
            case .failed: column = record.sentAt == nil ? .failed : .failedAfterSent
            case .cancelled: column = .cancelled
            }
            isReplied = record.repliedAt != nil
            failure = record.standing.state == .failed ? record.failure?.code : nil
            pricing = column == .delivered || column == .read ? record.pricing : nil
        }
    }
}

extension Cohorts.Difference {
    fileprivate mutating func count(from before: Cohorts.Place, to after: Cohorts.Place) {
        count(before, by: -1)
        count(after, by: 1)
    }

    private mutating func count(_ place: Cohorts.Place, by sign: Int64) {
        if let column = place.column { counts[column.rawValue] += sign }
        if place.isReplied { counts[Cohorts.Column.replied.rawValue] += sign }
        if let code = place.failure { failures[code, default: 0] += sign }
    }
}

/// The statements of the cohorts, by primary key; what counts in an hour's row is added to its day's, too.
final class CohortStatements {
    private let byKey: Statement
    private let byID: Statement
    private let dayOf: Statement
    private let insert: Statement
    private let add: Statement
    private let addFailures: Statement
    private let addPrices: Statement
    /// Hours, then days, that began before.
    private let prune: Statement

    /// How long what is counted by the hour, and by the day, is kept.
    static let hoursKept = Duration.seconds(92 * 86_400)
    static let daysKept = Duration.seconds(750 * 86_400)

    init(_ database: Database) throws {
        byKey = try database.prepare(
            """
            SELECT id FROM cohort WHERE line = :line AND span = :span AND at = :at AND template = :template
                AND campaign = :campaign
            """)
        byID = try database.prepare("SELECT line, at, template, campaign FROM cohort WHERE id = :id")
        dayOf = try database.prepare("SELECT day FROM cohort WHERE id = :id")
        insert = try database.prepare(
            """
            INSERT INTO cohort (line, span, at, template, campaign, day)
            VALUES (:line, :span, :at, :template, :campaign, :day) RETURNING id
            """)
        add = try database.prepare(
            """
            UPDATE cohort SET accepted = accepted + :accepted, sent = sent + :sent, delivered = delivered + :delivered,
                read = read + :read, failed = failed + :failed, failed_after_sent = failed_after_sent + :after,
                cancelled = cancelled + :cancelled, replied = replied + :replied
            WHERE id = :id
            """)
        addFailures = try database.prepare(
            """
            INSERT INTO cohort_failure (cohort, code, count) VALUES (:cohort, :code, :count)
            ON CONFLICT (cohort, code) DO UPDATE SET count = count + excluded.count
            """)
        addPrices = try database.prepare(
            """
            INSERT INTO cohort_price (cohort, country, category, type, billable, count)
            VALUES (:cohort, :country, :category, :type, :billable, :count)
            ON CONFLICT (cohort, country, category, type, billable) DO UPDATE SET count = count + excluded.count
            """)
        prune = try database.prepare(
            """
            DELETE FROM cohort WHERE id IN (
                SELECT id FROM cohort WHERE (span = 3600000 AND at < :hours) OR (span = 86400000 AND at < :days)
                LIMIT 500)
            """)
    }

    /// Nil: it was pruned.
    fileprivate func key(of cohort: Int64) throws -> Cohorts.Key? {
        try byID.first(.integer(cohort)) {
            Cohorts.Key(line: $0.integer(0), hour: $0.integer(1), template: $0.text(2), campaign: $0.integer(3))
        }
    }

    /// Of an hour, 0: of none; nil: it was pruned.
    fileprivate func day(of cohort: Int64) throws -> Int64? {
        try dayOf.first(.integer(cohort)) { $0.optionalInteger(0) ?? 0 }
    }

    fileprivate func find(_ key: Cohorts.Key) throws -> Int64 {
        let midnight = key.hour - key.hour % Cohorts.day
        let day = try find(key, span: Cohorts.day, at: midnight, day: nil)
        return try find(key, span: Cohorts.hour, at: key.hour, day: day)
    }

    private func find(_ key: Cohorts.Key, span: Int64, at: Int64, day: Int64?) throws -> Int64 {
        let known = try byKey.first(
            .integer(key.line), .integer(span), .integer(at), .text(key.template), .integer(key.campaign)
        ) { $0.integer(0) }
        if let known { return known }
        let made = try insert.first(
            .integer(key.line), .integer(span), .integer(at), .text(key.template), .integer(key.campaign),
            .optional(day)
        ) { $0.integer(0) }
        guard let made else { preconditionFailure("what is inserted has an id") }
        return made
    }

    fileprivate func add(_ difference: Cohorts.Difference, to cohort: Int64) throws {
        let counts = difference.counts
        if counts != SIMD8() {
            try add.run(
                .integer(counts[0]), .integer(counts[1]), .integer(counts[2]), .integer(counts[3]), .integer(counts[4]),
                .integer(counts[5]), .integer(counts[6]), .integer(counts[7]), .integer(cohort))
        }
        for (code, count) in difference.failures where count != 0 {
            try addFailures.run(.integer(cohort), .text(code), .integer(count))
        }
        for (key, count) in difference.prices where count != 0 {
            try addPrices.run(
                .integer(cohort), .text(key.country), .text(key.pricing.category), .text(key.pricing.type),
                .integer(key.pricing.isBillable ? 1 : 0), .integer(count))
        }
    }

    /// Answers how many rows of some hundred went.
    func prune(_ now: Timestamp) throws -> Int {
        try prune.run(
            .integer((now - Self.hoursKept).milliseconds), .integer((now - Self.daysKept).milliseconds))
    }
}

extension Queue {
    /// The cohort of a message of that line that is to leave at that time.
    func cohort(_ line: Int64, _ template: String?, campaign: Int64?, at moment: Timestamp) throws -> Int64 {
        let time = max(0, moment.milliseconds)
        return try memory.cohorts.find(
            Cohorts.Key(
                line: line, hour: time - time % Cohorts.hour, template: template ?? "", campaign: campaign ?? 0),
            cohorts)
    }

    /// A message that waits goes over to another line, where it is counted from now on.
    func recount(_ record: Record, on line: Int64) throws -> Int64 {
        guard let key = try cohorts.key(of: record.cohort) else { return record.cohort }
        let moved = try memory.cohorts.find(
            Cohorts.Key(line: line, hour: key.hour, template: key.template, campaign: key.campaign), cohorts)
        memory.cohorts.accepted(record.cohort, by: -1)
        memory.cohorts.accepted(moved)
        return moved
    }
}
