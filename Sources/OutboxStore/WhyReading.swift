package import OutboxCore

extension QueueReader {
    /// Messages counted at most to tell a place.
    private static let placesMax: Int64 = 100_000

    /// What stands before a message. `deadline` is how long a POST may take.
    package func whyFacts(
        _ message: StoredMessage, account: Int64, now: Timestamp, limitsNow: Timestamp, deadline: Duration
    ) throws -> WhyFacts {
        let line = try lines(account: account).first { $0.name == message.line }
        var facts = WhyFacts(
            message: message, now: now, limitsNow: limitsNow,
            gates: try gateFacts(message, line), deadline: deadline,
            perSecond: try line.map { $0.perSecond(try health($0.id).health) } ?? 1)
        facts.shownID = codec.text(message.id)
        guard let line else { return facts }
        let template = try message.waits.template.flatMap { try self.standing($0, line.id) }
        facts.unknownPolicy = (message.onUnknown ?? line.settings.unknownPolicy).settled(
            for: MessageKind(template: message.waits.template, template, message.priority))
        facts.pauses = try pauses(account: account).filter {
            $0.until ?? now >= now
                && ($0.holds(line: line.id, account: account)
                    || $0.holds(message.priority, line: line.id, account: account)
                    || $0.holds(
                        template: message.waits.template, batch: message.batch, line: line.id, account: account))
        }
        try readMarketing(&facts, line, now)
        facts.freeEntryUntil = try contact(line.id, message.waits.person)?.freeEntryUntil
        facts.lineHold = try breaker(line.id)
        facts.metaHold = try breaker(LineGates.meta)
        facts.lineStop = try health(line.id).health?.stop
        facts.templateStop = try templateStop(message.waits.template, line.id)
        facts.gates.templateHeld = facts.templateStop != nil
        if let media = message.waits.media {
            facts.media = WhyFacts.MediaWait(
                id: codec.text(media, .media), upload: try upload(MediaUpload.Key(media: media, line: line.id)))
        }
        guard let pool = try pool(line.pool, limitsNow: limitsNow)
        else { return facts }
        facts.pool = pool.pool.name
        facts.tier = pool.pool.tier
        facts.keptForHigh = pool.pool.settings.keptForHigh
        facts.poolUsed = pool.used + pool.elsewhere
        facts.gates.room = pool.pool.room(for: message.priority, used: pool.used, now: limitsNow)
        if message.state == .queued {
            facts.ahead = try ahead(of: message, line.id)
            if message.waits.gate == .pair { facts.pairAhead = try pairAhead(of: message, line.id) }
            if message.waits.gate == .tier, let free = try placeFree(message, line.id, pool, limitsNow) {
                facts.placeFreeAt = free.onClock(showing: now, insteadOf: limitsNow)
            }
        }
        return facts
    }

    /// The cap, the list of who wants no marketing, and what the message's campaign says.
    private func readMarketing(_ facts: inout WhyFacts, _ line: Line, _ now: Timestamp) throws {
        let message = facts.message
        if facts.gates.isMarketing {
            let reached = try cap(reachedBy: message.waits.person, line: line, limitsNow: facts.limitsNow)
            (facts.gates.cap, facts.gates.capUntil) = (reached?.cap, reached?.until)
            facts.isOptedOut =
                try [message.to, message.waits.person].contains {
                    try optOut(of: $0, account: line.account) != nil
                }
        }
        guard let campaign = try campaignHold(message.batch) else { return }
        facts.campaign = WhyFacts.CampaignHold(
            name: campaign.settings.name, id: codec.text(campaign.id, .batch), state: campaign.state,
            reason: campaign.reason, since: campaign.pausedAt ?? campaign.endedAt)
        guard let hours = campaign.settings.quietHours else { return }
        let zone = try recipientZone(ofMessage: message.id) ?? RecipientZone(message.waits.person, timeZone: nil)
        facts.quietZone = zone
        facts.quietHours = hours
        let clocks = zone.clocks(zoneRules)
        guard hours.isQuiet(at: now, clocks) else { return }
        let end = hours.end(after: now, clocks) ?? now + .seconds(86_400)
        facts.gates.quietHoursUntil = end.onClock(showing: facts.limitsNow, insteadOf: now)
    }

    private func contact(_ line: Int64, _ person: String) throws -> Contact? {
        try database.prepare("SELECT \(Contact.columns) FROM contact WHERE line = :line AND person = :person")
            .first(.integer(line), .text(person)) { Contact($0) }
    }

    private func gateFacts(_ message: StoredMessage, _ line: Line?) throws -> GateFacts {
        var facts = GateFacts(priority: message.priority, isTemplate: message.type == "template")
        guard let line else { return facts }
        if let template = message.waits.template {
            facts.isMarketing = TemplateStanding.isMarketing(try standing(template, line.id), message.priority)
        }
        facts.trustsWindow = line.settings.closedWindow == .leave
        facts.countsPairs = line.settings.pairLimit
        let (id, person) = (SQLValue.integer(line.id), SQLValue.text(message.waits.person))
        facts.know(try contact(line.id, message.waits.person), sureFrom: try database.clockMark()?.sureFrom)
        facts.slotFreeAt = try database.prepare("SELECT free_at FROM tier_slot WHERE pool = :pool AND person = :person")
            .first(.integer(line.pool), person) { Timestamp(milliseconds: $0.integer(0)) }
        if !message.waits.anyOrder {
            facts.isBehind =
                try database.prepare(LimitStatements.isBehindSQL).first(
                    id, person, .integer(message.priority.rawValue), .integer(message.id.rawValue)
                ) { $0.integer(0) != 0 } ?? false
        }
        return facts
    }

