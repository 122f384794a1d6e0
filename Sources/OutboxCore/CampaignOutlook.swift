/// When a campaign that is to begin would end, and what holds it back, if nothing goes wrong and nobody else submits.
///
/// Time goes by in steps: in each one as many leave as the line's rate, the tier and the hours let. Everybody is taken
/// for somebody new to the tier: it is the latest it can be.
package struct CampaignOutlook: Equatable, Sendable {
    package enum Limit: String, Sendable {
        case throughput, tier, canary, pause, line, template
        case quietHours = "quiet_hours"
        case expiry = "expires_at"
    }

    /// Nil: somebody has to act first, or it takes longer than is looked ahead.
    package var endsBy: Timestamp?
    package var limit: Limit
    package var wouldExpire: Int64 = 0

    package init(endsBy: Timestamp?, limit: Limit, wouldExpire: Int64 = 0) {
        self.endsBy = endsBy
        self.limit = limit
        self.wouldExpire = wouldExpire
    }

    /// Recipients whose clocks are the same.
    package struct Zone: Sendable {
        package var recipients: Int64
        package var clocks: [TimeZoneRules]

        package init(recipients: Int64, clocks: [TimeZoneRules]) {
            self.recipients = recipients
            self.clocks = clocks
        }
    }

    package static let step = Duration.seconds(900)
    package static let stepsMax = 90 * 96
    /// A place in the tier is free again a day after the attempt's end.
    private static let slotSteps = 97

    package struct Facts: Sendable {
        package var zones: [Zone]
        package var quietHours: QuietHours?
        package var startAt: Timestamp
        package var perSecond: Int64
        /// Messages of the line that leave before.
        package var ahead: Int64 = 0
        /// People the tier has room for at the start; nil: any number.
        package var room: Int64?
        /// How many places become free in each step after it.
        package var freed: [Int: Int64] = [:]
        package var canary: Canary?
        package var expiresAt: Timestamp?

        package init(zones: [Zone], quietHours: QuietHours?, startAt: Timestamp, perSecond: Int64) {
            self.zones = zones
            self.quietHours = quietHours
            self.startAt = startAt
            self.perSecond = perSecond
        }

        /// They were of a moment so long before the start: by then messages have left, and places are free again.
        package mutating func pass(_ time: Duration) {
            guard time > .zero else { return }
            let steps = Int(time.wholeMilliseconds / CampaignOutlook.step.wholeMilliseconds)
            let left = perSecond.multipliedReportingOverflow(by: time.components.seconds)
            ahead = left.overflow ? 0 : max(0, ahead - left.partialValue)
            room = room.map { $0 + freed.reduce(0) { $0 + ($1.key <= steps ? $1.value : 0) } }
            freed = freed.reduce(into: [:]) { later, places in
                if places.key > steps { later[places.key - steps] = places.value }
            }
        }
    }

    private struct Waiting {
        var recipients: Int64
        let clocks: [TimeZoneRules]
        var isQuiet = false
        /// What `isQuiet` says holds until then; nil: for ever.
        var until: Timestamp?
    }

    /// The simulation.
    package static func of(_ facts: Facts) -> CampaignOutlook {
        var now = facts.startAt
        var zones = facts.zones.filter { $0.recipients > 0 }
            .map { Waiting(recipients: $0.recipients, clocks: $0.clocks, until: now) }
        var left = zones.reduce(0) { $0 + $1.recipients }
        var ahead = facts.ahead
        var room = facts.room
        var freed = facts.freed
        var canary = facts.canary.map { min($0.first, left) } ?? 0
        var goesOnAt: Timestamp?
        var lost: [Limit: Int] = [:]
        let capacity = max(1, facts.perSecond) * step.components.seconds

        guard left > 0 else { return CampaignOutlook(endsBy: now, limit: .throughput) }
        for index in 0..<stepsMax {
            if let expiresAt = facts.expiresAt, now >= expiresAt {
                return CampaignOutlook(endsBy: expiresAt, limit: .expiry, wouldExpire: left)
            }
            if let more = freed[index], let known = room { room = known + more }
            lookAtClocks(&zones, facts.quietHours, now)
            let loud = zones.reduce(0) { $0 + ($1.isQuiet ? 0 : $1.recipients) }
            let before = min(ahead, capacity)
            ahead -= before
            var may = capacity - before
            if let at = goesOnAt, at > now { may = 0 }
            if canary > 0 { may = min(may, canary) }
            let places = max(0, room ?? .max)
            let sent = min(may, loud, places)
            take(sent, from: &zones)
            left -= sent
            if let known = room {
                room = known - sent
                freed[index + slotSteps, default: 0] += sent
            }
            if canary > 0 {
                canary -= sent
                if canary == 0, let wait = facts.canary?.wait { goesOnAt = now + wait }
            }
            if left == 0 {
                let seconds = (before + sent + max(1, facts.perSecond) - 1) / max(1, facts.perSecond)
                let most = lost.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key
                return CampaignOutlook(endsBy: now + .seconds(seconds), limit: most ?? .throughput)
            }
            let cause: Limit =
                if let at = goesOnAt, at > now { .canary } else if loud <= may, loud <= places {
                    .quietHours
                } else if places
                    < min(may, loud)
                { .tier } else { .throughput }
            lost[cause, default: 0] += 1
            now = now + step
        }
        let most = lost.max { $0.value < $1.value }?.key
        return CampaignOutlook(endsBy: nil, limit: most ?? .throughput)
    }

    private static func lookAtClocks(_ zones: inout [Waiting], _ quietHours: QuietHours?, _ now: Timestamp) {
        guard let quietHours, let loudHours = QuietHours(from: quietHours.to, to: quietHours.from) else { return }
        for index in zones.indices where zones[index].recipients > 0 {
            guard let until = zones[index].until, until <= now else { continue }
            let clocks = zones[index].clocks
            let isQuiet = quietHours.isQuiet(at: now, clocks)
            zones[index].isQuiet = isQuiet
            zones[index].until =
                isQuiet
                ? quietHours.end(after: now, clocks)
                : clocks.compactMap { loudHours.end(after: now, [$0]) }.min()
        }
    }

    /// Of all zones that are not quiet, in proportion.
    private static func take(_ count: Int64, from zones: inout [Waiting]) {
        var left = count
        var loud = zones.reduce(0) { $0 + ($1.isQuiet ? 0 : $1.recipients) }
        for index in zones.indices where !zones[index].isQuiet && left > 0 && loud > 0 {
            let own = zones[index].recipients
            let share = Int64((Double(own) * Double(left) / Double(loud)).rounded(.up))
            let taken = min(own, share, left)
            loud -= own
            zones[index].recipients -= taken
            left -= taken
        }
    }
}
