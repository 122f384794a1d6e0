import CSQLite
package import OutboxCore

/// What the database tells of its own health and of how Meta is heard.
package struct StoreFacts: Sendable {
    package var sqliteVersion: String
    package var autoVacuum: Bool
    /// When Meta last told something by webhook, as far as the newest events go back; nil: not within them.
    package var lastWebhook: Timestamp?
    /// When a message was last accepted by Meta; likewise.
    package var lastSent: Timestamp?
    package var holds: [(line: Int64, code: String, message: String, since: Timestamp)]
    /// Lines whose last question to Meta was not answered, and why.
    package var unread: [(line: Int64, problem: String)]
    package var lines: [Line]
    /// What is known of their tokens, by line.
    package var tokens: [Int64: TokenHealth]
    /// Names by id.
    package var accounts: [Int64: String]
}

extension QueueReader {
    private static let eventsLookedAt = 5000

    package func storeFacts() throws -> StoreFacts {
        let newest = "(SELECT at, kind FROM event ORDER BY seq DESC LIMIT \(Self.eventsLookedAt))"
        func last(_ kinds: [EventKind]) throws -> Timestamp? {
            let list = kinds.map { String($0.rawValue) }.joined(separator: ", ")
            let moment = try database.integer("SELECT max(at) FROM \(newest) WHERE kind IN (\(list))")
            return moment > 0 ? Timestamp(milliseconds: moment) : nil
        }
        let accounts = try database.prepare("SELECT id, name FROM account").all { ($0.integer(0), $0.text(1)) }
        return StoreFacts(
            sqliteVersion: String(cString: sqlite3_libversion()),
            autoVacuum: try database.integer("PRAGMA auto_vacuum") == 2,
            lastWebhook: try last([.delivered, .read, .received]), lastSent: try last([.sent]),
            holds: try database.breakers().map { id, state in
                (line: id, code: state.failure.code, message: state.failure.message, since: state.since)
            },
            unread: try database.prepare("SELECT line, problem FROM line_health WHERE problem IS NOT NULL").all {
                (line: $0.integer(0), problem: $0.text(1))
            },
            lines: try database.prepare(
                "SELECT \(Line.columns) FROM line WHERE deleted_at IS NULL ORDER BY account, name"
            ).all {
                Line($0)
            }, tokens: try tokens(), accounts: Dictionary(uniqueKeysWithValues: accounts))
    }
}

/// The data race that can damage a database whose log is reset by one connection while another begins a checkpoint:
/// SQLite 3.7.0 to 3.51.2, mended in 3.51.3 and in 3.50.7 and 3.44.6 (sqlite.org/wal.html, "The WAL-Reset Bug").
package func hasWALResetBug(sqlite version: String) -> Bool {
    let parts = version.split(separator: ".").map { Int($0) ?? 0 }
    guard parts.count >= 3, parts[0] == 3 else { return false }
    switch (parts[1], parts[2]) {
    case (44, 6...), (50, 7...), (51, 3...), (52..., _): return false
    case (..<7, _): return false
    default: return true
    }
}
