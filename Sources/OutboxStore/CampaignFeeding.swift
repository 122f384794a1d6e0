package import OutboxCore

/// How a campaign's recipients come into the queue: a bounded number at a time, so that a pause holds at once and a
/// million of them take no memory.
extension Queue {
    /// Messages of one campaign that may wait in the queue: what its line sends in ten seconds.
    private static let secondsAhead: Int64 = 10
    private static let ahead: ClosedRange<Int64> = 100...2000
    /// With those that wait for their person.
    private static let aheadMax: Int64 = 50_000
    /// Messages looked at in one step to be taken back.
    private static let cancelledAtOnce: Int64 = 500

    /// What there is to do for a campaign now.
    package struct Feeding: Equatable, Sendable {
        package var campaign: Campaign
        /// So many of these zones may go to the queue.
        package var count: Int64
        package var zones: [RecipientZone]
    }

    /// Something may be to be fed, or taken back.
    package var hasCampaigns: Bool { !memory.openCampaigns.isEmpty || !memory.takenBack.isEmpty }

    /// Starts what is due, decides canaries, and answers which campaigns may feed, and when the clock alone changes
    /// that. `atMost` for all of them together.
    package func feedings(now: Timestamp, atMost: Int64) throws -> (feedings: [Feeding], wake: Timestamp?) {
        var feedings: [Feeding] = []
        var wakes: [Timestamp] = []
        var left = atMost
        // The one fed longest ago first.
        let ids = memory.openCampaigns.sorted()
        let start = memory.lastCampaignFed.flatMap { last in ids.firstIndex { $0 > last } } ?? 0
        for id in ids[start...] + ids[..<start] {
            try startIfDue(id, by: nil, now)
            guard let campaign = memory.campaigns[id]?.campaign else { continue }
            if campaign.state == .scheduled, let startAt = campaign.startAt { wakes.append(startAt) }
            guard campaign.state == .running else { continue }
            if let expiresAt = campaign.settings.expiresAt {
                if expiresAt <= now {
                    let zones = memory.campaigns[id]?.pending.map(\.zone) ?? []
                    feedings.append(Feeding(campaign: campaign, count: atMost, zones: zones))
                    continue
                }
                wakes.append(expiresAt)
            }
            guard let most = try feedable(id, now, &wakes), most > 0 else { continue }
            let pending = memory.campaigns[id]?.pending ?? []
            guard !pending.isEmpty else {
                try completeCampaign(id, now)
                continue
            }
            let loud = pending.filter { entry in
                guard let hours = campaign.settings.quietHours else { return true }
                let quiet = clock(of: entry.zone, hours).quiet(at: now)
                if case .quiet(let until?) = quiet { wakes.append(until) }
                // Where it never ends they are let through, to be skipped.
                return quiet == .loud || quiet == .quiet(until: nil)
            }
            let count = min(most, left)
            guard !loud.isEmpty, count > 0 else { continue }
            left -= count
            memory.lastCampaignFed = id
            feedings.append(Feeding(campaign: campaign, count: count, zones: loud.map(\.zone)))
        }
        return (feedings, wakes.filter { $0 > now }.min())
    }

    /// How many more of a running campaign may wait in the queue; nil: none, for its canary waits or has ended it.
    private func feedable(_ id: Int64, _ now: Timestamp, _ wakes: inout [Timestamp]) throws -> Int64? {
        guard let book = memory.campaigns[id], let line = memory.lines[book.campaign.line] else { return nil }
        var campaign = book.campaign
        var most = Int64.max
        if let canary = campaign.settings.canary, !campaign.canaryIsOver {
            switch canary.verdict(book.summed, isOver: campaign.canaryUntil.map { $0 <= now } ?? false) {
            case .feed(let count): most = count
            case .wait:
                // It counts from when all of them have left: what holds them up is not part of it.
                guard campaign.canaryUntil != nil || book.summed.count(.scheduled, .queued, .retrying) == 0 else {
                    return nil
                }
                if campaign.canaryUntil == nil {
                    campaign.canaryUntil = now + canary.wait
                    try save(campaign, nil, by: nil, now)
                }
                if let until = campaign.canaryUntil { wakes.append(until) }
                return nil
            case .goOn:
                campaign.canaryIsOver = true
                try save(campaign, nil, by: nil, now)
            case .abort(let reason):
                try abortCampaign(id, reason, now)
                return nil
            }
        }
        // Whoever waits for a person keeps nobody else from leaving.
        let personal = memory.counters.parked(line.id, .person) + memory.counters.parked(line.id, .pair)
        // Nor does an outcome somebody has to find out about.
        let held = memory.unknown[line.id] ?? 0
        let waiting = max(0, book.underWay - held)
        guard waiting < Self.aheadMax else { return nil }
        let rate = line.perSecond(memory.health[line.id]) * Self.secondsAhead
        let ahead = min(max(rate, Self.ahead.lowerBound), Self.ahead.upperBound)
        return min(most, ahead - max(0, waiting - personal))
    }

