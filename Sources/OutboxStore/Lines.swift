package import OutboxCore
import OutboxJSON

/// What came of removing a line.
package enum LineRemoval: Equatable, Sendable {
    case done
    case notFound
    /// Messages of the line still wait or are on their way.
    case busy(Int64)
    /// A subscription is to that line alone.
    case subscribed(Int64)
    /// A campaign of the line is not over.
    case campaign(MessageID)
}

extension Line {
    static let columns = """
        id, account, name, phone_number_id, waba_id, credential, unknown_policy, unknown_grace,
        messages_per_second, created_at, updated_at, pool, pair_limit, when_full, closed_window, attempts_max,
        first_wait, wait_max, age_max, (SELECT p.name FROM pool AS p WHERE p.id = line.pool),
        when_stopped, when_down, burst, stop_words, start_words, bot, auto_reply,
        auto_reply_text, auto_reply_seconds
        """

    init(_ row: Row) {
        var settings = LineSettings(
            name: row.text(2), phoneNumberID: row.text(3), wabaID: row.optionalText(4), credential: row.text(5),
            unknownPolicy: UnknownPolicy(rawValue: row.integer(6)) ?? .hold, unknownGrace: .seconds(row.integer(7)),
            messagesPerSecond: row.optionalInteger(8))
        settings.pool = row.text(19)
        settings.pairLimit = row.integer(12) != 0
        settings.whenFull = WhenFull(rawValue: row.integer(13)) ?? .wait
        settings.closedWindow = ClosedWindow(rawValue: row.integer(14)) ?? .refuse
        settings.whenStopped = WhenStopped(rawValue: row.integer(20)) ?? .hold
        settings.whenDown = WhenDown(rawValue: row.integer(21)) ?? .accept
        settings.burst = row.integer(22)
        settings.retry.attemptsMax = row.integer(15)
        settings.retry.firstWait = .milliseconds(row.integer(16))
        settings.retry.waitMax = .milliseconds(row.integer(17))
        settings.ageMax = row.optionalInteger(18).map { .seconds($0) }
        settings.optOutKeywords = OptOutKeywords(stop: words(row, 23), start: words(row, 24))
        settings.bot = row.optionalInteger(25)
        settings.autoReply.isEnabled = row.integer(26) != 0
        settings.autoReply.text = row.optionalText(27)
        settings.autoReply.interval = .seconds(row.integer(28))
        self.init(
            id: row.integer(0), account: row.integer(1), settings: settings, pool: row.integer(11),
            createdAt: Timestamp(milliseconds: row.integer(9)), updatedAt: Timestamp(milliseconds: row.integer(10)))
    }
}

private func words(_ row: Row, _ column: Int32) -> [String] {
    row.optionalBytes(column).flatMap { try? JSONParser().parse($0) }?.elements.compactMap(\.string) ?? []
}

