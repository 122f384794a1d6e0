import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// One turn of the writer: everything that waits, of every kind, in one transaction, and what may leave now claimed
/// in the same one. Owns the queue; knows neither threads nor clocks.
final class WriterStep<Chance: RandomNumberGenerator> {
    struct Outputs {
        var replies: [(Exchange, WriterReply)] = []
        var attempts: [Attempt] = []
        var log: [LogLine] = []
        /// Take the next turn at once.
        var goOn = false
        /// Take the next turn then at the latest.
        var wake: Timestamp?
        /// Or at this moment of the steady clock.
        var wakeTick: UInt64?
        /// Lines Meta is to be asked about.
        var refresh: [Refresher.Subject] = []
        var pong: WriterPong?
        /// Where the log ends now, when it grew.
        var logEnd: Int64?
        /// Subscriptions whoever calls their endpoints has to read again.
        var changedSubscriptions: [Int64] = []
        /// How many reports of each subscription are stored, or will never be.
        var recordedReports: [Int64: Int] = [:]
        /// Files to be taken to Meta.
        var uploads: [UploadTask] = []
        /// Files no row names any more, by SHA-256.
        var removedFiles: [[UInt8]] = []
        /// To be called when the other outputs are on their way.
        var barriers: [@Sendable () -> Void] = []
        /// The disk can no longer be trusted: end, and start afresh.
        var fatal: StoreError?
    }

    enum Operation {
        case input(WriterInput)
        case apply(StoredNews)
        case clock
        case breakers
        case feed
        case claim
        case prune
        case erase
    }

    let queue: Queue
    let slotsMax: Int
    var chance: Chance
    let words: WriterWords
    /// On whose behalf the operation under way is done.
    var asker = Asker.ourselves
    var account: Int64 { asker.account }
    /// Attempts out there whose outcome has not come back.
    var underWay = 0
    /// Attempts that may wait for a connection: as many as have come back since the last turn, where those are many,
    /// so that connections do not stand idle while the next turn is written.
    var ahead = 0
    var claims = true
    var gates: LineGates
    var refreshes = Refreshes()
    let checks = TemplateChecks()
    let parser = JSONParser()
    /// Webhooks that are on disk and not applied.
    var toApply: [StoredNews] = []
    /// When what has ended long ago is looked through again, on the steady clock; nil: once the first turn is over.
    var pruneAt: UInt64?
    /// What happened to messages and nobody was told of yet.
    var told: [Told] = []
    /// Removed in this pass.
    var pruned: Int64 = 0
    /// What nobody will say again and a full disk did not let us record: outcomes, reports of calls, statuses asked for.
    var unrecorded: [WriterInput] = []
    /// Webhooks that were refused and could not be marked so: to be tried again, not at once.
    var unmarked: [StoredNews] = []
    private var metrics: WriterMetrics
    var measuring: [Exchange] = []
    /// Erasures that were asked for; the first is under way.
    var erasures: [ErasureJob] = []
    var uploads = UploadsUnderWay()

    var diskRoom = DiskRoom()
    var limits: IntakeLimits
    /// When a campaign may go on.
    private var feedWake: Timestamp?
    /// The last turn was lost, perhaps for want of room: nothing new is added by the next.
    var feedRests = false
    /// Bytes free for the database, and the size of its disk; nil: nobody tells.
    let room: () -> (free: UInt64, size: UInt64)?

    static var retryAfterFailure: Duration { .seconds(1) }

    /// `shown` masks phone numbers; `room` is asked before messages are taken.
    init(
        queue: Queue, slotsMax: Int, chance: Chance, shown: @escaping (String) -> String,
        writes: @escaping (LogLevel) -> Bool = { _ in true }, limits: IntakeLimits = IntakeLimits(),
        room: @escaping () -> (free: UInt64, size: UInt64)? = { nil }
    ) throws {
        self.queue = queue
        self.slotsMax = slotsMax
        self.chance = chance
        self.room = room
        self.limits = limits
        diskRoom.set = limits.freeDiskMin
        gates = LineGates(try queue.breakers())
        metrics = WriterMetrics(queue)
        let zones = ZoneFiles()
        queue.zoneRules = { zones.rules($0) }
        words = WriterWords(
            idText: { queue.codec.text($0) }, mediaText: { queue.codec.text($0, .media) },
            inboundText: { queue.codec.text($0, .inbound) }, shown: shown, writes: writes)
        if let size = room()?.size { limitLog(diskSize: size) }
    }

    func close() throws { try queue.close() }