    /// Those of its class whose turn comes first, and what the other classes get meanwhile.
    private func ahead(of message: StoredMessage, _ line: Int64) throws -> Int64 {
        let own =
            try database.prepare(
                """
                SELECT count(*) FROM (SELECT 1 FROM message WHERE line = :line AND priority = :priority AND state = 1
                    AND gate = 0 AND (turn, id) < (:turn, :id) LIMIT \(Self.placesMax))
                """
            ).first(
                .integer(line), .integer(message.priority.rawValue), .integer(message.waits.turn),
                .integer(message.id.rawValue)
            ) { $0.integer(0) } ?? 0
        return try Priority.allCases.filter { $0 != message.priority }.reduce(own) { sum, priority in
            let count =
                try database.prepare(
                    "SELECT total(count) FROM counter WHERE line = :line AND state = 1 AND gate = 0 AND priority = :priority"
                ).first(.integer(line), .integer(priority.rawValue)) { $0.integer(0) } ?? 0
            return sum + min(count, ClassShare.served(priority, while: own, of: message.priority))
        }
    }

    private func pairAhead(of message: StoredMessage, _ line: Int64) throws -> Int64 {
        try database.prepare(
            """
            SELECT count(*) FROM (SELECT 1 FROM message WHERE line = :line AND person = :person
                AND priority = :priority AND state = 1 AND by_person = 1 AND gate = 2 AND id < :id
                LIMIT \(Self.placesMax))
            """
        ).first(
            .integer(line), .text(message.waits.person), .integer(message.priority.rawValue),
            .integer(message.id.rawValue)
        ) { $0.integer(0) } ?? 0
    }

    /// When the place becomes free that it gets if everybody at the gate before it takes one.
    private func placeFree(
        _ message: StoredMessage, _ line: Int64, _ pool: PoolStatus, _ limitsNow: Timestamp
    ) throws -> Timestamp? {
        guard let people = pool.pool.room(for: message.priority, used: 0, now: .distantFuture), people > 0,
            let balance = pool.pool.balance(for: message.priority, used: pool.used, now: limitsNow)
        else { return nil }
        let before =
            try database.prepare(
                """
                SELECT count(*) FROM (SELECT 1 FROM message WHERE line = :line AND gate = 3 AND gate <> 0 AND state = 1
                    AND (priority < :priority OR (priority = :priority AND (turn, id) < (:turn, :id)))
                    LIMIT \(Self.placesMax))
                """
            ).first(
                .integer(line), .integer(message.priority.rawValue), .integer(message.waits.turn),
                .integer(message.id.rawValue)
            ) { $0.integer(0) } ?? 0
        // Those who wait before it, and those the pool is over its tier.
        let rank = before + max(0, -balance)
        let days = rank / people
        let free = try database.prepare(
            "SELECT free_at FROM tier_slot WHERE pool = :pool ORDER BY free_at LIMIT 1 OFFSET :rank"
        ).first(.integer(pool.pool.id), .integer(rank % people)) { Timestamp(milliseconds: $0.integer(0)) }
        let first = free ?? pool.pool.elsewhereUntil ?? pool.nextFreeAt
        return first.map { $0 + .seconds(days * 86_400) }
    }

    func templateStop(_ template: TemplateName?, _ line: Int64) throws -> WhyFacts.TemplateStop? {
        guard let template else { return nil }
        let hold =
            try database.prepare(
                "SELECT template, code, since, until FROM template_hold WHERE line = :line AND template = :template"
            ).first(.integer(line), .text(template.text)) { TemplateHold($0, from: 0) } ?? nil
        if let hold {
            return WhyFacts.TemplateStop(
                reason: "Meta refused the template \(template.text) for now (\(hold.code))", until: hold.until)
        }
        guard try standing(template, line)?.status == .paused else { return nil }
        return WhyFacts.TemplateStop(reason: "Meta has paused the template \(template.text)", until: nil)
    }

    func standing(_ template: TemplateName, _ line: Int64) throws -> TemplateStanding? {
        try database.prepare(
            "SELECT status, category FROM template WHERE line = :line AND name = :name AND language = :language"
        ).first(.integer(line), .text(template.name), .text(template.language)) {
            TemplateStanding(status: Template.Status(name: $0.text(0)), category: Template.Category(name: $0.text(1)))
        }
    }

    // MARK: A whole line

    /// What the messages of a line wait on, the most first.
    package struct LineWaits: Sendable {
        package var line: Line
        package var gates: [(gate: Gate, count: Int64)]
        package var scheduled: Int64
        package var retrying: Int64
        package var unknown: Int64
        package var lineHold: LineHold.State?
        package var metaHold: LineHold.State?
        package var pauses: [Pause]
        package var pool: PoolStatus?
    }

    package func waits(ofLine name: String, account: Int64, limitsNow: Timestamp) throws -> LineWaits? {
        guard let line = try lines(account: account).first(where: { $0.name == name }) else { return nil }
        let gates = try Gate.allCases.map { (gate: $0, count: try count(line.id, .queued, $0)) }
        return LineWaits(
            line: line, gates: gates.filter { $0.count > 0 }.sorted { $0.count > $1.count },
            scheduled: try count(line.id, .scheduled, .none), retrying: try count(line.id, .retrying, .none),
            unknown: try database.prepare(
                "SELECT count(*) FROM message WHERE line = :line AND unknown = 1"
            ).first(.integer(line.id)) { $0.integer(0) } ?? 0,
            lineHold: try breaker(line.id), metaHold: try breaker(LineGates.meta),
            pauses: try pauses(account: account).filter { $0.line == nil || $0.line == line.id },
            pool: try pool(line.pool, limitsNow: limitsNow))
    }
}
