/// Messages accepted one after another, so many that their part of an index stays small and so few that a file of ten
/// million has some hundred lots to look through. A later lot holds later ids alone.
struct Lot {
    static let messages = 16_384

    private(set) var number: Int64 = 0
    private var count = 0

    /// Begins behind all lots of a file.
    init(after last: Int64?) { number = last.map { $0 + 1 } ?? 0 }

    /// The lot of one more message.
    mutating func next() -> Int64 {
        if count == Self.messages {
            number += 1
            count = 0
        }
        count += 1
        return number
    }
}

/// Finds what somebody was sent, by the index over lots and recipients.
struct RecipientSearch {
    private let ends: Statement
    private let inLot: Statement

    init(_ database: Database) throws {
        ends = try database.prepare("SELECT (SELECT min(lot) FROM message), (SELECT max(lot) FROM message)")
        inLot = try database.prepare(
            """
            SELECT id FROM message INDEXED BY message_recipient
            WHERE lot = :lot AND recipient = :recipient AND id < :below AND id >= :from ORDER BY id DESC LIMIT :limit
            """)
    }

    /// Ids of messages to a number, newest first, below one id and not below another, `limit` at most.
    func ids(to recipient: String, below newest: Int64 = .max, from oldest: Int64 = 0, limit: Int) throws -> [Int64] {
        var found: [Int64] = []
        let range = try ends.first { row in row.optionalInteger(0).map { $0...row.integer(1) } } ?? nil
        for lot in (range.map(Array.init) ?? []).reversed() where found.count < limit {
            found += try inLot.all(
                .integer(lot), .text(recipient), .integer(newest), .integer(oldest),
                .integer(Int64(limit - found.count))
            ) { $0.integer(0) }
        }
        return found
    }
}

/// Numbers as JSON, for `json_each`.
func jsonNumbers(_ numbers: [Int64]) -> String { "[\(numbers.map { String($0) }.joined(separator: ","))]" }
