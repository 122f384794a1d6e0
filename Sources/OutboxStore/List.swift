package import OutboxCore

/// Which messages to list, newest first.
package struct ListFilter: Equatable, Sendable {
    package var states: [MessageState] = []
    package var gate: WaitsAt?
    package var line: String?
    package var to: Recipient?
    package var batch: MessageID?
    /// Accepted at this time or later.
    package var since: Timestamp?
    /// Accepted before this time.
    package var until: Timestamp?
    /// Only messages older than this one: the place where the page before ended.
    package var before: MessageID?
    package var limit: Int = 20
    package var offset: Int = 0

    package init() {}
}

package struct ListPage: Equatable, Sendable {
    package var messages: [StoredMessage]
    /// Where the next page begins; nil at the end of the list.
    package var next: MessageID?
}

extension QueueReader {
    /// Rows one call looks at; a filter that matches few of them gets a short page and a place to go on from.
    package static let rowsExaminedMax = 100_000

    package func list(_ filter: ListFilter, account: Int64) throws -> ListPage {
        var conditions = ["m.account = :account"]
        var values: [SQLValue] = [.integer(account)]
        func require(_ condition: String, _ value: SQLValue) {
            conditions.append(condition)
            values.append(value)
        }
        if let line = filter.line {
            require("m.line IN (SELECT id FROM line WHERE name = :line AND account = m.account)", .text(line))
        }
        if let batch = filter.batch { require("m.batch = :batch", .integer(batch.rawValue)) }
        switch filter.gate {
        case nil: break
        case .dueTime?: conditions.append("m.state = 0")
        case .backoff?: conditions.append("m.state = 3")
        case .outcomeUnknown?: conditions.append("m.unknown = 1")
        case .gate(let gate)?: conditions.append("m.state = 1 AND m.gate <> 0 AND m.gate = \(gate.rawValue)")
        }
        if filter.states == [.failed] {
            // In these words it is served by message_failed; one person's messages are fewer.
            conditions.append(filter.to == nil ? "m.state = 7 AND m.failed_at IS NOT NULL" : "m.state = 7")
        } else if !filter.states.isEmpty {
            let list = filter.states.map { String($0.rawValue) }.joined(separator: ", ")
            conditions.append("m.state IN (\(list))")
        }
        // Ids hold the time of acceptance: the primary key serves both ends.
        let newest =
            [filter.before?.rawValue, filter.until.map { MessageID.first(at: $0).rawValue }]
            .compactMap { $0 }.min() ?? Int64.max
        let oldest = filter.since.map { MessageID.first(at: $0).rawValue } ?? 0
        var floor = oldest
        if let to = filter.to {
            // In a stretch of the list no longer than needed, of which the others are taken.
            let enough = filter.isNarrow ? Self.rowsExaminedMax : filter.offset + filter.limit + 1
            let ids = try recipients.ids(to: to.text, below: newest, from: oldest, limit: enough)
            if filter.isNarrow, ids.count == enough { floor = ids.last ?? oldest }
            require("m.id IN (SELECT value FROM json_each(:ids))", .text(jsonNumbers(ids)))
        } else {
            floor = max(oldest, try examinedFloor(filter, below: newest, account))
        }
        require("m.id < :newest", .integer(newest))
        require("m.id >= :floor", .integer(floor))
        let statement = try database.prepare(
            """
            SELECT \(StoredMessage.columns) FROM message AS m WHERE \(conditions.joined(separator: " AND "))
            ORDER BY m.id DESC LIMIT :limit OFFSET :offset
            """)
        values += [.integer(Int64(filter.limit + 1)), .integer(Int64(filter.offset))]
        var messages = try statement.all(list: values) { StoredMessage($0) }
        if messages.count > filter.limit {
            messages.removeLast(messages.count - filter.limit)
            return ListPage(messages: messages, next: messages.last?.id)
        }
        return ListPage(messages: messages, next: floor > oldest ? MessageID(rawValue: floor) : nil)
    }

    /// The id at which to stop looking: far enough for a full page where an index serves, bounded where none does.
    private func examinedFloor(_ filter: ListFilter, below newest: Int64, _ account: Int64) throws -> Int64 {
        let indexed = filter.batch != nil || filter.states == [.failed] || filter.gate == .outcomeUnknown
        guard filter.isNarrow, !indexed else { return 0 }
        return try database.prepare(
            "SELECT id FROM message WHERE id < :newest ORDER BY id DESC LIMIT 1 OFFSET :rows"
        ).first(.integer(newest), .integer(Int64(Self.rowsExaminedMax))) { $0.integer(0) } ?? 0
    }
}

extension ListFilter {
    /// Of the messages of a time or a person, it takes only some.
    fileprivate var isNarrow: Bool {
        line != nil || !states.isEmpty || gate != nil || to != nil && batch != nil
    }
}
