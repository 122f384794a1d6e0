package import OutboxCore

/// What came of removing a line.
package enum LineRemoval: Equatable, Sendable {
    case done
    case notFound
    /// Messages of the line still wait or are on their way.
    case busy(Int64)
}

extension Line {
    static let columns = """
        id, account, name, phone_number_id, waba_id, credential, unknown_policy, unknown_grace,
        messages_per_second, created_at, updated_at
        """

    init(_ row: Row) {
        self.init(
            id: row.integer(0), account: row.integer(1),
            settings: LineSettings(
                name: row.text(2), phoneNumberID: row.text(3), wabaID: row.optionalText(4), credential: row.text(5),
                unknownPolicy: UnknownPolicy(rawValue: row.integer(6)) ?? .hold,
                unknownGrace: .seconds(row.integer(7)), messagesPerSecond: row.integer(8)),
            createdAt: Timestamp(milliseconds: row.integer(9)), updatedAt: Timestamp(milliseconds: row.integer(10)))
    }
}

extension Queue {
    func loadLines() throws -> [Int64: Line] {
        let lines = try database.prepare("SELECT \(Line.columns) FROM line WHERE deleted_at IS NULL").all { Line($0) }
        return Dictionary(uniqueKeysWithValues: lines.map { ($0.id, $0) })
    }

    package func line(_ id: Int64) -> Line? { memory.lines[id] }

    /// The lines that send from this number.
    package func lines(ofNumber phoneNumberID: String) -> [Int64] {
        memory.lines.values.filter { $0.settings.phoneNumberID == phoneNumberID }.map(\.id)
    }

    package func line(named name: String, account: Int64) -> Line? {
        memory.lines.values.first { $0.account == account && $0.name == name }
    }

    /// Makes a line or changes the one of that name. Answers it, and whether it is new.
    package func put(_ settings: LineSettings, account: Int64, now: Timestamp) throws -> (line: Line, isNew: Bool) {
        if var line = line(named: settings.name, account: account) {
            try database.prepare(
                """
                UPDATE line SET phone_number_id = :phone_number_id, waba_id = :waba_id, credential = :credential,
                    unknown_policy = :policy, unknown_grace = :grace, messages_per_second = :rate, updated_at = :now WHERE id = :id
                """
            ).run(
                .text(settings.phoneNumberID), .optional(settings.wabaID), .text(settings.credential),
                .integer(settings.unknownPolicy.rawValue), .integer(settings.unknownGrace.components.seconds),
                .integer(settings.messagesPerSecond), .integer(now.milliseconds), .integer(line.id))
            let before = line.settings
            line.settings = settings
            line.updatedAt = now
            memory.lines[line.id] = line
            if before.unknownPolicy != settings.unknownPolicy || before.unknownGrace != settings.unknownGrace {
                let until = graceUntil(line: line.id, now)
                try statements.changeGrace.run(.optional(until?.milliseconds), .integer(line.id))
            }
            return (line, false)
        }
        let inserted = try database.prepare(
            """
            INSERT INTO line (account, name, phone_number_id, waba_id, credential, unknown_policy, unknown_grace,
                messages_per_second, created_at, updated_at)
            VALUES (:account, :name, :phone_number_id, :waba_id, :credential, :policy, :grace, :rate, :created_at,
                :updated_at)
            RETURNING id
            """
        ).first(
            .integer(account), .text(settings.name), .text(settings.phoneNumberID), .optional(settings.wabaID),
            .text(settings.credential), .integer(settings.unknownPolicy.rawValue),
            .integer(settings.unknownGrace.components.seconds), .integer(settings.messagesPerSecond),
            .integer(now.milliseconds), .integer(now.milliseconds)
        ) { $0.integer(0) }
        guard let id = inserted else { preconditionFailure("an INSERT with RETURNING answers its row") }
        let line = Line(id: id, account: account, settings: settings, createdAt: now, updatedAt: now)
        memory.lines[id] = line
        return (line, true)
    }

    /// Removes a line nothing waits on. Its ended messages stay.
    package func removeLine(named name: String, account: Int64, now: Timestamp) throws -> LineRemoval {
        guard let line = line(named: name, account: account) else { return .notFound }
        let live = [MessageState.scheduled, .queued, .processing, .retrying]
            .map { memory.counters[line.id, $0] }.reduce(0, +)
        guard live == 0 else { return .busy(live) }
        try database.prepare("UPDATE line SET deleted_at = :now WHERE id = :id")
            .run(.integer(now.milliseconds), .integer(line.id))
        memory.lines[line.id] = nil
        return .done
    }
}
