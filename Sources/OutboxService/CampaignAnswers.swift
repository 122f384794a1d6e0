import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Questions about campaigns, opt-outs and caps.
enum MarketingQuestion: Sendable {
    case campaigns(before: MessageID?, limit: Int)
    case campaign(MessageID)
    case recipients(MessageID, RecipientFilter, after: Int64, limit: Int)
    case forecast(MessageID)
    case report(MessageID)
    case optOuts(after: String?, limit: Int)
    case optOut(String)
    case caps
}

extension Answerer {
    func answer(_ question: MarketingQuestion) throws -> HTTPResponse {
        switch question {
        case .campaigns(let before, let limit): return try campaigns(before, limit)
        case .campaign(let id):
            let stored = try known(id)
            return .json(200) { write(stored, to: &$0, name: "data") }
        case .recipients(let id, let filter, let place, let limit): return try recipients(id, filter, place, limit)
        case .forecast(let id): return try forecast(try known(id))
        case .report(let id):
            let stored = try known(id)
            let report = CampaignReport(
                campaign: stored.campaign, counts: stored.counts, category: stored.category?.lowercased())
            return .json(200) {
                report.write(
                    to: &$0, name: "data", id: reader.codec.text(id, .batch), line: stored.line,
                    cost: report.cost(rates?.card))
            }
        case .optOuts(let place, let limit): return try optOuts(place, limit)
        case .optOut(let address):
            guard let optOut = try reader.optOut(of: address, account: account) else {
                throw APIError(.notFound, "this person is not on the list")
            }
            return .json(200) { write(optOut, to: &$0, name: "data") }
        case .caps:
            let caps = try reader.marketingCaps(account: account)
            return .json(200) { json in
                json.array("data") {
                    for (line, cap) in caps {
                        let scope = line.map { MarketingCapBody.linePrefix + $0 } ?? MarketingCapBody.accountScope
                        cap.write(to: &$0, scope: scope)
                    }
                }
            }
        }
    }

    private func known(_ id: MessageID) throws -> StoredCampaign {
        guard let stored = try reader.campaign(id, account: account) else {
            throw APIError(.notFound, "there is no such campaign")
        }
        return stored
    }

    private func write(_ stored: StoredCampaign, to json: inout JSONWriter, name: String? = nil) {
        stored.campaign.write(
            to: &json, name: name, id: reader.codec.text(stored.campaign.id, .batch), line: stored.line,
            counts: stored.counts)
    }

    private func campaigns(_ before: MessageID?, _ limit: Int) throws -> HTTPResponse {
        var found = try reader.campaigns(before: before, limit: limit + 1, account: account)
        let more = found.count > limit
        if more { found.removeLast() }
        let cursor = more ? found.last.map { reader.codec.text($0.campaign.id, .batch) } : nil
        return .page(limit: limit, cursor: cursor) { for stored in found { write(stored, to: &$0) } }
    }

    private func recipients(_ id: MessageID, _ filter: RecipientFilter, _ place: Int64, _ limit: Int) throws
        -> HTTPResponse
    {
        _ = try known(id)
        var found = try reader.recipients(of: id, filter, after: place, limit: limit + 1)
        let more = found.count > limit
        if more { found.removeLast() }
        return .page(limit: limit, cursor: more ? found.last.map { String($0.place) } : nil) { json in
            for recipient in found {
                json.object {
                    $0.field("place", recipient.place)
                    $0.field("to", recipient.to)
                    $0.field("variables", raw: recipient.variables)
                    $0.field("timeZone", recipient.timeZone)
                    $0.field("messageId", recipient.message.map { reader.codec.text($0) })
                    let status = recipient.skipped != nil ? "skipped" : recipient.state?.name ?? "pending"
                    $0.field("status", status)
                    $0.field("skipped", recipient.skipped?.name)
                    $0.field("errorCode", recipient.failure?.code)
                    $0.field("errorMessage", recipient.failure?.message)
                }
            }
        }
    }

    private func optOuts(_ place: String?, _ limit: Int) throws -> HTTPResponse {
        if let place, place.utf8.count != 64 || !place.allSatisfy(\.isHexDigit) {
            throw APIError.validation([
                FieldError("cursor", "must be the meta.pagination.cursor of the page before")
            ])
        }
        var found = try reader.optOuts(after: place, limit: limit + 1, account: account)
        let more = found.count > limit
        if more { found.removeLast() }
        return .page(limit: limit, cursor: more ? found.last?.place : nil) {
            for optOut in found { write(optOut, to: &$0) }
        }
    }

