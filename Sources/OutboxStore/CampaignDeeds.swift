package import OutboxCore
import OutboxJSON

/// What came of the wish to do something with a campaign.
package enum CampaignResult: Equatable, Sendable {
    case done(Campaign, CampaignCounts)
    case notFound
    /// It stands where that cannot be done.
    case wrongState(CampaignState)
    /// A launch of a campaign without recipients.
    case empty
    /// Its time is over already.
    case expired(Timestamp)
    case tooMany(Int)
    case refused(SubmitRefusal)
}

/// What came of handing in recipients.
package struct CampaignAdded: Equatable, Sendable {
    package var added: Int64 = 0
    /// The campaign has them.
    package var duplicates: Int64 = 0
    /// There was no room for more.
    package var surplus: Int64 = 0

    package init() {}
}

/// Making a campaign, adding to it, and moving it from state to state.
extension Queue {
    package func createCampaign(
        _ settings: CampaignSettings, line name: String?, account: Int64, by who: String, now: Timestamp
    ) throws -> CampaignResult {
        let line: Line
        switch resolve(name, account) {
        case .refused(let refusal): return .refused(refusal)
        case .done(let found): line = found
        }
        let open = memory.openCampaigns.count { memory.campaigns[$0]?.campaign.account == account }
        guard open < Self.campaignsOpenMax else { return .tooMany(Self.campaignsOpenMax) }
        let id = try openBatch(account: account, now: now)
        let campaign = Campaign(
            id: id, account: account, line: line.id, settings: settings, createdAt: now, createdBy: who)
        try database.prepare(
            """
            INSERT INTO campaign (id, account, line, name, template, components, quiet_from, quiet_to, canary_first,
                canary_wait, canary_share, expires_at, state, created_at, created_by)
            VALUES (:id, :account, :line, :name, :template, :components, :quiet_from, :quiet_to, :canary_first,
                :canary_wait, :canary_share, :expires_at, 0, :created_at, :created_by)
            """
        ).run(
            .integer(id.rawValue), .integer(account), .integer(line.id), .text(settings.name),
            .text(settings.template.text), .optional(settings.components), .optional(settings.quietHours?.from),
            .optional(settings.quietHours?.to), .optional(settings.canary?.first),
            .optional(settings.canary?.wait.components.seconds),
            .optional(settings.canary.map { Int64(($0.abortAboveFailureShare * 1_000_000).rounded()) }),
            .optional(settings.expiresAt?.milliseconds), .integer(now.milliseconds), .text(who))
        memory.campaigns[id.rawValue] = CampaignBook(campaign)
        memory.openCampaigns.insert(id.rawValue)
        return .done(campaign, CampaignCounts())
    }

    /// Adds recipients behind those there are. Only before the campaign begins.
    package func add(_ additions: [CampaignAddition], to id: MessageID, account: Int64) throws -> CampaignAdded? {
        guard let campaign = campaign(id, account: account), campaign.state == .draft || campaign.state == .scheduled
        else { return nil }
        var result = CampaignAdded()
        for addition in additions {
            guard let place = memory.campaigns[id.rawValue]?.place, place < Self.campaignRecipientsMax else {
                result.surplus += 1
                continue
            }
            let changed = try campaigns.add.run(
                .integer(id.rawValue), .integer(place + 1), .text(addition.to), .utf8(addition.variables),
                .text(addition.zone.text))
            guard changed == 1 else {
                result.duplicates += 1
                count(1, .duplicates, "", of: id.rawValue)
                continue
            }
            memory.campaigns[id.rawValue]?.place = place + 1
            count(1, .pending, addition.zone.text, of: id.rawValue)
            result.added += 1
        }
        return result
    }

    /// From draft on its way: at once, or at a moment.
    package func launch(
        _ id: MessageID, at start: Timestamp?, account: Int64, by who: String?, now: Timestamp
    ) throws -> CampaignResult {
        guard var campaign = campaign(id, account: account) else { return .notFound }
        guard campaign.state == .draft || campaign.state == .scheduled else { return .wrongState(campaign.state) }
        guard memory.campaigns[id.rawValue]?.waiting ?? 0 > 0 else { return .empty }
        if let expiresAt = campaign.settings.expiresAt, expiresAt <= max(start ?? now, now) {
            return .expired(expiresAt)
        }
        campaign.startAt = start.map { max($0, now) } ?? now
        campaign.state = .scheduled
        let category = standing(of: campaign.settings.template, line: campaign.line)?.category.name
        try database.prepare("UPDATE campaign SET category = :category WHERE id = :id").run(
            .optional(category), .integer(id.rawValue))
        try save(campaign, nil, by: who, now)
        try startIfDue(id.rawValue, by: who, now)
        return done(id, account)
    }

