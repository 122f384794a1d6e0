package import OutboxCore

/// Messages of a line that wait for the same thing, by how long ago they were accepted.
package struct QueueShapeRow: Equatable, Sendable {
    package var line: String
    /// A name of `WaitsAt`, `ready` (its turn is all that is missing), or `under_way`.
    package var gate: String
    /// One for each of `QueueShapeRow.ages`, and one for what is older.
    package var counts: [Int64]
    /// When the oldest one was accepted.
    package var oldest: Timestamp

    /// Only its turn is missing, as far as is known of the message itself.
    package static let ready = "ready"

    /// Seconds; each stands for what is younger and no younger than the one before.
    package static let ages: [Int64] = [60, 300, 900, 3600, 21_600, 86_400]

    /// Counts those of `other`, too.
    package mutating func add(_ other: QueueShapeRow) {
        for index in counts.indices { counts[index] += other.counts[index] }
        oldest = min(oldest, other.oldest)
    }
}

extension QueueReader {
    /// Everything that has not ended, looked at once: some 10 million messages a second.
    package func shape(account: Int64, now: Timestamp) throws -> [QueueShapeRow] {
        let bounds = QueueShapeRow.ages.map { MessageID.first(at: now - .seconds($0)).rawValue }
        let ages = bounds.enumerated().map { "WHEN w.id >= \($1) THEN \($0)" }.joined(separator: " ")
        // Each part is served by one of the partial indexes of live messages.
        let parts = try database.prepare(
            """
            SELECT l.name, w.state, w.gate, w.unknown, CASE \(ages) ELSE \(bounds.count) END AS age, count(*), min(w.id)
            FROM (
                SELECT line, 1 AS state, 0 AS gate, 0 AS unknown, id FROM message WHERE state = 1 AND gate = 0
                UNION ALL SELECT line, 1, gate, 0, id FROM message WHERE state = 1 AND gate <> 0
                UNION ALL SELECT line, state, 0, 0, id FROM message WHERE state IN (0, 3)
                UNION ALL SELECT line, 2, 0, unknown, id FROM message WHERE state = 2
            ) AS w JOIN line AS l ON l.id = w.line
            WHERE l.account = :account GROUP BY l.name, w.state, w.gate, w.unknown, age
            ORDER BY l.name, w.state, w.gate, w.unknown
            """
        ).all(.integer(account)) { row in
            (
                line: row.text(0),
                gate: Self.word(state: row.integer(1), gate: row.integer(2), unknown: row.integer(3) != 0),
                age: Int(row.integer(4)), count: row.integer(5),
                oldest: Timestamp(milliseconds: row.integer(6) >> MessageID.countBits)
            )
        }
        var rows: [QueueShapeRow] = []
        for part in parts {
            if rows.last?.line != part.line || rows.last?.gate != part.gate {
                rows.append(
                    QueueShapeRow(
                        line: part.line, gate: part.gate, counts: Array(repeating: 0, count: bounds.count + 1),
                        oldest: part.oldest))
            }
            rows[rows.count - 1].counts[part.age] += part.count
            rows[rows.count - 1].oldest = min(rows[rows.count - 1].oldest, part.oldest)
        }
        return rows
    }

    private static func word(state: Int64, gate: Int64, unknown: Bool) -> String {
        switch MessageState(rawValue: state) {
        case .scheduled: "due_time"
        case .retrying: "backoff"
        case .processing: unknown ? "outcome_unknown" : "under_way"
        default: gate == 0 ? QueueShapeRow.ready : Gate(rawValue: gate)?.name ?? QueueShapeRow.ready
        }
    }
}
