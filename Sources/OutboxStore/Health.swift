package import OutboxCore
import OutboxJSON

extension LineHealth {
    static let columns = "status, can_send, quality, tier, per_second, reasons, read_at"

    /// Nil when it was never read.
    init?(_ row: Row, from first: Int32 = 0) {
        guard let status = row.optionalInteger(first).flatMap(LineStatus.init(rawValue:)) else { return nil }
        let reasons = try? JSONParser().parse(row.bytes(first + 5)).elements.compactMap(\.string)
        self.init(
            status: status, canSend: CanSend(rawValue: row.integer(first + 1)) ?? .available,
            quality: QualityRating(rawValue: row.integer(first + 2)) ?? .unknown,
            tier: row.optionalInteger(first + 3).flatMap(Tier.init(rawValue:)),
            messagesPerSecond: row.optionalInteger(first + 4),
            reasons: reasons ?? [], readAt: Timestamp(milliseconds: row.integer(first + 6)))
    }
}

extension Queue {
    func loadHealth() throws {
        let health = try database.prepare("SELECT line, \(LineHealth.columns) FROM line_health").all { row in
            (row.integer(0), LineHealth(row, from: 1))
        }
        for (line, health) in health { memory.health[line] = health }
        let templates = try database.prepare("SELECT line, name, language, status, category FROM template").all { row in
            (
                row.integer(0), TemplateName(name: row.text(1), language: row.text(2)),
                TemplateStanding(
                    status: Template.Status(name: row.text(3)), category: Template.Category(name: row.text(4)))
            )
        }
        for (line, name, standing) in templates { memory.templates[line, default: [:]][name] = standing }
        let holds = try database.prepare("SELECT line, template, code, since, until FROM template_hold").all { row in
            (row.integer(0), TemplateHold(row, from: 1))
        }
        for (line, hold) in holds { if let hold { memory.templateHolds[line, default: []].append(hold) } }
    }

    /// What Meta says of a line's number now. Answers what it was before.
    package func learn(_ health: LineHealth, line: Int64) throws -> LineHealth? {
        var reasons = JSONWriter()
        reasons.array { for reason in health.reasons { $0.value(reason) } }
        try database.prepare(
            """
            INSERT INTO line_health (line, \(LineHealth.columns), problem)
            VALUES (:line, :status, :can_send, :quality, :tier, :per_second, :reasons, :read_at, NULL)
            ON CONFLICT (line) DO UPDATE SET status = excluded.status, can_send = excluded.can_send,
                quality = excluded.quality, tier = excluded.tier, per_second = excluded.per_second,
                reasons = excluded.reasons, read_at = excluded.read_at, problem = NULL
            """
        ).run(
            .integer(line), .integer(health.status.rawValue), .integer(health.canSend.rawValue),
            .integer(health.quality.rawValue), .optional(health.tier?.rawValue), .optional(health.messagesPerSecond),
            .utf8(reasons.bytes), .integer(health.readAt.milliseconds))
        let before = memory.health[line]
        memory.health[line] = health
        return before
    }

    /// Meta could not be asked; what was known stays.
    package func noteProblem(_ problem: String, line: Int64) throws {
        try database.prepare(
            """
            INSERT INTO line_health (line, problem) VALUES (:line, :problem)
            ON CONFLICT (line) DO UPDATE SET problem = excluded.problem
            """
        ).run(.integer(line), .text(problem))
    }

    package func health(_ line: Int64) -> LineHealth? { memory.health[line] }

    // MARK: Templates

    /// The whole list of a line's templates takes the place of the one before.
    package func learn(_ templates: [Template], line: Int64, now: Timestamp) throws {
        try database.prepare("DELETE FROM template WHERE line = :line").run(.integer(line))
        let insert = try database.prepare(
            """
            INSERT OR REPLACE INTO template (line, name, language, status, category, raw)
            VALUES (:line, :name, :language, :status, :category, :raw)
            """)
        var standings: [TemplateName: TemplateStanding] = [:]
        for template in templates {
            try insert.run(
                .integer(line), .text(template.name), .text(template.language), .text(template.status.name),
                .text(template.category.name), .utf8(template.raw))
            standings[TemplateName(name: template.name, language: template.language)] = TemplateStanding(template)
        }
        try database.prepare(
            """
            INSERT INTO line_health (line, templates_at) VALUES (:line, :at)
            ON CONFLICT (line) DO UPDATE SET templates_at = excluded.templates_at
            """
        ).run(.integer(line), .integer(now.milliseconds))
        for (name, standing) in standings where standing.status == .approved {
            // Only a pause that the list knew ends with the list.
            if memory.templates[line]?[name]?.status == .paused { try endHold(of: name, line: line) }
        }
        memory.templates[line] = standings
        sweep(.template, line: line)
    }

    /// A template was made or changed, and Meta took it.
    package func put(_ template: Template, line: Int64) throws {
        // Of a list that was never read others are not missing: it is to be read first.
        guard memory.templates[line] != nil else { return }
        try database.prepare(
            """
            INSERT OR REPLACE INTO template (line, name, language, status, category, raw)
            VALUES (:line, :name, :language, :status, :category, :raw)
            """
        ).run(
            .integer(line), .text(template.name), .text(template.language), .text(template.status.name),
            .text(template.category.name), .utf8(template.raw))
        memory.templates[line]?[TemplateName(name: template.name, language: template.language)] = TemplateStanding(
            template)
        sweep(.template, line: line)
    }

