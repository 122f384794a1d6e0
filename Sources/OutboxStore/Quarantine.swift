package import OutboxCore
import OutboxJSON

/// What was done to a queue that was put back from a backup.
package struct Quarantined: Sendable {
    /// Messages that may have left since and now wait for an operator's word.
    package var held: Int64
    /// Messages whose time had not come: they certainly have not left.
    package var scheduled: Int64
    /// What holds everything back, by the account's name.
    package var pauses: [(account: String, pause: Pause)]
    /// Bearer keys that count as they did in the backup, also those that were ended since.
    package var keys: Int
    /// Pools with a limit, that count as full.
    package var pools: [String]
    /// Until when they do, by the limits' clock.
    package var poolsUntil: Timestamp
}

/// A queue put back from a backup: nobody knows what its own later life was.
extension Queue {
    private static let quarantinedAtOnce: Int64 = 500
    /// Attempts were numbered after the backup, too, and Meta's statuses name them: they still speak for the message,
    /// and none of their numbers is given out again.
    private static let attemptsPassedOver: Int64 = 1000
    /// Events after the backup had numbers that somebody may remember: none is given to another one. As many a second,
    /// and at most, as outboxd can have written.
    private static let eventsPerSecond: Int64 = 1000
    private static let eventsPassedOver: ClosedRange<Int64> = 1_000_000...100_000_000
    /// As after an absence: Meta repeats webhooks for seven days at most.
    private static let catchUpReach = Duration.seconds(7 * 86_400)

    /// Makes sure that nothing leaves by itself: what may have left since the backup is held as an unknown outcome,
    /// everything is paused, and the pools count as full for 24 hours.
    ///
    /// `takenAt` is nil when the file does not tell. To be called on a file nobody else has, before it gets its place.
    package func quarantine(takenAt: Timestamp?, now: Timestamp) throws -> Quarantined {
        let words = takenAt.map { "restored from a backup of \($0.rfc3339)" } ?? "restored from a copy of unknown age"
        try inOne { try passOverNumbers(takenAt, words, now) }
        var held: Int64 = 0
        var place: Int64 = 0
        while true {
            // Its time to come was asked for: before it, nobody has sent it.
            let ids = try database.prepare(
                """
                SELECT id FROM message WHERE state IN (0, 1, 2, 3) AND (state <> 0 OR due_at <= :now) AND id > :place
                ORDER BY id LIMIT :limit
                """
            ).all(.integer(now.milliseconds), .integer(place), .integer(Self.quarantinedAtOnce)) {
                MessageID(rawValue: $0.integer(0))
            }
            guard let last = ids.last else { break }
            try inOne { for id in ids { try hold(id, words, takenAt, now) } }
            held += Int64(ids.count)
            place = last.rawValue
        }
        var pauses: [(account: String, pause: Pause)] = []
        var pools: [String] = []
        let access = try accessDirectory()
        let until = limitsNow + TierSlot.span + attemptMax
        try inOne {
            try holdCampaigns(words, now)
            pools = try fillPools(until: until)
            for account in access.accounts {
                let pause = try self.pause(
                    Pause(
                        account: account.id, scope: .everything, line: nil, target: nil,
                        reason: "\(words); see outboxctl unknown ls, then resume", who: "outboxd restore",
                        createdAt: now, until: nil))
                pauses.append((account.name, pause))
            }
        }
        return Quarantined(
            held: held, scheduled: memory.counters.total { $0 == .scheduled }, pauses: pauses,
            keys: access.keys.count, pools: pools, poolsUntil: until)
    }

    /// After `close`, on its file: windows known before are no longer sure, and Meta is asked at the next start what
    /// became of messages that had been sent.
    package static func makeUnsure(_ path: String, takenAt: Timestamp?, now: Timestamp) throws {
        let database = try Database.openQueue(path: path)
        let reader = try QueueReader(path: path)
        try database.execute("UPDATE limit_clock SET sure_from = seen")
        let lines = try database.prepare("SELECT id FROM line WHERE deleted_at IS NULL").all { $0.integer(0) }
        for line in lines {
            let state = try reader.beginCatchUp(line, since: (takenAt ?? now) - catchUpReach, now: now)
            guard state.total > 0 else { continue }
            try database.prepare(
                """
                INSERT OR REPLACE INTO catch_up
                    (line, since, started_at, total, asked, changed, place, last, problem, finished_at)
                VALUES (:line, :since, :started_at, :total, 0, 0, :place, :last, NULL, NULL)
                """
            ).run(
                .integer(line), .integer(state.since.milliseconds), .integer(now.milliseconds), .integer(state.total),
                .integer(state.place.rawValue), .integer(state.last.rawValue))
        }
        try database.checkpoint()
    }

    private func inOne(_ body: () throws -> Void) throws {
        if case .nothing(let error) = together(1, { _ in try body() }) { throw error }
    }

    private func passOverNumbers(_ takenAt: Timestamp?, _ words: String, _ now: Timestamp) throws {
        let range = Self.eventsPassedOver
        let seconds = takenAt.map { max(0, now.milliseconds - $0.milliseconds) / 1000 } ?? range.upperBound
        memory.lastEvent += min(max(seconds * Self.eventsPerSecond, range.lowerBound), range.upperBound)
        memory.logPrunedTo = memory.lastEvent
        try pruning.savePrunedTo.run(.integer(memory.logPrunedTo))
        var json = JSONWriter()
        json.object { $0.field("message", words) }
        // The end of the log is known by its last event.
        _ = try appendEvent(
            account: 1, line: nil, message: nil, previous: nil, at: now, kind: .noted, state: nil, attempt: 0,
            detail: json.bytes)
    }

    private func hold(_ id: MessageID, _ words: String, _ takenAt: Timestamp?, _ now: Timestamp) throws {
        try database.prepare("UPDATE message SET on_unknown = :hold WHERE id = :id").run(
            .integer(UnknownPolicy.hold.rawValue), .integer(id.rawValue))
        records.forget(id)
        guard var record = try load(id) else { return }
        record.enter(.processing)
        record.standing.outcomeUnknown = true
        record.standing.attempt += Self.attemptsPassedOver
        record.claimedAt = record.claimedAt ?? takenAt ?? now
        let failure = Failure(code: "OUTCOME_UNKNOWN", message: "\(words): it may have left since then")
        record.failure = failure
        try save(&record, .outcomeUnknown, at: now, detail: failure.detail)
    }

    /// Recipients that wait may have been written to since: somebody has to say that the rest is to be sent.
    private func holdCampaigns(_ words: String, _ now: Timestamp) throws {
        for id in memory.openCampaigns.sorted() {
            guard let campaign = memory.campaigns[id]?.campaign,
                campaign.state == .running || campaign.state == .scheduled
            else { continue }
            _ = try pauseCampaign(
                campaign.id, reason: "\(words): recipients that wait here may have been written to since",
                account: campaign.account, by: "outboxd restore", now: now)
        }
    }

    /// Nobody knows whom the pools wrote to after the backup: as many as they may, at worst.
    private func fillPools(until: Timestamp) throws -> [String] {
        var names: [String] = []
        for var pool in memory.pools.values.sorted(by: { $0.name < $1.name }) {
            guard let people = pool.tier.people else { continue }
            pool.elsewhere = people
            pool.elsewhereUntil = until
            try save(pool)
            names.append(pool.name)
        }
        return names
    }
}
