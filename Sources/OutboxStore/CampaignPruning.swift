import OutboxCore

/// Removing what is kept of campaigns and of whom they were for.
extension Queue {
    /// Of campaigns that are over: recipients without a message go as cancelled messages do, the rest with the rule for
    /// campaigns. One that is not over is kept.
    func pruneCampaigns(_ now: Timestamp) throws -> PruneStep {
        let rule = retention(.campaigns)
        let over = memory.campaigns.values.map(\.campaign).filter { $0.state.isOver }
            .sorted { ($0.endedAt ?? now) < ($1.endedAt ?? now) }
        let surplus = rule.countMax.map { max(0, Int64(over.count) - $0) } ?? 0
        for (index, campaign) in over.enumerated() {
            guard let endedAt = campaign.endedAt, memory.campaigns[campaign.id.rawValue]?.underWay == 0 else {
                continue
            }
            let isOld = rule.ageMax.map { endedAt + $0 <= now } ?? false
            let isOver = isOld || index < surplus
            let forgets = retention(.cancelled).ageMax.map { endedAt + $0 <= now } ?? false
            guard isOver || forgets else { continue }
            let removed = try campaigns.forgetRest.run(.integer(campaign.id.rawValue))
            if removed > 0 { return PruneStep(removed: Int64(removed)) }
            guard isOver, try isWithoutMessages(campaign.id) else { continue }
            try remove(campaign)
            return PruneStep(removed: 1)
        }
        return go(to: .links)
    }

    private func isWithoutMessages(_ id: MessageID) throws -> Bool {
        try database.prepare("SELECT EXISTS (SELECT 1 FROM campaign_recipient WHERE campaign = :id)")
            .first(.integer(id.rawValue)) { $0.integer(0) == 0 } ?? true
    }

    private func remove(_ campaign: Campaign) throws {
        try database.prepare("DELETE FROM campaign_count WHERE campaign = :id").run(.integer(campaign.id.rawValue))
        try database.prepare("DELETE FROM campaign WHERE id = :id").run(.integer(campaign.id.rawValue))
        try pruning.deleteBatch.run(.integer(campaign.id.rawValue))
        memory.campaigns[campaign.id.rawValue] = nil
        memory.campaignsChanged.remove(campaign.id.rawValue)
    }

    /// What campaigns know of a person; who was still to be written to is not any more.
    func eraseRecipients(of addresses: [String], account: Int64) throws {
        let find = try database.prepare(
            """
            SELECT place, zone, message IS NULL AND skipped IS NULL FROM campaign_recipient
            WHERE campaign = :campaign AND recipient = :recipient
            """)
        let delete = try database.prepare(
            "DELETE FROM campaign_recipient WHERE campaign = :campaign AND place = :place")
        for (id, book) in memory.campaigns where book.campaign.account == account {
            for address in addresses {
                let row = try find.first(.integer(id), .text(address)) {
                    (place: $0.integer(0), zone: $0.text(1), isPending: $0.integer(2) != 0)
                }
                guard let row else { continue }
                try delete.run(.integer(id), .integer(row.place))
                guard row.isPending else { continue }
                count(-1, .pending, row.zone, of: id)
                count(1, .skipped, String(SkipReason.erased.rawValue), of: id)
            }
        }
    }
}