    /// A template was removed, in all languages or in one.
    package func removeTemplates(named name: String, language: String?, line: Int64) throws {
        try database.prepare(
            "DELETE FROM template WHERE line = :line AND name = :name AND (:language IS NULL OR language = :language)"
        ).run(.integer(line), .text(name), .optional(language))
        let gone = memory.templates[line]?.keys.filter { $0.name == name && (language ?? $0.language) == $0.language }
        for key in gone ?? [] { memory.templates[line]?[key] = nil }
        sweep(.template, line: line)
    }

    /// A template's status changed, by a webhook.
    package func learn(_ status: Template.Status, of template: TemplateName, line: Int64) throws {
        // A word that is not known says nothing; the list will be read again.
        if case .unknown = status { return }
        guard var standing = memory.templates[line]?[template] else { return }
        standing.status = status
        try database.prepare(
            "UPDATE template SET status = :status WHERE line = :line AND name = :name AND language = :language"
        ).run(.text(status.name), .integer(line), .text(template.name), .text(template.language))
        memory.templates[line]?[template] = standing
        if status == .approved { try endHold(of: template, line: line) }
        sweep(.template, line: line)
    }

    /// Nil: the line's templates are not known, or this one is not among them.
    package func standing(of template: TemplateName, line: Int64) -> TemplateStanding? {
        memory.templates[line]?[template]
    }

    /// Of any line.
    package var knowsTemplates: Bool { !memory.templates.isEmpty }

    package func knowsTemplates(of line: Int64) -> Bool { memory.templates[line] != nil }

    /// Meta's own objects of a line's templates, for reading again.
    package func rawTemplates(line: Int64) throws -> [[UInt8]] {
        try database.prepare("SELECT raw FROM template WHERE line = :line").all(.integer(line)) { $0.bytes(0) }
    }

    /// The line is another number now.
    func forgetHealth(_ line: Int64) throws {
        try database.prepare("DELETE FROM line_health WHERE line = :line").run(.integer(line))
        memory.health[line] = nil
        memory.tokens[line] = nil
    }

    /// The line is of another account now.
    func forgetTemplates(_ line: Int64) throws {
        try database.prepare("DELETE FROM template WHERE line = :line").run(.integer(line))
        try database.prepare("DELETE FROM template_hold WHERE line = :line").run(.integer(line))
        try database.prepare("UPDATE line_health SET templates_at = NULL WHERE line = :line").run(.integer(line))
        memory.templates[line] = nil
        memory.templateHolds[line] = nil
        sweep(.template, line: line)
    }

    // MARK: Held templates

    func holdTemplate(_ record: Record, _ failure: Failure, _ askedFor: Duration?, _ now: Timestamp) throws {
        guard let template = record.template, TemplateHold.codes.contains(failure.code) else { return }
        let hold = TemplateHold(
            template: template, code: failure.code, since: now, until: now + (askedFor ?? .seconds(600)))
        try database.prepare(
            """
            INSERT OR REPLACE INTO template_hold (line, template, code, since, until)
            VALUES (:line, :template, :code, :since, :until)
            """
        ).run(
            .integer(record.line), .text(template.text), .text(hold.code), .integer(hold.since.milliseconds),
            .integer(hold.until.milliseconds))
        memory.templateHolds[record.line, default: []].removeAll { $0.template == template }
        memory.templateHolds[record.line, default: []].append(hold)
    }

    private func endHold(of template: TemplateName, line: Int64) throws {
        guard memory.templateHolds[line]?.contains(where: { $0.template == template }) ?? false else { return }
        try database.prepare("DELETE FROM template_hold WHERE line = :line AND template = :template")
            .run(.integer(line), .text(template.text))
        memory.templateHolds[line]?.removeAll { $0.template == template }
    }

    func expireTemplateHolds(_ now: Timestamp) throws {
        for (line, holds) in memory.templateHolds where holds.contains(where: { $0.until <= now }) {
            try database.prepare("DELETE FROM template_hold WHERE line = :line AND until <= :now")
                .run(.integer(line), .integer(now.milliseconds))
            let left = holds.filter { $0.until > now }
            memory.templateHolds[line] = left.isEmpty ? nil : left
            sweep(.template, line: line)
        }
    }

    /// Whether a template cannot be sent now.
    func isHeld(_ template: TemplateName?, line: Int64) -> Bool {
        guard let template else { return false }
        if memory.templateHolds[line]?.contains(where: { $0.template == template }) ?? false { return true }
        return memory.templates[line]?[template].map { $0.status == .paused } ?? false
    }

    /// Whether a message is marketing: by its template's category, or where that is not known, by its class.
    func isMarketing(_ template: TemplateName?, _ priority: Priority, line: Int64) -> Bool {
        guard let template else { return false }
        return TemplateStanding.isMarketing(memory.templates[line]?[template], priority)
    }

    /// Templates that wait for Meta, or lines Meta stopped: to be asked about soon again.
    package func waitsForNews(_ line: Int64) -> Bool {
        memory.counters.isWaited(at: .template) && memory.counters.parked(line, .template) > 0
            || memory.health[line]?.stop != nil
            || memory.tokens[line]?.state.isOver ?? false
    }
}

extension TemplateHold {
    init?(_ row: Row, from first: Int32) {
        guard let template = TemplateName(text: row.text(first)) else { return nil }
        self.init(
            template: template, code: row.text(first + 1), since: Timestamp(milliseconds: row.integer(first + 2)),
            until: Timestamp(milliseconds: row.integer(first + 3)))
    }
}
