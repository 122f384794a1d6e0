package import OutboxCore

/// A campaign as it is shown.
package struct StoredCampaign: Sendable {
    package var campaign: Campaign
    package var line: String
    package var counts: CampaignCounts
    package var category: String?
}

/// A recipient as it is shown.
package struct StoredRecipient: Equatable, Sendable {
    package var place: Int64
    package var to: String
    package var variables: [UInt8]
    package var timeZone: String?
    package var message: MessageID?
    /// Nil: it has no message, or that is gone.
    package var state: MessageState?
    package var failure: Failure?
    package var skipped: SkipReason?
}

package enum RecipientFilter: String, CaseIterable, Sendable {
    case all, pending, skipped
}

extension QueueReader {
    /// Newest first.
    package func campaigns(before id: MessageID?, limit: Int, account: Int64) throws -> [StoredCampaign] {
        let rows = try database.prepare(
            """
            SELECT \(Campaign.columns) FROM campaign WHERE account = :account AND id < :before
            ORDER BY id DESC LIMIT :limit
            """
        ).all(.integer(account), .integer(id?.rawValue ?? .max), .integer(Int64(limit))) {
            (Campaign($0), $0.optionalText(23))
        }
        return try rows.map { try stored($0.0, $0.1) }
    }

    package func campaign(_ id: MessageID, account: Int64) throws -> StoredCampaign? {
        let row = try database.prepare("SELECT \(Campaign.columns) FROM campaign WHERE id = :id AND account = :account")
            .first(.integer(id.rawValue), .integer(account)) { (Campaign($0), $0.optionalText(23)) }
        return try row.map { try stored($0.0, $0.1) }
    }

    private func stored(_ campaign: Campaign, _ category: String?) throws -> StoredCampaign {
        let line = try database.prepare("SELECT name FROM line WHERE id = :id").first(.integer(campaign.line)) {
            $0.text(0)
        }
        return StoredCampaign(
            campaign: campaign, line: line ?? "", counts: CampaignCounts(try rows(of: campaign.id)), category: category)
    }

    private func rows(of id: MessageID) throws -> [(kind: CampaignCountKind, key: String, count: Int64)] {
        try database.prepare("SELECT kind, key, count FROM campaign_count WHERE campaign = :id")
            .all(.integer(id.rawValue)) { row in
                CampaignCountKind(rawValue: row.integer(0)).map { ($0, row.text(1), row.integer(2)) }
            }.compactMap { $0 }
    }

    /// Recipients that wait, by zone.
    package func pendingZones(of id: MessageID) throws -> [(zone: RecipientZone, count: Int64)] {
        try rows(of: id).filter { $0.kind == .pending && $0.count > 0 }
            .map { (zone: RecipientZone(text: $0.key), count: $0.count) }.sorted { $0.zone.text < $1.zone.text }
    }

    /// Behind a place, in the order given.
    package func recipients(of id: MessageID, _ filter: RecipientFilter, after place: Int64, limit: Int) throws
        -> [StoredRecipient]
    {
        let condition =
            switch filter {
            case .all: ""
            case .pending: "AND r.message IS NULL AND r.skipped IS NULL"
            case .skipped: "AND r.skipped IS NOT NULL"
            }
        return try database.prepare(
            """
            SELECT r.place, r.recipient, r.variables, r.zone, r.message, r.skipped, m.state, m.error_code,
                m.error_message
            FROM campaign_recipient AS r LEFT JOIN message AS m ON m.id = r.message
            WHERE r.campaign = :campaign AND r.place > :place \(condition) ORDER BY r.place LIMIT :limit
            """
        ).all(.integer(id.rawValue), .integer(place), .integer(Int64(limit))) { row in
            let zone = row.text(3)
            return StoredRecipient(
                place: row.integer(0), to: row.text(1), variables: row.bytes(2),
                timeZone: zone.firstIndex(of: " ").map { String(zone[zone.index(after: $0)...]) },
                message: row.optionalInteger(4).map(MessageID.init(rawValue:)),
                state: row.optionalInteger(6).flatMap(MessageState.init(rawValue:)),
                failure: row.optionalText(7).map { Failure(code: $0, message: row.text(8)) },
                skipped: row.optionalInteger(5).flatMap(SkipReason.init(rawValue:)))
        }
    }

