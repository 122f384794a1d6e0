package import OutboxCore

extension Queue {
    /// Lines, or Meta as a whole (0), through which nothing got when the process before ended.
    package func breakers() throws -> [Int64: LineHold.State] { try database.breakers() }

    /// Nil: it is closed again.
    package func saveBreaker(_ line: Int64, _ state: LineHold.State?) throws {
        guard let state else {
            try database.prepare("DELETE FROM breaker WHERE line = :line").run(.integer(line))
            return
        }
        try database.prepare(
            """
            INSERT OR REPLACE INTO breaker (line, failures, since, until, code, message)
            VALUES (:line, :failures, :since, :until, :code, :message)
            """
        ).run(
            .integer(line), .integer(state.failures), .integer(state.since.milliseconds),
            .integer(state.until.milliseconds), .text(state.failure.code), .text(state.failure.message))
    }
}

extension Database {
    func breakers() throws -> [Int64: LineHold.State] {
        let rows = try prepare("SELECT line, failures, since, until, code, message FROM breaker").all { row in
            (
                row.integer(0),
                LineHold.State(
                    failures: row.integer(1), since: Timestamp(milliseconds: row.integer(2)),
                    until: Timestamp(milliseconds: row.integer(3)),
                    failure: Failure(code: row.text(4), message: row.text(5)))
            )
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }
}