    func startIfDue(_ id: Int64, by who: String?, _ now: Timestamp) throws {
        guard var campaign = memory.campaigns[id]?.campaign, campaign.state == .scheduled,
            let startAt = campaign.startAt, startAt <= now
        else { return }
        campaign.state = .running
        campaign.startedAt = campaign.startedAt ?? now
        try save(campaign, .campaignStarted, by: who, now)
    }

    package func pauseCampaign(
        _ id: MessageID, reason: String?, account: Int64, by who: String?, now: Timestamp
    ) throws -> CampaignResult {
        guard var campaign = campaign(id, account: account) else { return .notFound }
        guard campaign.state == .running || campaign.state == .scheduled else { return .wrongState(campaign.state) }
        campaign.state = .paused
        campaign.reason = reason
        campaign.pausedAt = now
        try save(campaign, .campaignPaused, by: who, now)
        return done(id, account)
    }

    /// The canary says that it goes wrong.
    func abortCampaign(_ id: Int64, _ reason: String, _ now: Timestamp) throws {
        guard var campaign = memory.campaigns[id]?.campaign else { return }
        campaign.state = .paused
        campaign.isAborted = true
        campaign.reason = reason
        campaign.pausedAt = now
        try save(campaign, .campaignAborted, by: nil, now)
    }

    /// Whoever resumes what the canary paused wants the rest sent.
    package func resumeCampaign(_ id: MessageID, account: Int64, by who: String?, now: Timestamp) throws
        -> CampaignResult
    {
        guard var campaign = campaign(id, account: account) else { return .notFound }
        guard campaign.state == .paused else { return .wrongState(campaign.state) }
        if campaign.isAborted { campaign.canaryIsOver = true }
        campaign.isAborted = false
        campaign.reason = nil
        if let until = campaign.canaryUntil, let pausedAt = campaign.pausedAt {
            campaign.canaryUntil = until + .milliseconds(max(0, now.milliseconds - pausedAt.milliseconds))
        }
        campaign.pausedAt = nil
        // One that was paused before it began, or whose time to begin is still to come, waits for that.
        let startsLater = campaign.startedAt == nil && campaign.startAt.map { $0 > now } ?? false
        let isFirst = campaign.startedAt == nil
        campaign.state = startsLater ? .scheduled : .running
        campaign.startedAt = startsLater ? nil : campaign.startedAt ?? now
        try save(campaign, .campaignResumed, by: who, now)
        if isFirst, !startsLater { try save(campaign, .campaignStarted, by: who, now) }
        // Messages of it may have been moved to other lines.
        sweepAll(.pause)
        try completeCampaign(id.rawValue, now)
        return done(id, account)
    }

    /// Nothing more of it leaves; what waits in the queue is taken back, slice by slice.
    package func cancelCampaign(
        _ id: MessageID, reason: String?, account: Int64, by who: String?, now: Timestamp
    ) throws -> CampaignResult {
        guard var campaign = campaign(id, account: account) else { return .notFound }
        guard !campaign.state.isOver else { return .wrongState(campaign.state) }
        campaign.state = .cancelled
        campaign.reason = reason
        campaign.endedAt = now
        try save(campaign, .campaignCancelled, by: who, now)
        takeBack(id.rawValue)
        return done(id, account)
    }

    private func done(_ id: MessageID, _ account: Int64) -> CampaignResult {
        campaign(id, account: account).map { .done($0, counts(of: id)) } ?? .notFound
    }

    func campaignDetail(
        _ campaign: Campaign, _ id: String, _ line: String, _ counts: CampaignCounts, _ who: String?
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("campaignId", id)
            $0.field("name", campaign.settings.name)
            $0.field("line", line)
            $0.field("status", campaign.state.name)
            $0.field("reason", campaign.reason)
            $0.field("by", who)
            $0.field("recipients", counts.recipients)
            $0.field("pending", counts.pending)
            $0.field("skipped", counts.skipped.values.reduce(0, +))
            $0.field("sent", counts.count(.sent, .delivered, .read))
            $0.field("failed", counts.count(.failed))
            $0.field("cancelled", counts.count(.cancelled))
        }
        return json.bytes
    }
}
