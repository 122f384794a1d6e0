import Foundation
import OutboxCore
import OutboxStore
import Testing

/// What has ended long ago goes; what waits, and what somebody has not been told of, stays.
@Suite struct PruningTests {
    /// Steps until the pass is over; answers how much went.
    @discardableResult
    private func prune(_ bench: Bench, needed: Int64? = nil) throws -> Int64 {
        var removed: Int64 = 0
        for _ in 0..<10_000 {
            let step = try bench.run { try $0.prune(bench.now, needed: needed) }
            removed += step.removed
            if step.isDone { return removed }
        }
        Issue.record("pruning did not come to an end")
        return removed
    }

    private func keep(_ bench: Bench, _ kind: RetentionKind, days: Int64? = nil, count: Int64? = nil) throws {
        try bench.run {
            try $0.set(RetentionRule(ageMax: days.map { .seconds($0 * 86_400) }, countMax: count), for: kind)
        }
    }

    /// A message in a state; `number` makes its recipient.
    private func message(_ bench: Bench, _ state: MessageState, _ number: Int) throws -> MessageID {
        let to = "1415\(1_000_000 + number)"
        if state == .scheduled { return try bench.submit(to, sendAt: bench.now + .seconds(86_400 * 1000)) }
        let id = try bench.submit(to)
        if state == .queued { return id }
        if state == .cancelled {
            try bench.run { _ = try $0.cancel(id, account: 1, now: bench.now) }
            return id
        }
        let attempt = try #require(try bench.claim().first)
        #expect(attempt.message == id)
        switch state {
        case .failed: try bench.record(.refused(down, .forGood), attempt)
        case .retrying: try bench.record(.refused(down, .forNow(askedFor: .seconds(86_400 * 900))), attempt)
        case .processing: try bench.record(.unknown(down), attempt)
        default:
            try bench.record(.accepted(wamid: "wamid.\(number)"), attempt)
            if state == .delivered { try bench.report(.delivered, attempt, wamid: "wamid.\(number)") }
            if state == .read { try bench.report(.read, attempt, wamid: "wamid.\(number)") }
        }
        return id
    }

    private func exists(_ bench: Bench, _ id: MessageID) throws -> Bool {
        try QueueReader(path: bench.path).message(id, account: 1) != nil
    }

    @Test func messagesReceivedGoWithTheirPeople() throws {
        let bench = try Bench()
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        func receive(_ from: String, userID: String? = nil, _ wamid: String) throws -> StoredInbound {
            let message = InboundMessage(
                phoneNumberID: "106", from: from, userID: userID, at: bench.now, wamid: wamid, kind: "text",
                payload: InboundMessage.Payload(body: Array("{}".utf8)))
            return try #require(try bench.run { try $0.keep(message, line: line, now: bench.now) })
        }
        // Three that are one person in the end, each merged into one that is merged then.
        let first = try receive("14155550101", "wamid.1")
        let second = try receive("14155550102", "wamid.2")
        let third = try receive("14155550103", "wamid.3")
        try bench.run { try $0.learn("14155550103", is: "14155550102", account: 1, now: bench.now) }
        try bench.run { try $0.learn("14155550102", is: "14155550101", account: 1, now: bench.now) }
        let reader = try QueueReader(path: bench.path)
        for one in [first, second, third] {
            #expect(try reader.contact(one.correspondent.id, account: 1)?.id == first.correspondent.id)
            #expect(try reader.conversation(one.conversation, account: 1)?.id == first.conversation)
        }
        bench.now = bench.now + .seconds(10 * 86_400)
        let last = try receive("14155550199", "wamid.4")
        try keep(bench, .received, days: 11)
        try keep(bench, .events, days: 1000)
        #expect(try prune(bench) == 0)
        bench.now = bench.now + .seconds(2 * 86_400)
        #expect(try prune(bench) == 3)
        for one in [first, second, third] {
            #expect(try reader.inbound(one.id, account: 1) == nil)
            #expect(try reader.contact(one.correspondent.id, account: 1) == nil)
            #expect(try reader.conversation(one.conversation, account: 1) == nil)
            #expect(try reader.addresses(of: one.correspondent.id).isEmpty)
        }
        // The newest stays, whatever its age; a person who comes again is somebody new.
        bench.now = bench.now + .seconds(100 * 86_400)
        #expect(try prune(bench) == 0 && reader.inbound(last.id, account: 1) != nil)
        let again = try receive("14155550103", "wamid.1")
        #expect(again.correspondent.id > last.correspondent.id)
        #expect(try prune(bench) == 1)

        try keep(bench, .received, days: nil, count: 5)
        for number in 0..<10 { _ = try receive("1415555020\(number)", "wamid.n\(number)") }
        #expect(try prune(bench) == 6)
        #expect(try reader.contacts(ContactFilter(), account: 1).items.count == 5)
        #expect(try bench.queue.disagreements() == [])
    }

