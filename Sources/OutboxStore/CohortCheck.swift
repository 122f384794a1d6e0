import OutboxCore

extension Queue {
    /// Where the cohorts count less than there is, or a day other than its hours. With `exactly` more is wrong, too: it
    /// holds while no message was ever pruned or erased.
    func cohortDisagreements(exactly: Bool = false) throws -> [String] {
        let inFile = """
            SELECT cohort, count(*) AS accepted, sum(state = 4) AS sent, sum(state = 5) AS delivered,
                sum(state = 6) AS read, sum(state = 7 AND sent_at IS NULL) AS failed,
                sum(state = 7 AND sent_at IS NOT NULL) AS failed_after_sent, sum(state = 8) AS cancelled,
                count(replied_at) AS replied
            FROM message GROUP BY cohort
            """
        var found: [String] = []
        for column in Self.cohortColumns {
            found += try database.prepare(
                """
                SELECT c.id, c.\(column), m.\(column) FROM (\(inFile)) AS m JOIN cohort AS c ON c.id = m.cohort
                WHERE c.\(column) \(exactly ? "<>" : "<") m.\(column)
                """
            ).all { "cohort \($0.integer(0)): \(column) \($0.integer(1)), not \($0.integer(2))" }
            found += try database.prepare(
                """
                SELECT d.id, d.\(column), sum(h.\(column)) AS hours FROM cohort AS d JOIN cohort AS h ON h.day = d.id
                GROUP BY d.id HAVING d.\(column) <> hours
                """
            ).all { "day \($0.integer(0)): \(column) \($0.integer(1)), not \($0.integer(2))" }
        }
        found += try database.prepare(
            """
            SELECT m.cohort, m.error_code, count(*) AS number, f.count FROM message AS m
                LEFT JOIN cohort_failure AS f ON f.cohort = m.cohort AND f.code = m.error_code
            WHERE m.state = 7 GROUP BY m.cohort, m.error_code
            HAVING coalesce(f.count, 0) \(exactly ? "<>" : "<") number
            """
        ).all { "cohort \($0.integer(0)): \($0.text(1)) \($0.optionalInteger(3) ?? 0), not \($0.integer(2))" }
        let prices = """
            SELECT count(*) FROM message WHERE state IN (5, 6) AND price IS NOT NULL
            """
        let priced = try database.integer(prices)
        let counted = try database.integer(
            "SELECT total(p.count) FROM cohort_price AS p JOIN cohort AS c ON c.id = p.cohort WHERE c.span = 3600000")
        if exactly ? counted != priced : counted < priced { found.append("\(counted) prices, not \(priced)") }
        return found
    }

    private static let cohortColumns = [
        "accepted", "sent", "delivered", "read", "failed", "failed_after_sent", "cancelled", "replied",
    ]
}
