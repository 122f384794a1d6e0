import CFaultVFS
import OutboxCore
import OutboxStore

/// A mixed load on a queue, drawn from a seed, and what was acknowledged of it and when.
final class Load {
    let path: String
    private var queue: Queue?
    var dice: Dice
    private(set) var now = Timestamp(milliseconds: 1_800_000_000_000)
    private(set) var acknowledged = Acknowledged()
    /// With the number of the file operations that had happened by then.
    private(set) var history: [(at: Int64, fact: Acknowledged.Fact)] = []
    /// Those of transactions that failed.
    private(set) var failures: [StoreError] = []
    private(set) var problems: [String] = []
    private(set) var done = 0
    /// A sync failed where it was not told of, for the queue was closed: nothing follows it.
    private(set) var isOver = false
    /// Told when a transaction has ended.
    var settled: () throws -> Void = {}

    private var underWay: [Attempt] = []
    private var accepted: [Attempt] = []
    private var unread: [(id: Int64, status: StatusReport?, message: InboundMessage?)] = []
    private var number = 0
    private var written = 0
    /// Subscriptions as they were answered.
    var known: [Int64: Known] = [:]
    /// Messages received that were applied.
    var inbound: [MessageID] = []

    struct Known {
        var revision: Int64
        var cursor: Int64
    }

    /// What an operation told, noted once its transaction holds.
    typealias Note = () -> Void
    typealias Deed = (Queue) throws -> Note

    init(path: String, seed: UInt64) {
        self.path = path
        dice = Dice(seed: seed)
    }

    func open() throws {
        queue = try Queue(path: path, reading: reading(now))
        // So that a load of this length writes its log into the file a few times.
        queue?.logPagesMax = 1000
        transact([setUp])
    }

    private var setUp: Deed {
        { queue in
            guard queue.line(named: "main", account: 1) == nil else { return {} }
            _ = try queue.put(lineSettings, account: 1, now: self.now)
            for kind in RetentionKind.allCases where kind.state != nil {
                try queue.set(RetentionRule(ageMax: .seconds(40)), for: kind)
            }
            try queue.set(RetentionRule(countMax: 200), for: .events)
            return {}
        }
    }

    /// As by a kill.
    func abandon() { queue = nil }

    func close() throws {
        try empty()
        queue = nil
    }

