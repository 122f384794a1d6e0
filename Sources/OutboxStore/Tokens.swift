package import OutboxCore

extension TokenHealth {
    static let columns = "token_state, token_expires_at, token_checked_at, token_reason"

    /// Nil when Meta was never asked about it.
    init?(_ row: Row, from first: Int32) {
        guard let state = row.optionalInteger(first).flatMap(State.init(rawValue:)),
            let checkedAt = row.optionalInteger(first + 2)
        else { return nil }
        self.init(
            state: state, expiresAt: row.optionalInteger(first + 1).map(Timestamp.init(milliseconds:)),
            checkedAt: Timestamp(milliseconds: checkedAt), reason: row.optionalText(first + 3))
    }
}

/// What is known of the lines' access tokens.
extension Queue {
    func loadTokens() throws {
        let tokens = try database.prepare("SELECT line, \(TokenHealth.columns) FROM line_health").all { row in
            (row.integer(0), TokenHealth(row, from: 1))
        }
        for (line, token) in tokens { memory.tokens[line] = token }
    }

    package func token(_ line: Int64) -> TokenHealth? { memory.tokens[line] }

    /// Nil: the line has another token now, of which nothing is known.
    package func learn(_ token: TokenHealth?, line: Int64) throws {
        try database.prepare(
            """
            INSERT INTO line_health (line, token_state, token_expires_at, token_checked_at, token_reason)
            VALUES (:line, :state, :expires_at, :checked_at, :reason)
            ON CONFLICT (line) DO UPDATE SET token_state = excluded.token_state,
                token_expires_at = excluded.token_expires_at, token_checked_at = excluded.token_checked_at,
                token_reason = excluded.token_reason
            """
        ).run(
            .integer(line), .optional(token?.state.rawValue), .optional(token?.expiresAt?.milliseconds),
            .optional(token?.checkedAt.milliseconds), .optional(token?.reason))
        memory.tokens[line] = token
    }
}

extension QueueReader {
    /// What Meta last said of a line's token; nil: nothing yet.
    package func token(_ line: Int64) throws -> TokenHealth? {
        try tokens()[line]
    }

    /// By line.
    package func tokens() throws -> [Int64: TokenHealth] {
        let rows = try database.prepare("SELECT line, \(TokenHealth.columns) FROM line_health").all { row in
            (row.integer(0), TokenHealth(row, from: 1))
        }
        return Dictionary(uniqueKeysWithValues: rows.compactMap { line, token in token.map { (line, $0) } })
    }
}