    /// Recipients that wait and want no marketing.
    package func optedOut(of id: MessageID, account: Int64) throws -> Int64 {
        try database.prepare(
            """
            SELECT count(*) FROM opt_out AS o CROSS JOIN campaign_recipient AS r
                ON r.campaign = :campaign AND r.recipient = o.recipient AND r.message IS NULL AND r.skipped IS NULL
            WHERE o.account = :account AND o.recipient IS NOT NULL
            """
        ).first(.integer(id.rawValue), .integer(account)) { $0.integer(0) } ?? 0
    }

    /// What a forecast of a campaign rests on; nil: there is no such line any more.
    package struct OutlookFacts: Sendable {
        package var line: Line
        package var perSecond: Int64
        package var ahead: Int64
        package var room: Int64?
        package var freed: [Int: Int64]
        /// What has to end first.
        package var pauses: [Pause]
        package var lineStop: String?
        package var templateStop: WhyFacts.TemplateStop?
        package var category: Template.Category?
    }

    package func outlookFacts(_ campaign: Campaign, now: Timestamp, limitsNow: Timestamp) throws -> OutlookFacts? {
        guard let line = try self.line(campaign.line) else { return nil }
        let template = campaign.settings.template
        let health = try self.health(line.id).health
        let pool = try self.pool(line.pool, limitsNow: limitsNow)
        let ready =
            try database.prepare("SELECT total(count) FROM counter WHERE line = :line AND state = 1 AND gate = 0")
            .first(.integer(line.id)) { $0.integer(0) } ?? 0
        let parked =
            try database.prepare("SELECT total(count) FROM counter WHERE line = :line AND state = 1 AND gate = 3")
            .first(.integer(line.id)) { $0.integer(0) } ?? 0
        var facts = OutlookFacts(
            line: line, perSecond: line.perSecond(health), ahead: ready, room: nil, freed: [:],
            pauses: try pauses(account: campaign.account).filter {
                $0.until ?? now >= now
                    && ($0.holds(line: line.id, account: line.account)
                        || $0.holds(.low, line: line.id, account: line.account)
                        || $0.holds(template: template, batch: campaign.id, line: line.id, account: line.account))
            }, lineStop: health?.stop, templateStop: try templateStop(template, line.id),
            category: try standing(template, line.id)?.category)
        guard let pool, let balance = pool.pool.balance(for: .low, used: pool.used, now: limitsNow) else {
            return facts
        }
        // Those that wait before it take theirs first.
        facts.room = balance - parked - ready
        let step = CampaignOutlook.step.wholeMilliseconds
        let freed = try database.prepare(
            """
            SELECT (free_at - :now) / :step, count(*) FROM tier_slot WHERE pool = :pool AND free_at > :now
            GROUP BY 1
            """
        ).all(.integer(limitsNow.milliseconds), .integer(step), .integer(line.pool)) { ($0.integer(0), $0.integer(1)) }
        for (index, count) in freed { facts.freed[Int(index) + 1, default: 0] += count }
        if let until = pool.pool.elsewhereUntil, until > limitsNow {
            facts.freed[Int((until.milliseconds - limitsNow.milliseconds) / step) + 1, default: 0] += pool.elsewhere
        }
        return facts
    }

    /// A campaign's own hold on a message of it.
    func campaignHold(_ batch: MessageID?) throws -> Campaign? {
        guard let batch else { return nil }
        let campaign = try database.prepare("SELECT \(Campaign.columns) FROM campaign WHERE id = :id")
            .first(.integer(batch.rawValue)) { Campaign($0) }
        return campaign
    }

    func recipientZone(ofMessage id: MessageID) throws -> RecipientZone? {
        try database.prepare("SELECT zone FROM campaign_recipient WHERE message = :message").first(
            .integer(id.rawValue)
        ) {
            RecipientZone(text: $0.text(0))
        }
    }
}