/// Nil: there are none.
private func json(_ words: [String]) -> [UInt8]? {
    var json = JSONWriter()
    json.array { for word in words { $0.value(word) } }
    return words.isEmpty ? nil : json.bytes
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

    package var lineIDs: [Int64] { memory.lines.keys.sorted() }

    package var allLines: [Line] { memory.lines.values.sorted { $0.id < $1.id } }

    /// The lines of one of Meta's WhatsApp business accounts.
    package func lines(ofAccount wabaID: String?) -> [Int64] {
        memory.lines.values.filter { wabaID != nil && $0.settings.wabaID == wabaID }.map(\.id).sorted()
    }

    package func line(named name: String, account: Int64) -> Line? {
        memory.lines.values.first { $0.account == account && $0.name == name }
    }

    /// Makes a line or changes the one of that name. Answers it, and whether it is new.
    package func put(_ settings: LineSettings, account: Int64, now: Timestamp) throws -> (line: Line, isNew: Bool) {
        let pool = try poolForLine(settings.pool ?? settings.name, account: account)
        var settings = settings
        settings.pool = pool.name
        guard var line = line(named: settings.name, account: account) else {
            let line = try insert(settings, pool, account, now)
            memory.lines[line.id] = line
            return (line, true)
        }
        try update(line.id, settings, pool, now)
        let before = line
        line.settings = settings
        line.pool = pool.id
        line.updatedAt = now
        memory.lines[line.id] = line
        if before.settings.unknownPolicy != settings.unknownPolicy
            || before.settings.unknownGrace != settings.unknownGrace
        {
            // When it is over each message's own policy is asked.
            let moment = now + settings.unknownGrace
            try statements.changeGrace.run(.integer(moment.milliseconds), .integer(line.id))
            records.forgetAll()
            memory.alarms.set(.grace, moment)
        }
        if before.settings.phoneNumberID != settings.phoneNumberID {
            try forgetHealth(line.id)
            try forgetUploads(line.id)
        }
        try tryUploadsNow(line.id, now)
        if before.settings.wabaID != settings.wabaID { try forgetTemplates(line.id) }
        if before.pool != line.pool {
            try copySlots(from: before.pool, to: line.pool)
            sweep(.tier, line: line.id)
        }
        return (line, false)
    }

    private static let settingsColumns = """
        phone_number_id, waba_id, credential, unknown_policy, unknown_grace, messages_per_second, pool, pair_limit,
        when_full, closed_window, attempts_max, first_wait, wait_max, age_max, updated_at,
        when_stopped, when_down, burst, stop_words, start_words, bot, auto_reply,
        auto_reply_text, auto_reply_seconds
        """

    private func values(_ settings: LineSettings, _ pool: Pool, _ now: Timestamp) -> [SQLValue] {
        [
            .text(settings.phoneNumberID), .optional(settings.wabaID), .text(settings.credential),
            .integer(settings.unknownPolicy.rawValue), .integer(settings.unknownGrace.components.seconds),
            .optional(settings.messagesPerSecond), .integer(pool.id), .integer(settings.pairLimit ? 1 : 0),
            .integer(settings.whenFull.rawValue), .integer(settings.closedWindow.rawValue),
            .integer(settings.retry.attemptsMax), .integer(settings.retry.firstWait.wholeMilliseconds),
            .integer(settings.retry.waitMax.wholeMilliseconds), .optional(settings.ageMax?.components.seconds),
            .integer(now.milliseconds), .integer(settings.whenStopped.rawValue),
            .integer(settings.whenDown.rawValue), .integer(settings.burst),
            .optional(json(settings.optOutKeywords.stop)), .optional(json(settings.optOutKeywords.start)),
            .optional(settings.bot), .integer(settings.autoReply.isEnabled ? 1 : 0),
            .optional(settings.autoReply.text), .integer(settings.autoReply.interval.components.seconds),
        ]
    }

    /// `?1, ?2, …`
    private static func marks(_ count: Int) -> String {
        (1...count).map { "?\($0)" }.joined(separator: ", ")
    }

    private func update(_ id: Int64, _ settings: LineSettings, _ pool: Pool, _ now: Timestamp) throws {
        let values = values(settings, pool, now)
        _ = try database.prepare(
            "UPDATE line SET (\(Self.settingsColumns)) = (\(Self.marks(values.count))) WHERE id = ?\(values.count + 1)"
        ).all(list: values + [.integer(id)]) { _ in }
    }

    private func insert(_ settings: LineSettings, _ pool: Pool, _ account: Int64, _ now: Timestamp) throws -> Line {
        let values =
            values(settings, pool, now) + [.integer(account), .text(settings.name), .integer(now.milliseconds)]
        let ids = try database.prepare(
            """
            INSERT INTO line (\(Self.settingsColumns), account, name, created_at) VALUES (\(Self.marks(values.count)))
            RETURNING id
            """
        ).all(list: values) { $0.integer(0) }
        guard let id = ids.first else { preconditionFailure("an INSERT with RETURNING answers its row") }
        return Line(id: id, account: account, settings: settings, pool: pool.id, createdAt: now, updatedAt: now)
    }

    /// Removes a line nothing waits on. Its ended messages stay.
    package func removeLine(named name: String, account: Int64, now: Timestamp) throws -> LineRemoval {
        guard let line = line(named: name, account: account) else { return .notFound }
        let live = [MessageState.scheduled, .queued, .processing, .retrying]
            .map { memory.counters[line.id, $0] }.reduce(0, +)
        guard live == 0 else { return .busy(live) }
        if let subscription = try database.prepare("SELECT id FROM subscription WHERE line = :line LIMIT 1")
            .first(.integer(line.id), body: { $0.integer(0) })
        {
            return .subscribed(subscription)
        }
        if let id = memory.openCampaigns.first(where: { memory.campaigns[$0]?.campaign.line == line.id }) {
            return .campaign(MessageID(rawValue: id))
        }
        _ = try removeMarketingCap(line: line.id, account: account)
        _ = try resume(account) { $0.line == line.id }
        try forgetUploads(line.id)
        try removeSharedInboxLinks(ofLine: line.id)
        try database.prepare("UPDATE line SET deleted_at = :now WHERE id = :id")
            .run(.integer(now.milliseconds), .integer(line.id))
        memory.lines[line.id] = nil
        return .done
    }
}