    private func receive(_ bench: Bench, _ wamid: String) throws -> StoredInbound {
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        let message = InboundMessage(
            phoneNumberID: "106", from: "14155550101", at: bench.now, wamid: wamid, kind: "text",
            payload: InboundMessage.Payload(body: Array("{}".utf8)))
        return try bench.run { queue in
            let kept = try #require(try queue.keep(message, line: line, now: bench.now))
            try queue.tell(kept, line: line, detail: Array(#"{"text":"secret"}"#.utf8), now: bench.now)
            return kept
        }
    }

    @Test func whatWasReceivedGoesFromTheLogToo() throws {
        let bench = try Bench()
        let first = try receive(bench, "wamid.1")
        let told = bench.queue.lastEvent
        let second = try receive(bench, "wamid.2")
        _ = try receive(bench, "wamid.3")
        try bench.submit()
        try keep(bench, .received, count: 1)
        let reader = try QueueReader(path: bench.path)
        #expect(try prune(bench, needed: told + 1) == 1)
        #expect(try reader.inbound(first.id, account: 1) == nil)
        #expect(try reader.inbound(second.id, account: 1) != nil, "somebody has not been told of it")
        #expect(try prune(bench) == 1)
        let left = try LogReader(reader).events(after: 0, limit: 100, account: 1)
        #expect(left.filter { $0.kind == .received }.count == 1)
        #expect(try LogReader(reader).prunedTo() == told + 1)
        try bench.reopen()
        #expect(try prune(bench) == 0)
    }

    @Test func theNewestEntriesOfNoMessageStay() throws {
        let bench = try Bench()
        let line = try #require(bench.queue.line(named: "main", account: 1))
        for _ in 0..<6 {
            try bench.run {
                try $0.tell(.lineUpdated, line: line, account: 1, detail: Array("{}".utf8), now: bench.now)
            }
        }
        for number in 0..<30 { try bench.submit("1415\(1_000_000 + number)") }
        try keep(bench, .events, count: 4)
        #expect(try prune(bench) == 2)
        let left = try LogReader(QueueReader(path: bench.path)).events(after: 0, limit: 100, account: 1)
        #expect(left.filter { $0.kind == .lineUpdated }.count == 4 && left.count == 34)
    }

    @Test func aClockThatWasAheadOnceDoesNotEndPruning() throws {
        let bench = try Bench()
        try keep(bench, .cancelled, days: 1)
        let right = bench.now
        bench.now = right + .seconds(86_400 * 3650)
        try bench.submit("14155550001")
        bench.now = right
        for number in 0..<5 { _ = try message(bench, .cancelled, number) }
        try bench.submit("14155550002")
        bench.now = right + .seconds(86_400 * 2)
        #expect(try prune(bench) == 5)
    }

    @Test func aClockNobodyKeepsRemovesNothingEarly() throws {
        let bench = try Bench()
        try keep(bench, .cancelled, days: 1)
        for number in 0..<5 { _ = try message(bench, .cancelled, number) }
        try bench.submit("14155550002")
        let right = bench.now
        bench.queue.set(tick: Bench.tick(right), wall: right + .seconds(86_400 * 3650), isSynchronised: false)
        var removed: Int64 = 0
        guard
            case .done = bench.queue.together(
                1,
                { _ in
                    removed += try bench.queue.prune(right + .seconds(86_400 * 3650), needed: nil).removed
                })
        else { throw Unexpected() }
        #expect(removed == 0)
    }

    @Test func onlyWhatHasEndedGoes() throws {
        let bench = try Bench()
        try bench.setTier(.unlimited)
        for kind in RetentionKind.allCases { try keep(bench, kind, days: 10) }
        // Last the one that waits in the queue: no later claim takes it.
        let states: [MessageState] = [
            .scheduled, .cancelled, .failed, .retrying, .processing, .sent, .delivered, .read, .queued,
        ]
        var ids: [MessageState: MessageID] = [:]
        for (number, state) in states.enumerated() { ids[state] = try message(bench, state, number) }
        #expect(try prune(bench) == 0)
        bench.now = bench.now + .seconds(11 * 86_400)
        #expect(try prune(bench) == 4)
        for (state, id) in ids {
            let ended = state == .cancelled || state == .failed || state == .delivered || state == .read
            #expect(try exists(bench, id) == !ended, "\(state)")
        }
        #expect(try bench.queue.disagreements() == [])
        // Nothing of them is left in the log, and of the others everything.
        let left = try LogReader(QueueReader(path: bench.path)).events(after: 0, limit: 1000, account: 1)
        let kept = try ids.values.filter { try exists(bench, $0) }
        #expect(Set(left.compactMap { $0.message?.id }) == Set(kept))
        #expect(left.allSatisfy { $0.message != nil })
        try bench.reopen()
        #expect(try bench.queue.disagreements() == [])
        #expect(try bench.submit("14155559999").rawValue > ids.values.map(\.rawValue).max() ?? 0)
    }

    @Test func ageCountsFromTheEnd() throws {
        let bench = try Bench()
        try keep(bench, .read, days: 10)
        let id = try bench.submit("14155550001", sendAt: bench.now + .seconds(86_400 * 30))
        try bench.tick(.seconds(86_400 * 30))
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        try bench.report(.read, attempt)
        try bench.submit("14155550002")
        #expect(try prune(bench) == 0)
        bench.now = bench.now + .seconds(86_400 * 10)
        #expect(try prune(bench) == 1)
        #expect(try !exists(bench, id))
    }

    @Test func theNewestOfAStateStay() throws {
        let bench = try Bench()
        try bench.setTier(.unlimited)
        try keep(bench, .failed, count: 3)
        var ids: [MessageID] = []
        for number in 0..<10 {
            ids.append(try message(bench, .failed, number))
            _ = try message(bench, .read, 100 + number)
        }
        #expect(try prune(bench) == 7)
        #expect(try ids.map { try exists(bench, $0) } == Array(repeating: false, count: 7) + [true, true, true])
        #expect(try bench.count(.read) == 10)
        #expect(try prune(bench) == 0)
    }

    @Test func whatSomebodyHasNotBeenToldOfStays() throws {
        let bench = try Bench()
        try bench.setTier(.unlimited)
        try keep(bench, .read, count: 0)
        let first = try message(bench, .read, 1)
        let told = bench.queue.lastEvent
        let second = try message(bench, .read, 2)
        _ = try message(bench, .queued, 3)
        #expect(try prune(bench, needed: told + 1) == 1)
        #expect(try !exists(bench, first) && exists(bench, second))
        #expect(try prune(bench) == 1)
    }

    @Test func aSentMessageGoesWhenItsReceiptIsOverdue() throws {
        let bench = try Bench()
        try keep(bench, .sent, days: 1)
        let id = try message(bench, .sent, 1)
        _ = try message(bench, .queued, 2)
        try bench.tick(.seconds(86_400 * 29))
        #expect(try prune(bench) == 0)
        #expect(try bench.message(id).hasNoReceipt == false)
        try bench.tick(.seconds(86_400))
        #expect(try bench.message(id).hasNoReceipt && bench.message(id).state == .sent)
        #expect(try bench.events(id).last == .noReceipt)
        #expect(try QueueReader(path: bench.path).troubles().silent == 1)
        // The log's last entry stays until there is another.
        #expect(try prune(bench) == 0)
        try bench.submit("14155559999")
        #expect(try prune(bench) == 1)
    }

    @Test func aLateReceiptStillCounts() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        #expect(bench.queue.nextWake() == bench.now + .seconds(86_400 * 30))
        try bench.tick(.seconds(86_400 * 31))
        #expect(try bench.message(id).hasNoReceipt)
        #expect(try bench.report(.delivered, attempt) == .moved(id, .delivered))
        #expect(try !bench.message(id).hasNoReceipt)
        #expect(bench.queue.nextWake() == nil)
    }

    @Test func oneTimeCodesHaveTenMinutes() throws {
        let bench = try Bench()
        let name = TemplateName(name: "code", language: "en_US")
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        let template = Template(
            id: "1", name: name.name, language: name.language, category: .authentication, status: .approved,
            parameterFormat: .positional, needs: [], raw: Array("{}".utf8))
        try bench.run { try $0.learn([template], line: line, now: bench.now) }
        var draft = try bench.draft()
        draft.type = "template"
        draft.template = name
        guard case .done(let submitted) = try bench.submitted(draft) else { throw Unexpected() }
        try bench.record(.accepted(wamid: "wamid.1"), try #require(try bench.claim().first))
        try bench.tick(.seconds(599))
        #expect(try !bench.message(submitted.id).hasNoReceipt)
        try bench.tick(.seconds(1))
        #expect(try bench.message(submitted.id).hasNoReceipt)
    }

    @Test func aPrunedFileGrowsShorter() throws {
        let bench = try Bench()
        try keep(bench, .cancelled, count: 0)
        let draft = try bench.draft()
        try bench.run { queue in
            for _ in 0..<6000 {
                let result = try queue.submit(draft, account: 1, batch: nil, now: bench.now)
                if case .done(let submitted) = result {
                    _ = try queue.cancel(submitted.id, account: 1, now: bench.now)
                }
            }
        }
        try bench.submit("14155559999")
        try bench.queue.close()
        let before = try size(bench)
        #expect(try prune(bench) == 6000)
        try bench.queue.close()
        let after = try size(bench)
        #expect(after <= 300 * 4096 && after < before / 2, "\(before) bytes became \(after)")
    }

    private func size(_ bench: Bench) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: bench.path)[.size] as? Int)
    }

    @Test func batchesAndUnreadWebhooksGoToo() throws {
        let bench = try Bench()
        try keep(bench, .cancelled, count: 0)
        try keep(bench, .webhooks, days: 1)
        let batch = try bench.run { try $0.openBatch(account: 1, now: bench.now) }
        let draft = try bench.draft()
        let result = try bench.run { try $0.submit(draft, account: 1, batch: batch, now: bench.now) }
        guard case .done(let submitted) = result else { throw Unexpected() }
        try bench.run { _ = try $0.cancel(submitted.id, account: 1, now: bench.now) }
        try bench.submit("14155559999")
        let kept = try bench.run { try $0.storeWebhook(app: "default", body: [1], now: bench.now) }
        try bench.run { try $0.keepWebhook(kept, problem: "broken") }
        let waiting = try bench.run { try $0.storeWebhook(app: "default", body: [2], now: bench.now) }
        bench.now = bench.now + .seconds(86_401)
        #expect(try prune(bench) == 2)
        #expect(try QueueReader(path: bench.path).troubles().webhooks == 0)
        #expect(try bench.queue.unappliedWebhooks(after: 0, limit: 10).map(\.id) == [waiting])
    }
}