    /// The recipients whose turn is next, of all the zones in proportion.
    package func next(of feeding: Feeding) throws -> [CampaignRecipient] {
        let id = feeding.campaign.id
        guard let book = memory.campaigns[id.rawValue] else { return [] }
        var loud = feeding.zones.reduce(0) { $0 + book.count(.pending, $1.text) }
        var left = min(feeding.count, loud)
        var found: [CampaignRecipient] = []
        for zone in feeding.zones where left > 0 && loud > 0 {
            let own = book.count(.pending, zone.text)
            let share = min(left, (own * left + loud - 1) / loud)
            loud -= own
            guard share > 0 else { continue }
            let rows = try campaigns.pending.all(.integer(id.rawValue), .text(zone.text), .integer(share)) { row in
                CampaignRecipient(
                    campaign: id, place: row.integer(0), to: row.text(1), variables: row.bytes(2), zone: zone)
            }
            left -= Int64(rows.count)
            found += rows
        }
        return found.sorted { $0.place < $1.place }
    }

    /// Whether another recipient that has its message is the same person.
    package func isSamePerson(_ recipient: CampaignRecipient, account: Int64) throws -> Bool {
        guard memory.knowsAliases else { return false }
        let person = try person(recipient.to, account: account)
        return try campaigns.isSamePerson.first(
            .integer(recipient.campaign.rawValue), .text(person), .text(recipient.to), .integer(account)
        ) { $0.integer(0) != 0 } ?? false
    }

    /// A recipient has its message, which is in the queue since this transaction.
    package func fed(_ recipient: CampaignRecipient, _ message: MessageID) throws {
        try campaigns.feed.run(
            .integer(message.rawValue), .integer(recipient.campaign.rawValue), .integer(recipient.place))
        count(-1, .pending, recipient.zone.text, of: recipient.campaign.rawValue)
    }

    /// A recipient gets none.
    package func skip(_ recipient: CampaignRecipient, _ reason: SkipReason) throws {
        try campaigns.skip.run(
            .integer(reason.rawValue), .integer(recipient.campaign.rawValue), .integer(recipient.place))
        count(-1, .pending, recipient.zone.text, of: recipient.campaign.rawValue)
        count(1, .skipped, String(reason.rawValue), of: recipient.campaign.rawValue)
    }

    /// After a slice was fed: its batch has grown, and perhaps nothing is left.
    package func endFeeding(_ id: MessageID, queued: Int64, now: Timestamp) throws {
        if queued > 0 { try addToBatch(id, queued: queued, failed: 0) }
        try completeCampaign(id.rawValue, now)
    }

    /// It cannot be fed until somebody has mended something.
    package func stopFeeding(_ id: MessageID, reason: String, now: Timestamp) throws {
        guard let campaign = memory.campaigns[id.rawValue]?.campaign else { return }
        _ = try pauseCampaign(id, reason: reason, account: campaign.account, by: nil, now: now)
    }

    // MARK: Taking back