    /// `tick` is `now` on the steady clock, in nanoseconds; `isSynchronised`: somebody keeps the wall clock right.
    /// `more` brings what came meanwhile and goes into the same transaction. `handOver` gets what others wait for as
    /// soon as it is stored; replies that the rest of the turn brings stand behind those in what is answered.
    func turn(
        _ inputs: [WriterInput], now: Timestamp, tick: UInt64, isSynchronised: Bool = true,
        more: () -> [WriterInput] = { [] }, handOver: (Outputs) -> Void = { _ in }
    ) -> Outputs {
        var outputs = Outputs()
        queue.set(tick: tick, wall: now, isSynchronised: isSynchronised)
        var operations = planTheRest()
        plan(inputs, now, tick, &operations, &outputs)
        let logEnd = queue.lastEvent
        var results = [Effect?](repeating: nil, count: operations.count)
        var ends = false
        let ending = queue.together(operations.count, tidiesUp: false) { runsAgain in
            let before = operations.count
            while !ends, operations.count == before {
                let inputs = runsAgain ? [] : more()
                plan(inputs, now, tick, &operations, &outputs)
                guard inputs.isEmpty else { continue }
                operations += planTheEnd(tick)
                ends = true
            }
            results += Array(repeating: nil, count: operations.count - before)
            return operations.count - before
        } _: { index in
            results[index] = try perform(operations[index], now, tick)
        }
        told += queue.takeTold()
        outputs.log += queue.takeCampaignTold().map { words.campaign($0, queue.codec.text($0.campaign.id, .batch)) }
        switch ending {
        case .nothing(let error): failed(operations, error, now, &outputs)
        case .done(let kept): finish(operations, results, kept, now, tick, &outputs)
        }
        handOver(outputs)
        if case .done = ending { queue.tidyUp() }
        measure(tick, &outputs)
        if queue.lastEvent != logEnd { outputs.logEnd = queue.lastEvent }
        if case .done(let kept) = ending {
            outputs.log += words.told(told) { queue.line($0)?.name }
            told = []
            let uploads = zip(results, kept).compactMap { $1 == nil ? $0?.upload : nil }
            lookAhead(uploads, now, tick, &outputs)
        }
        outputs.fatal = outputs.fatal ?? queue.lost
        return outputs
    }

    /// When there is something to do again.
    private func lookAhead(_ uploads: [MediaUpload], _ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs) {
        pruneAt = pruneAt ?? tick + Self.firstPruning
        let erasesAt = endErasure(tick, &outputs)
        do {
            try setWakes(now, tick, &outputs)
            try uploadOn(uploads, now, tick, mayBegin: claims, &outputs)
        } catch let error as StoreError {
            outputs.fatal = error
        } catch {
            preconditionFailure("the store threw \(error)")
        }
        outputs.wakeTick = [outputs.wakeTick, erasesAt].compactMap { $0 }.min()
    }

    private func measure(_ tick: UInt64, _ outputs: inout Outputs) {
        metrics.take(queue, tick: tick)
        guard !measuring.isEmpty else { return }
        let held = queue.lineIDs.filter { gates.state($0) != nil }
        let measures = WriterMeasures(
            queue: queue.snapshot(), metrics: metrics.until(tick), underWay: underWay, heldLines: Set(held),
            metaIsHeld: gates.state(LineGates.meta) != nil)
        outputs.replies += measuring.map { ($0, .measured(measures)) }
        measuring = []
    }

    // MARK: In the transaction

    private func perform(_ operation: Operation, _ now: Timestamp, _ tick: UInt64) throws -> Effect {
        switch operation {
        case .input(let input): return try perform(input, now)
        case .apply(let news): return try apply(news, now)
        case .clock: return try clockMoved(now)
        case .breakers:
            for key in gates.unsaved { try queue.saveBreaker(key, gates.state(key)) }
            return Effect(saved: gates.unsaved)
        case .claim:
            guard claims else { return Effect() }
            gates.beginClaim(now: now)
            let claimed = try queue.claim(slots: slotsMax + ahead - underWay, now: now) { line, ready in
                gates.allowed(ready, of: subject(line), now: now, tick: tick)
            }
            return Effect(attempts: claimed.attempts, goOn: claimed.goOn)
        case .feed: return try feedOn(now)
        case .prune: return Effect(pruned: try queue.prune(now, needed: queue.oldestNeededEvent()))
        case .erase: return try eraseOn(now)
        }
    }

    private func clockMoved(_ now: Timestamp) throws -> Effect {
        let ended = try queue.expirePauses(now)
        return Effect(log: ended.map { words.resumed($0, by: nil) }, goOn: try queue.clockMoved(now))
    }

    // MARK: After it

