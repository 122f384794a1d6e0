package import OutboxCore

extension CatchUpState {
    static let columns = "line, since, started_at, total, asked, changed, place, last, problem, finished_at"

    init(_ row: Row) {
        self.init(
            line: row.integer(0), since: Timestamp(milliseconds: row.integer(1)),
            startedAt: Timestamp(milliseconds: row.integer(2)), total: row.integer(3),
            place: MessageID(rawValue: row.integer(6)), last: MessageID(rawValue: row.integer(7)))
        asked = row.integer(4)
        changed = row.integer(5)
        problem = row.optionalText(8)
        finishedAt = row.optionalInteger(9).map(Timestamp.init(milliseconds:))
    }
}

/// A message Meta is asked about.
package struct SentMessage: Equatable, Sendable {
    package var id: MessageID
    package var wamid: String
    /// Our own name of the attempt Meta's id came of, as statuses carry it.
    package var opaque: String
    package var state: MessageState
}

extension Queue {
    /// When this file was last written by a daemon that lived: by what happened, by what was counted, by what Meta
    /// was asked every quarter of an hour. Nil: never.
    package func lastAlive() throws -> Timestamp? {
        let moments = [
            try database.integer("SELECT at FROM event ORDER BY seq DESC LIMIT 1"),
            try database.integer("SELECT max(seen_wall) FROM limit_clock"),
            try database.integer("SELECT max(read_at) FROM line_health"),
        ]
        return moments.max().flatMap { $0 > 0 ? Timestamp(milliseconds: $0) : nil }
    }

    /// Those a daemon that ended has left.
    package func unfinishedCatchUps() throws -> [CatchUpState] {
        try database.prepare("SELECT \(CatchUpState.columns) FROM catch_up WHERE finished_at IS NULL")
            .all { CatchUpState($0) }
    }

    /// Writes down how far it has got; `changed` is counted here.
    package func save(_ state: CatchUpState, changed: Int64) throws {
        try database.prepare(
            """
            INSERT INTO catch_up (\(CatchUpState.columns))
            VALUES (:line, :since, :started_at, :total, :asked, :changed, :place, :last, :problem, :finished_at)
            ON CONFLICT (line) DO UPDATE SET since = excluded.since, started_at = excluded.started_at,
                total = excluded.total, asked = excluded.asked,
                changed = excluded.changed + iif(started_at = excluded.started_at, changed, 0),
                place = excluded.place, last = excluded.last, problem = excluded.problem,
                finished_at = excluded.finished_at
            """
        ).run(
            .integer(state.line), .integer(state.since.milliseconds), .integer(state.startedAt.milliseconds),
            .integer(state.total), .integer(state.asked), .integer(changed), .integer(state.place.rawValue),
            .integer(state.last.rawValue), .optional(state.problem), .optional(state.finishedAt?.milliseconds))
    }
}

extension QueueReader {
    /// Rows one look passes over at most.
    private static let rowsAtOnce: Int64 = 10_000
    /// A message may have waited so long before it was sent.
    private static let waitMax = Duration.seconds(30 * 86_400)

    package func catchUp(_ line: Int64) throws -> CatchUpState? {
        try database.prepare("SELECT \(CatchUpState.columns) FROM catch_up WHERE line = :line")
            .first(.integer(line)) { CatchUpState($0) }
    }

    /// What there is to ask about now.
    package func beginCatchUp(_ line: Int64, since: Timestamp, now: Timestamp) throws -> CatchUpState {
        var state = CatchUpState(
            line: line, since: since, startedAt: now, total: 0,
            place: MessageID(rawValue: MessageID.first(at: since - Self.waitMax).rawValue - 1),
            last: MessageID(rawValue: try database.integer("SELECT max(id) FROM message")))
        var place = state.place
        while place < state.last {
            let end = try slice(after: place, state.last)
            state.total +=
                try database.prepare(
                    "SELECT count(*) FROM message WHERE \(Self.isAskedAbout)"
                ).first(
                    .integer(place.rawValue), .integer(end.rawValue), .integer(line), .integer(since.milliseconds)
                ) { $0.integer(0) } ?? 0
            place = end
        }
        return state
    }

    private static let isAskedAbout = """
        id > :after AND id <= :end AND line = :line AND state IN (4, 5) AND wamid IS NOT NULL AND sent_at >= :since
        """

    /// The next messages behind the state's place, `limit` at most, and the place to go on from; no messages with a
    /// place before the last one mean that a stretch held none.
    package func toAsk(_ state: CatchUpState, limit: Int) throws -> (messages: [SentMessage], place: MessageID) {
        let end = try slice(after: state.place, state.last)
        let messages = try database.prepare(
            """
            SELECT id, wamid, coalesce(wamid_attempt, attempt), state FROM message
            WHERE \(Self.isAskedAbout) ORDER BY id LIMIT :limit
            """
        ).all(
            .integer(state.place.rawValue), .integer(end.rawValue), .integer(state.line),
            .integer(state.since.milliseconds), .integer(Int64(limit))
        ) { row in
            let id = MessageID(rawValue: row.integer(0))
            return SentMessage(
                id: id, wamid: row.text(1), opaque: codec.opaque(id, row.integer(2)),
                state: MessageState(rawValue: row.integer(3)) ?? .sent)
        }
        return (messages, messages.count == limit ? messages[limit - 1].id : end)
    }

    private func slice(after place: MessageID, _ last: MessageID) throws -> MessageID {
        let end = try database.prepare(
            "SELECT id FROM message WHERE id > :after ORDER BY id LIMIT 1 OFFSET :rows"
        ).first(.integer(place.rawValue), .integer(Self.rowsAtOnce - 1)) { MessageID(rawValue: $0.integer(0)) }
        return min(end ?? last, last)
    }
}