    /// One slice of what cancelled campaigns still have in the queue. Answers whether there is more.
    package func takeBackCampaigns(now: Timestamp) throws -> Bool {
        guard let id = memory.takenBack.min(), let book = memory.campaigns[id], let below = book.cancelBelow else {
            return false
        }
        let rows = try campaigns.newest.all(
            .integer(id), .integer(below), .integer(Self.cancelledAtOnce)
        ) { (id: MessageID(rawValue: $0.integer(0)), state: MessageState(rawValue: $0.integer(1)) ?? .sent) }
        for row in rows where row.state.isWaiting { _ = try cancel(row.id, account: book.campaign.account, now: now) }
        let left = memory.campaigns[id]?.summed.count(.scheduled, .queued, .retrying) ?? 0
        let isDone = rows.count < Int(Self.cancelledAtOnce) || left == 0
        memory.campaigns[id]?.cancelBelow = isDone ? nil : rows.last?.id.rawValue
        if isDone { memory.takenBack.remove(id) }
        return !memory.takenBack.isEmpty
    }

    /// A campaign's own hold on its messages.
    func campaignHolds(_ batch: MessageID?) -> Bool {
        guard let batch, !memory.campaigns.isEmpty, let state = memory.campaigns[batch.rawValue]?.campaign.state else {
            return false
        }
        return state == .paused || state == .cancelled
    }

    // MARK: Quiet hours

    /// Until when nobody is to be written to where a message's recipient may be, by the wall clock; nil: now is well.
    func quietUntil(_ record: Record, _ now: Timestamp) throws -> Timestamp? {
        guard let batch = record.batch, !memory.campaigns.isEmpty,
            let hours = memory.campaigns[batch.rawValue]?.campaign.settings.quietHours
        else { return nil }
        let zone = try campaigns.zone.first(.integer(record.id.rawValue)) { RecipientZone(text: $0.text(0)) }
        switch clock(of: zone ?? RecipientZone(record.person, timeZone: nil), hours).quiet(at: now) {
        case .loud: return nil
        // Asked again a day later: by then the rules may be others.
        case .quiet(let until): return until ?? now + .seconds(86_400)
        }
    }

    private func clock(of zone: RecipientZone, _ hours: QuietHours) -> ZoneClock {
        let key = ZoneClock.Key(zone: zone, hours: hours)
        if let known = zoneClocks[key] { return known }
        if zoneClocks.count == Self.zoneClocksMax { zoneClocks = [:] }
        let clock = ZoneClock(hours, zone.clocks(zoneRules))
        zoneClocks[key] = clock
        return clock
    }

    private static let zoneClocksMax = 4096

    /// A zone in which it is always quiet, by the campaign's hours.
    package func isAlwaysQuiet(_ zone: RecipientZone, _ campaign: Campaign, now: Timestamp) -> Bool {
        guard let hours = campaign.settings.quietHours else { return false }
        if case .quiet(nil) = clock(of: zone, hours).quiet(at: now) { return true }
        return false
    }
}

/// What a zone's clocks say of some hours, remembered until it changes. Belongs to one thread.
final class ZoneClock {
    struct Key: Hashable {
        var zone: RecipientZone
        var from: Int64
        var to: Int64

        init(zone: RecipientZone, hours: QuietHours) {
            self.zone = zone
            from = hours.from
            to = hours.to
        }
    }

    enum Quiet: Equatable {
        case loud
        /// Nil: it does not end.
        case quiet(until: Timestamp?)
    }

    private let hours: QuietHours
    private let clocks: [TimeZoneRules]
    private var known: (from: Timestamp, until: Timestamp, quiet: Quiet)?

    init(_ hours: QuietHours, _ clocks: [TimeZoneRules]) {
        self.hours = hours
        self.clocks = clocks
    }

    func quiet(at now: Timestamp) -> Quiet {
        if let known, known.from <= now, now < known.until { return known.quiet }
        let quiet: Quiet
        // Hours are of whole minutes.
        var until = Timestamp(milliseconds: (now.milliseconds / 60_000 + 1) * 60_000)
        if hours.isQuiet(at: now, clocks) {
            let end = hours.end(after: now, clocks)
            quiet = .quiet(until: end)
            until = end ?? now + .seconds(86_400)
        } else {
            quiet = .loud
        }
        known = (now, until, quiet)
        return quiet
    }
}