    /// Its last transaction, and the log into the file.
    private func empty() throws {
        let syncs = fault_sync_hits()
        defer { isOver = isOver || fault_sync_hits() > syncs }
        try queue?.close()
        try settled()
    }

    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &dice) }

    func note(_ fact: Acknowledged.Fact) {
        acknowledged.note(fact)
        history.append((fault_op_count(), fact))
    }

    private func see(_ id: MessageID, _ state: MessageState, _ attempt: Int64? = nil) {
        let attempt = attempt ?? acknowledged.messages[id]?.attempt ?? 0
        note(.message(id, Acknowledged.Standing(state: state, attempt: attempt)))
    }

    // MARK: Transactions

    /// One transaction of the load, of some deeds; answers whether it holds.
    @discardableResult
    func step() -> Bool {
        now = now + .milliseconds(Int64(random(200...4000)))
        if random(0...24) == 0 { checkpoint() }
        if random(0...39) == 0 || queue == nil { reopen() }
        var deeds: [Deed] = [setUp, clock]
        for _ in 0...random(0...5) { deeds.append(draw()) }
        deeds += [claim]
        if isOver { return false }
        guard random(0...7) == 0 else { return transact(deeds) }
        // One that the schema refuses, among others that hold.
        let place = random(1...deeds.count)
        deeds.insert(impossible, at: place)
        return transact(deeds, but: place)
    }

    private var impossible: Deed {
        { queue in
            var draft = try textDraft(number: 0)
            draft.type = ""
            _ = try queue.submit(draft, account: 1, batch: nil, now: self.now)
            return {}
        }
    }

    @discardableResult
    private func transact(_ deeds: [Deed], but impossible: Int? = nil) -> Bool {
        guard let queue else { return false }
        queue.set(tick: ticks(now), wall: now, isSynchronised: true)
        var notes = [Note?](repeating: nil, count: deeds.count)
        switch queue.together(deeds.count, { notes[$0] = try deeds[$0](queue) }) {
        case .nothing(let error):
            failures.append(error)
            fault_pause()
            do { problems += try queue.disagreements() } catch { problems.append("afterwards: \(error)") }
            fault_go_on()
            return false
        case .done(let kept):
            if let lost = queue.lost { failures.append(lost) }
            for (index, error) in kept.enumerated() {
                if (error != nil) != (index == impossible) {
                    problems.append(
                        "deed \(index), with \(String(describing: impossible)) impossible: \(String(describing: error))"
                    )
                }
                if error == nil { notes[index]?() }
            }
            done += 1
            do { try settled() } catch { problems.append("the file cannot be read: \(error)") }
            return true
        }
    }

    private func checkpoint() {
        do { try empty() } catch let error as StoreError { failures.append(error) } catch {
            problems.append("a checkpoint threw \(error)")
        }
    }

    /// As by a clean end and a new start.
    private func reopen() {
        do {
            try close()
            try open()
        } catch let error as StoreError { failures.append(error) } catch { problems.append("opening threw \(error)") }
    }

    // MARK: Deeds

    private func draw() -> Deed {
        switch random(0...24) {
        case 0...3: return submit(later: random(0...5) == 0)
        case 4: return bulk(random(5...25))
        case 5...6: return keyed()
        case 7...10: return record()
        case 11...12: return storeWebhook()
        case 13...14: return applyWebhook()
        case 15: return cancel()
        case 16: return retry()
        case 17: return moveCursor()
        case 18...22: return drawCall()
        default: return prune
        }
    }

    private var clock: Deed {
        { queue in
            _ = try queue.expirePauses(self.now)
            while try queue.clockMoved(self.now) {}
            return {}
        }
    }

    private func draft() throws -> Draft {
        number += 1
        return try textDraft(number: random(0...80), bytes: random(0...3) == 0 ? random(4000...30_000) : 40)
    }

    private func submit(later: Bool) -> Deed {
        let sendAt = later ? now + .seconds(random(2...30)) : nil
        let drawn = Result { try draft() }
        return { queue in
            var draft = try drawn.get()
            draft.sendAt = sendAt
            guard case .done(let done) = try queue.submit(draft, account: 1, batch: nil, now: self.now) else {
                throw Unexpected()
            }
            return { self.see(done.id, done.state) }
        }
    }

    private func bulk(_ count: Int) -> Deed {
        let drawn = (0..<count).map { _ in Result { try draft() } }
        return { queue in
            let batch = try queue.openBatch(account: 1, now: self.now)
            var all: [Submitted] = []
            for one in drawn {
                let result = try queue.submit(try one.get(), account: 1, batch: batch, now: self.now)
                if case .done(let done) = result { all.append(done) }
            }
            try queue.addToBatch(batch, queued: Int64(all.count), failed: 0)
            return { for done in all { self.see(done.id, done.state) } }
        }
    }

    /// A new key, or one that was used.
    private func keyed() -> Deed {
        let drawn = Result { try draft() }
        let used = acknowledged.keys.keys.sorted()
        if let text = used.randomElement(using: &dice), random(0...1) == 0, let entry = acknowledged.keys[text] {
            return { queue in
                let earlier = try queue.earlierCall(entry.key, account: 1, now: self.now)
                return { if earlier != .submitted(entry.submitted) { self.problems.append("key \(text) changed") } }
            }
        }
        let key = IdempotencyKey(
            caller: 1000, text: "key-\(number)-\(random(0...1_000_000))", form: .single,
            digest: [UInt8](repeating: 7, count: IdempotencyKey.digestBytes))
        return { queue in
            guard case .done(let done) = try queue.submit(try drawn.get(), account: 1, batch: nil, now: self.now)
            else { throw Unexpected() }
            try queue.keep(key, account: 1, for: done, now: self.now)
            return {
                self.see(done.id, done.state)
                self.note(.key(key, done))
            }
        }
    }

    private var claim: Deed {
        { queue in
            let claimed = try queue.claim(slots: 6 - min(6, self.underWay.count), now: self.now)
            return {
                for attempt in claimed.attempts {
                    self.underWay.append(attempt)
                    self.see(attempt.message, .processing, attempt.number)
                    self.note(.attempt(attempt.message, attempt.number))
                }
            }
        }
    }

    private func record() -> Deed {
        guard !underWay.isEmpty else { return submit(later: false) }
        // What is drawn is gone though the transaction may fail: so an answer is lost, too.
        let attempt = underWay.remove(at: random(0...underWay.count - 1))
        let outcome = Outcome.drawn(random(0...7), for: attempt)
        return { queue in
            var dice = self.dice
            let recorded = try queue.record(outcome, attempt, now: self.now, chance: &dice)
            return {
                self.dice = dice
                if case .accepted = outcome { self.accepted.append(attempt) }
                if case .moved(let state) = recorded { self.see(attempt.message, state) }
            }
        }
    }

    /// With a status in it, or such a large one that its removal frees many pages.
    private func storeWebhook() -> Deed {
        var status: StatusReport?
        if let attempt = accepted.randomElement(using: &dice) {
            let report = [Report.sent, .delivered, .read, .failed][random(0...3)]
            status = StatusReport(
                phoneNumberID: "106", wamid: "wamid.\(attempt.opaque)", opaque: attempt.opaque, report: report, at: now,
                failure: report == .failed ? Failure(code: "131026", message: "no") : nil)
        }
        var message: InboundMessage?
        if random(0...2) == 0 {
            written += 1
            // Now and then one that was told before.
            let number = random(0...5) == 0 ? random(1...written) : written
            message = inboundMessage("wamid.in.\(number)", person: number % 40, at: now)
        }
        let wamid = message?.wamid
        var body = Array("{\"id\":\"\(wamid ?? "")\"}".utf8)
        body += [UInt8](repeating: 0x20, count: random(0...9) == 0 ? 1_400_000 : 400)
        return { queue in
            let id = try queue.storeWebhook(app: "default", body: body, now: self.now)
            return {
                self.unread.append((id, status, message))
                if let wamid { self.note(.call(.received(wamid))) }
            }
        }
    }

    private func applyWebhook() -> Deed {
        guard !unread.isEmpty else { return prune }
        let (id, status, message) = unread.removeFirst()
        if status == nil, message == nil, random(0...3) == 0 {
            return { queue in
                try queue.keepWebhook(id, problem: "nobody can read it")
                return {}
            }
        }
        return { queue in
            var moved: (MessageID, MessageState)?
            if let status, case .moved(let id, let state) = try queue.apply(status, now: self.now) {
                moved = (id, state)
            }
            let kept = try message.flatMap { try self.apply($0, queue) }
            try queue.removeWebhook(id)
            return {
                if let moved { self.see(moved.0, moved.1) }
                if let kept { self.inbound.append(kept) }
            }
        }
    }

    private func anyMessage() -> MessageID? { acknowledged.messages.keys.sorted().randomElement(using: &dice) }

    private func cancel() -> Deed {
        guard let id = anyMessage() else { return prune }
        return { queue in
            let result = try queue.cancel(id, account: 1, now: self.now)
            return { if case .done(let state) = result { self.see(id, state) } }
        }
    }

    private func retry() -> Deed {
        guard let id = anyMessage() else { return prune }
        return { queue in
            let result = try queue.retry(id, account: 1, now: self.now)
            return { if case .done(let state) = result { self.see(id, state) } }
        }
    }

    private func moveCursor() -> Deed {
        { queue in
            let move = try queue.moveCursor(
                "reader", account: 1, to: queue.lastEvent, rewind: false, now: self.now)
            return { if case .done(let cursor, _) = move { self.note(.cursor(cursor.name, cursor.position)) } }
        }
    }

    private var prune: Deed {
        { queue in
            for _ in 0..<6 where !(try queue.prune(self.now, needed: queue.oldestNeededEvent())).isDone {}
            return {}
        }
    }
}