    private func finish(
        _ operations: [Operation], _ effects: [Effect?], _ kept: [StoreError?], _ now: Timestamp, _ tick: UInt64,
        _ outputs: inout Outputs
    ) {
        // What was stored is told before anything changes again.
        for (index, effect) in effects.enumerated() where kept[index] == nil {
            if let saved = effect?.saved, !saved.isEmpty { gates.saved(saved) }
        }
        feedWake = nil
        if feedRests {
            feedRests = false
            outputs.goOn = true
        }
        for (index, effect) in effects.enumerated() {
            if let error = kept[index] {
                refused(operations[index], error, &outputs)
                continue
            }
            guard let effect else { continue }
            if case .line(let line, _) = effect.reply?.1 {
                gates.changed(subject(line.id))
                checks.forget(line.id)
                refreshes.forget(line.id)
            }
            if case .input(let input) = operations[index] { metrics.count(input.wish) }
            if case .input(.webhook(_, let webhook)) = operations[index] {
                for message in webhook.inbound {
                    for line in queue.lines(ofNumber: message.phoneNumberID) {
                        gates.received(1, by: subject(line), tick: tick)
                    }
                }
            }
            for line in effect.templatesOf { checks.forget(line) }
            for line in effect.refreshes { refreshes.forget(line) }
            if let token = effect.token { heard(token.now, before: token.before, of: token.line, now, &outputs) }
            if let id = effect.changedSubscription { outputs.changedSubscriptions.append(id) }
            if let id = effect.reportOf { outputs.recordedReports[id, default: 0] += 1 }
            if let reply = effect.reply { outputs.replies.append(reply) }
            for var attempt in effect.attempts {
                let slot = gates.claimed(subject(attempt.line), tick: tick)
                (attempt.notBefore, attempt.spacing, attempt.burst) = (slot.moment, slot.interval, slot.burst)
                outputs.attempts.append(attempt)
            }
            outputs.log += effect.log
            outputs.goOn = outputs.goOn || effect.goOn
            if let webhook = effect.toApply { toApply.append(webhook) }
            if effect.prunesNow { pruneAt = tick }
            if let step = effect.pruned { plan(after: step, tick, &outputs) }
            if let job = effect.erasure { erasures[0] = job }
            if var waiter = effect.waiter {
                waiter.until = tick + Self.idPatience
                uploads.waiting.append(waiter)
            }
            if let moment = effect.feedWake { feedWake = moment }
        }
        underWay += outputs.attempts.count
        outputs.goOn = outputs.goOn || !toApply.isEmpty || !gates.unsaved.isEmpty
    }

    /// Before this turn's claim, which would let out the next wave.
    func learn(_ outcome: AttemptOutcome, _ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs) {
        let changes = gates.attemptEnded(
            outcome.outcome, line: outcome.attempt.line, now: now, tick: tick, chance: &chance)
        outputs.log += changes.map { words.line(outcome, $0) }
        if case .refused(let failure, .lineLater) = outcome.outcome, TokenHealth.refusals.contains(failure.code) {
            // Whether it is the token will be known in a moment.
            refreshes.forget(outcome.attempt.line)
        }
        guard case .refused(let failure, .lineLater(let askedFor)) = outcome.outcome,
            Int64(failure.code).flatMap(MetaError.of)?.errorClass == .businessLater
        else { return }
        // Meta speaks of the business account: its other lines need not find out one by one.
        let account = queue.line(outcome.attempt.line)?.settings.wabaID
        for line in queue.lines(ofAccount: account) where line != outcome.attempt.line {
            let held = gates.block(line, failure, askedFor: askedFor, now: now, chance: &chance)
            outputs.log += held.map { words.line(queue.line(line)?.name ?? "", failure, $0) }
        }
    }

    func subject(_ line: Int64) -> LineGates.Subject {
        guard let found = queue.line(line) else {
            return LineGates.Subject(line: line, perSecond: LineSettings.messagesPerSecondDefault)
        }
        return LineGates.Subject(
            line: line, perSecond: found.perSecond(queue.health(line)), burst: found.settings.burst)
    }

    private func setWakes(_ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs) throws {
        guard outputs.wake == nil else {
            outputs.wake = now + Self.retryAfterFailure
            return
        }
        let ready = queue.readyLines.map { subject($0) }
        outputs.refresh = refreshes.due(of: queue.lineIDs, now: now) { queue.waitsForNews($0) }
            .compactMap { queue.line($0) }.map { Refresher.Subject($0) }
        outputs.wake = [queue.nextWake(), gates.nextProbe(of: ready, now: now), refreshes.next, feedWake]
            .compactMap { $0 }.min()
        guard claims else { return }
        outputs.wakeTick = pruneAt
        guard underWay < slotsMax else { return }
        outputs.wakeTick = [
            pruneAt, gates.nextSlot(of: ready, now: now, tick: tick), try queue.nextGate().map(queue.tick(of:)),
        ]
        .compactMap { $0 }.min()
    }
}