    private func write(_ optOut: OptOut, to json: inout JSONWriter, name: String? = nil) {
        json.object(name) {
            $0.field("recipient", optOut.recipient)
            $0.field("source", optOut.source.name)
            $0.field("line", optOut.line)
            $0.field("reason", optOut.reason)
            $0.field("since", optOut.createdAt.rfc3339)
        }
    }

    // MARK: Forecast

    private func forecast(_ stored: StoredCampaign) throws -> HTTPResponse {
        let campaign = stored.campaign
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        guard !campaign.state.isOver else {
            throw APIError(.conflict, "the campaign is \(campaign.state.name)")
        }
        let limitsNow = clock.moment(tick: steadyNanoseconds())
        let zones = try reader.pendingZones(of: campaign.id)
        guard let known = try reader.outlookFacts(campaign, now: now, limitsNow: limitsNow) else {
            throw APIError(.conflict, "the campaign's line was removed")
        }
        let start = max(now, campaign.startAt ?? now)
        let outlook = outlook(stored, known, zones, start: start, now: now)
        let card = rates?.card
        let category = (known.category?.name ?? stored.category ?? "MARKETING").lowercased()
        let countries = zones.reduce(into: [String: Int64]()) { counts, zone in
            counts[zone.zone.country ?? RecipientZone.unknown, default: 0] += zone.count
        }
        let pending = zones.reduce(0) { $0 + $1.count }
        let optedOut = try reader.optedOut(of: campaign.id, account: account)
        return .json(200) {
            $0.object("data") {
                $0.field("campaignId", reader.codec.text(campaign.id, .batch))
                $0.field("recipients", pending)
                $0.field("startsAt", start.rfc3339)
                $0.field("endsBy", outlook.endsBy?.rfc3339)
                $0.field("limitedBy", outlook.limit.rawValue)
                $0.field("wouldExpire", outlook.wouldExpire)
                $0.field("optedOut", optedOut)
                $0.field("category", category)
                if let card { CampaignReport.Cost(countries, category: category, card).write(to: &$0) }
            }
        }
    }

    private func outlook(
        _ stored: StoredCampaign, _ known: QueueReader.OutlookFacts, _ zones: [(zone: RecipientZone, count: Int64)],
        start: Timestamp, now: Timestamp
    ) -> CampaignOutlook {
        let campaign = stored.campaign
        var start = start
        var held: CampaignOutlook.Limit?
        if known.lineStop != nil { return CampaignOutlook(endsBy: nil, limit: .line) }
        if !known.pauses.isEmpty || campaign.state == .paused {
            guard campaign.state != .paused, let until = Forecast.after(known.pauses)?.leavesBy else {
                return CampaignOutlook(endsBy: nil, limit: .pause)
            }
            if until > start { (start, held) = (until, .pause) }
        }
        if let stop = known.templateStop {
            guard let until = stop.until else { return CampaignOutlook(endsBy: nil, limit: .template) }
            if until > start { (start, held) = (until, .template) }
        }
        var canary = campaign.canaryIsOver ? nil : campaign.settings.canary
        if let whole = canary {
            // Of those that went alone some may be on their way already, or all, whose outcome is waited for.
            canary?.first -= stored.counts.messages
            let until = campaign.canaryUntil ?? start + whole.wait
            if whole.first <= stored.counts.messages {
                canary = nil
                if until > start { (start, held) = (until, .canary) }
            }
        }
        var facts = CampaignOutlook.Facts(
            zones: zones.map { .init(recipients: $0.count, clocks: $0.zone.clocks(reader.zoneRules)) },
            quietHours: campaign.settings.quietHours, startAt: start, perSecond: known.perSecond)
        facts.ahead = known.ahead
        facts.room = known.room
        facts.freed = known.freed
        facts.canary = canary
        facts.expiresAt = campaign.settings.expiresAt
        facts.pass(.milliseconds(start.milliseconds - now.milliseconds))
        var outlook = CampaignOutlook.of(facts)
        if let held, outlook.limit == .throughput { outlook.limit = held }
        return outlook
    }
}
