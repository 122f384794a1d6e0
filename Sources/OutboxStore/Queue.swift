package import OutboxCore
import OutboxSystem

/// The queue on disk, as its one writer sees it: transactions with a meaning. Belongs to one thread.
///
/// Every operation runs inside `together`, which shares one commit, and one fsync, among all that are given to it.
/// When `together` returns `.done`, what it answered is on stable storage.
package final class Queue {
    let database: Database
    /// The file was one of an earlier outboxd.
    package let upgrade: Upgrade?
    let statements: Statements
    package let codec: IDCodec
    /// For ids in other threads.
    package let idKey: [UInt8]
    let limits: LimitStatements
    let pruning: PruneStatements
    let keys: IdempotencyStatements
    /// How long idempotency keys are kept.
    let keysKept: Duration
    let mail: InboundStatements
    let removal: RemovalStatements
    let cohorts: CohortStatements
    let callbacks: CallbackStatements
    let files: MediaStatements
    let campaigns: CampaignStatements
    let wamids: WamidStatements
    /// How many of Meta's ids are sorted together.
    package var wamidRunSize = WamidRuns.sizeStandard
    /// Pages the log may hold before it is written into the file: that takes four syncs, in which nothing else happens.
    package var logPagesMax: Int32 = 3000
    let optOutHash: OptOutHash
    /// The machine's tz database, by names.
    package var zoneRules: (String) -> TimeZoneRules? = { _ in nil }
    /// What was found out of zones.
    var zoneClocks: [ZoneClock.Key: ZoneClock] = [:]
    /// For other threads.
    package let clock: LimitClock
    /// Now, by the clock Meta's limits are kept by; see `set(tick:)`.
    package private(set) var limitsNow: Timestamp
    /// The longest an attempt can be on its way.
    package let attemptMax: Duration
    /// Statuses that wait for their message at most; beyond, those that waited longest go.
    package var earlyStatusesMax: Int64 = 200_000
    private var lastCommit: Duration?
    /// Nil while nobody keeps it right.
    private(set) var wallNow: Timestamp?

    var memory = Memory()
    /// Too large to be copied for each transaction: it knows itself how to go back.
    var pairs = LivePairs()
    /// Likewise.
    var records = RecordsUnderWay()

    /// Opens or makes the file. `reading` is what the machine's clocks say now, `attemptMax` how long one POST may
    /// take, `keysKept` how long an idempotency key stands for what it was first used for.
    package init(
        path: String, reading: LimitClock.Reading, attemptMax: Duration = .seconds(31),
        keysKept: Duration = .seconds(86_400)
    ) throws {
        database = try Database.openQueue(path: path)
        upgrade = try database.upgrade(path: path)
        statements = try Statements(database)
        limits = try LimitStatements(database)
        pruning = try PruneStatements(database)
        keys = try IdempotencyStatements(database)
        self.keysKept = keysKept
        mail = try InboundStatements(database)
        removal = try RemovalStatements(database)
        callbacks = try CallbackStatements(database)
        cohorts = try CohortStatements(database)
        files = try MediaStatements(database)
        campaigns = try CampaignStatements(database)
        wamids = try WamidStatements(database)
        self.attemptMax = attemptMax
        let mark = try database.clockMark()
        clock = LimitClock(after: mark, reading)
        limitsNow = clock.moment(tick: reading.tick)
        wallNow = reading.isSynchronised ? reading.wall : nil
        idKey = try database.idKey()
        optOutHash = OptOutHash(idKey: idKey)
        codec = IDCodec(key: idKey)
        try remember()
        // The first transaction of this boot writes down how its clock goes on.
        memory.clockUsed = mark == nil || mark?.boot != reading.boot
    }

    private func remember() throws {
        let lastMessage = try database.integer("SELECT max(id) FROM message")
        let lastBatch = try database.integer("SELECT max(id) FROM batch")
        let lastWebhook = try database.integer("SELECT max(id) FROM webhook")
        let lastOfPeople = try [
            "inbound", "correspondent", "conversation", "media", "onboarding_link", "shared_inbox_link",
        ].map {
            try database.integer("SELECT max(id) FROM \($0)")
        }
        memory.lastID = MessageID(rawValue: ([lastMessage, lastBatch, lastWebhook] + lastOfPeople).max() ?? 0)
        memory.lot = Lot(
            after: try database.prepare("SELECT max(lot) FROM message").first { $0.optionalInteger(0) } ?? nil)
        memory.lastEvent = try database.integer("SELECT max(seq) FROM event")
        memory.wamids = try loadWamidRuns()
        memory.earlyStatuses = try database.integer("SELECT count(*) FROM early_status")
        memory.webhooksUnread = try database.integer("SELECT count(*) FROM webhook WHERE problem IS NULL")
        memory.lines = try loadLines()
        memory.counters = try Counters(database)
        memory.webhookCounts = try WebhookCounts(database)
        memory.pools = try loadPools()
        for pool in memory.pools.keys { try countSlots(pool) }
        memory.pauses = try loadPauses()
        memory.retention = try database.retention()
        memory.logPrunedTo = try database.logPrunedTo()
        memory.oldestKey = try loadOldestKey()
        try loadHealth()
        try loadTokens()
        try loadCampaigns()
        try loadOptOuts()
        try loadMarketingCaps()
        try rememberPairs()
        try rememberAlarms()
        try rememberUnknown()
        try loadRemovedSubscriptions()
        memory.knowsAliases = try database.integer("SELECT EXISTS (SELECT 1 FROM alias)") != 0
        for line in memory.lines.keys {
            for priority in Priority.allCases where memory.counters.ready(line, priority) > 0 {
                let first = try limits.firstTurn.first(.integer(line), .integer(priority.rawValue)) { $0.integer(0) }
                memory.turns[LineClass(line: line, priority: priority)] = FairTurns(current: first ?? 0)
            }
        }
        // What these gates knew before may have changed while nobody looked.
        sweepAll(.pause)
        sweepAll(.template)
        sweepAll(.media)
        try rememberUploads()
    }

    /// The moment of this turn: nanoseconds of the boot clock, and the wall clock's time.
    package func set(tick: UInt64, wall: Timestamp, isSynchronised: Bool) {
        limitsNow = max(limitsNow, clock.moment(tick: tick))
        wallNow = isSynchronised ? wall : nil
    }

    /// A moment of the limits' clock as the boot clock will show it, in nanoseconds.
    package func tick(of moment: Timestamp) -> UInt64 {
        UInt64(max(0, moment.milliseconds - clock.offset)) * 1_000_000
    }

    // MARK: Transactions

    /// Why the disk can no longer be trusted, though the last transaction holds: begin no other one.
    package private(set) var lost: StoreError?

    package enum Ending: Equatable, Sendable {
        /// Committed; for each operation whether it is part of it.
        case done(kept: [StoreError?])
        /// Nothing of it is stored.
        case nothing(StoreError)
    }

    /// Runs `count` operations in one transaction.
    ///
    /// One that throws is undone alone: the transaction is run again with a savepoint around each. An operation may
    /// therefore run twice, and must have no effect but on this queue and on its own place in the answers.
    ///
    /// `more` is asked when all are done how many came meanwhile, to go into the same transaction; 0 ends it. Is one to
    /// be run again, nothing is to join it any more.
    /// `tidiesUp` false: the caller does that once it has told what is stored.
    package func together(
        _ count: Int, tidiesUp: Bool = true, more: (_ runsAgain: Bool) -> Int = { _ in 0 },
        _ operation: (Int) throws -> Void
    ) -> Ending {
        let ending = transact(count, more, operation)
        if tidiesUp, case .done = ending { tidyUp() }
        return ending
    }

    private func transact(_ count: Int, _ more: (Bool) -> Int, _ operation: (Int) throws -> Void) -> Ending {
        // Nobody asked for it: it shall not pile up.
        memory.told = []
        memory.campaignTold = []
        let before = memory
        var (done, count) = (0, count)
        do {
            try statements.begin.run()
            repeat {
                while done < count {
                    try operation(done)
                    done += 1
                }
                count += more(false)
            } while done < count
            try commit()
            committed()
            return .done(kept: Array(repeating: nil, count: count))
        } catch {
            let error = undo(to: before, after: error)
            if error.isFull { makeRoom() }
            guard error.isConstraint else { return .nothing(error) }
            count += more(true)
            if count == 1 { return .nothing(error) }
        }
        return oneByOne(count, operation, before)
    }

    private func oneByOne(_ count: Int, _ operation: (Int) throws -> Void, _ before: Memory) -> Ending {
        var kept: [StoreError?] = []
        database.gathers = false
        defer { database.gathers = true }
        do {
            try statements.begin.run()
            for index in 0..<count { kept.append(try alone { try operation(index) }) }
            try commit()
            committed()
            return .done(kept: kept)
        } catch {
            let error = undo(to: before, after: error)
            if error.isFull { makeRoom() }
            return .nothing(error)
        }
    }

    /// Nil when it holds; its error when it was undone and the transaction goes on; throws when that is lost too.
    private func alone(_ operation: () throws -> Void) throws -> StoreError? {
        let (before, mark, recordMark) = (memory, pairs.mark, records.mark)
        try database.execute("SAVEPOINT one")
        do {
            try operation()
            try database.execute("RELEASE one")
            return nil
        } catch let error as StoreError {
            // The disk or memory failed, and not this operation alone; SQLite may have given up the transaction.
            guard error.isConstraint, !database.isAutocommit else { throw error }
            try database.execute("ROLLBACK TO one; RELEASE one")
            memory = before
            pairs.goBack(to: mark)
            records.goBack(to: recordMark)
            return error
        }
    }

    private func committed() {
        pairs.committed()
        records.committed()
    }

    private func commit() throws {
        try memory.counters.save(statements)
        try memory.cohorts.save(cohorts)
        try memory.webhookCounts.save(mail)
        try saveCampaignCounts()
        if memory.clockUsed {
            let mark = clock.mark(at: limitsNow, wall: wallNow)
            try limits.saveClock.run(
                .text(mark.boot), .integer(mark.offset), .integer(mark.seen.milliseconds),
                .optional(mark.seenWall?.milliseconds), .integer(mark.sureFrom.milliseconds))
            memory.clockUsed = false
        }
        try database.putIn()
        let began = steadyNanoseconds()
        let commits = database.commits
        try statements.commit.run()
        if database.commits != commits { lastCommit = .nanoseconds(steadyNanoseconds() - began) }
    }

    /// How long the last commit that wrote something took; nil: there was none since the last call.
    package func takeCommitDuration() -> Duration? {
        defer { lastCommit = nil }
        return lastCommit
    }

    /// Answers what to tell of it.
    private func undo(to before: Memory, after error: any Error) -> StoreError {
        memory = before
        pairs.goBack(to: 0)
        records.goBack(to: 0)
        defer { database.forgetUndone() }
        guard let error = error as? StoreError else { preconditionFailure("an operation threw \(error)") }
        guard !database.isAutocommit else { return error }
        do {
            try statements.rollback.run()
            return error
        } catch let second {
            return .neitherCommittedNorRolledBack("\(error), then \(second)")
        }
    }

    /// Puts in order what transactions leave behind, every so many of them. What is committed stays so whatever this
    /// meets: the log holds it, and it was synced.
    package func tidyUp() {
        if memory.wamids.fresh >= wamidRunSize { afterCommit { try sortWamids() } }
        shortenLog(from: logPagesMax)
    }

    /// The log shall be no longer than so many bytes, as far as that leaves it 1,000 pages; beyond 3,000 it gains nothing.
    package func limitLog(to bytes: UInt64) { logPagesMax = Int32(max(1000, min(bytes / 4096, 3000))) }

    /// The log cannot grow: what it holds goes into the file, so that the next transaction may write over it.
    private func makeRoom() { shortenLog(from: 1) }

    private func shortenLog(from pages: Int32) {
        // Until it succeeds the log goes on growing.
        afterCommit { try database.checkpoint(from: pages) }
    }

    /// What fails for want of room is tried again after the next commit.
    private func afterCommit(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            let error = undo(to: memory, after: error)
            if !error.isFull, !error.isPassing { lost = error }
        }
    }

    // MARK: Times

    /// The next moment at which something falls due without anybody doing anything; nil: never.
    /// At times it is the moment of a message that has gone on.
    package func nextWake() -> Timestamp? {
        var first = memory.alarms.next ?? .distantFuture
        for pause in memory.pauses { first = min(first, pause.until ?? first) }
        for hold in memory.templateHolds.values.joined() { first = min(first, hold.until) }
        first = min(first, nextForgetting ?? first)
        return first == .distantFuture ? nil : first
    }

    /// The next moment of the limits' clock at which a gate opens for somebody who waits at it.
    package func nextGate() throws -> Timestamp? {
        // Whose time has come is looked at by the next claim.
        let contact =
            memory.nextContact > limitsNow ? memory.nextContact : try nextContact(after: limitsNow.milliseconds)
        var moments = [contact == .distantFuture ? nil : contact]
        for line in memory.lines.values where memory.counters.parked(line.id, .tier) > 0 {
            moments.append(memory.nextSlotFree[line.pool])
            moments.append(memory.pools[line.pool]?.elsewhereUntil)
        }
        return moments.compactMap { $0 }.filter { $0 > limitsNow }.min()
    }

    /// Where the log ends.
    package var lastEvent: Int64 { memory.lastEvent }

    /// Messages that have not left and are not given up, of all lines.
    package var waiting: Int64 { memory.counters.total { $0.isWaiting } }

    /// Writes down that somebody was here until now, and empties the log into the file; for the end.
    package func close() throws {
        // What cannot be written down is not missed: then the last thing that happened counts.
        _ = together(1) { _ in memory.clockUsed = true }
        try database.checkpoint()
    }
}
