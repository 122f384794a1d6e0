import OutboxCore
import OutboxStore
import Testing

/// What becomes of attempts nobody answered.
@Suite struct UnknownPolicyTests {
    /// One message on its way whose answer got lost.
    private func lost(_ bench: Bench, to: String = "14155552671", _ body: (inout Draft) -> Void = { _ in }) throws -> (
        MessageID, Attempt
    ) {
        var draft = try bench.draft(to)
        body(&draft)
        guard case .done(let submitted) = try bench.submitted(draft) else { throw Unexpected() }
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.record(.unknown(down), attempt) == .unknown)
        return (submitted.id, attempt)
    }

    /// A message that went out and of which Meta's webhook told.
    private func heard(_ bench: Bench, _ number: Int) throws {
        try bench.submit("1415666\(1000 + number)")
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.heard.\(number)"), attempt)
        try bench.report(.sent, attempt, wamid: "wamid.heard.\(number)")
    }

    @Test(arguments: [
        (Template.Category.authentication, UnknownPolicy.resend), (.marketing, .hold), (.utility, .evidence),
    ])
    func theKindDecidesWhereNobodyElseDoes(_ category: Template.Category, _ expected: UnknownPolicy) throws {
        let name = TemplateName(name: "code", language: "en_US")
        let kind = MessageKind(
            template: name, TemplateStanding(status: .approved, category: category), .normal)
        #expect(UnknownPolicy.byKind.settled(for: kind) == expected)
        for policy in UnknownPolicy.allCases where policy != .byKind { #expect(policy.settled(for: kind) == policy) }
    }

    @Test func freeFormAndUnknownTemplatesAreJudgedByTheirClass() {
        let name = TemplateName(name: "x", language: "en")
        #expect(MessageKind(template: nil, nil, .low) == .other)
        #expect(MessageKind(template: name, nil, .low) == .marketing)
        #expect(MessageKind(template: name, nil, .high) == .other)
    }

    @Test func evidenceSendsAgainWhatMetaTellsOthersOf() throws {
        let bench = try Bench(policy: .evidence)
        let (id, _) = try lost(bench)
        try bench.tick(.seconds(1))
        for number in 0..<Evidence.enough - 1 { try heard(bench, number) }
        try bench.tick(.seconds(600))
        #expect(try bench.message(id).outcomeUnknown, "one is missing")
        // What left before it says nothing about it; the same one twice neither.
        try heard(bench, 100)
        try bench.tick(.seconds(59))
        #expect(try bench.message(id).outcomeUnknown, "the last one is younger than the grace time")
        try bench.tick(.seconds(61))
        try bench.tick(.zero)
        #expect(try bench.claim().map(\.number) == [2])
        #expect(try bench.events(id).suffix(3) == [.retrying, .due, .claimed])
    }

    @Test func evidenceCountsEachMessageOnceAndOnlyLaterOnes() throws {
        let bench = try Bench(policy: .evidence)
        var before: [Attempt] = []
        for number in 0..<30 { try bench.submit("1415777\(1000 + number)") }
        while let attempt = try bench.claim().first { before.append(attempt) }
        try bench.tick(.seconds(1))
        let (id, _) = try lost(bench)
        for attempt in before { try bench.report(.sent, attempt, wamid: "wamid.\(attempt.opaque)") }
        try bench.tick(.seconds(1))
        for number in 0..<5 {
            try heard(bench, number)
            let wamid = "wamid.heard.\(number)"
            for report in [Report.sent, .delivered, .read, .read] {
                try bench.report(report, before[0], wamid: wamid, opaque: false)
            }
        }
        try bench.tick(.seconds(3600))
        #expect(try bench.message(id).outcomeUnknown)
    }

    @Test func unreadWebhooksMayHoldTheAnswer() throws {
        let bench = try Bench(policy: .evidence)
        let (id, attempt) = try lost(bench)
        try bench.tick(.seconds(1))
        for number in 0..<Evidence.enough { try heard(bench, number) }
        let webhook = try bench.run { try $0.storeWebhook(app: "default", body: [1], now: bench.now) }
        try bench.tick(.seconds(600))
        #expect(try bench.message(id).outcomeUnknown)
        #expect(try bench.report(.sent, attempt) == .moved(id, .sent))
        try bench.run { try $0.removeWebhook(webhook) }
        try bench.tick(.seconds(600))
        #expect(try bench.claim().isEmpty)
    }

    @Test func evidenceIsGatheredAnewAfterARestart() throws {
        let bench = try Bench(policy: .evidence)
        let (id, _) = try lost(bench)
        try bench.tick(.seconds(1))
        for number in 0..<Evidence.enough { try heard(bench, number) }
        try bench.reopen()
        try bench.tick(.seconds(600))
        #expect(try bench.message(id).outcomeUnknown, "what was heard before is forgotten: too little, not too much")
        for number in 0..<Evidence.enough { try heard(bench, 100 + number) }
        try bench.tick(.seconds(121))
        try bench.tick(.zero)
        #expect(try bench.claim().map(\.number) == [2])
    }

    @Test func theMessagesOwnPolicyGoesBeforeTheLines() throws {
        let bench = try Bench(policy: .hold)
        let (id, _) = try lost(bench) { $0.onUnknown = .fail }
        let (other, _) = try lost(bench, to: "14155552672")
        try bench.tick(.seconds(60))
        #expect(try bench.message(id).failure?.code == "OUTCOME_UNKNOWN")
        #expect(try bench.message(id).state == .failed)
        #expect(try bench.message(other).outcomeUnknown)
        #expect(try bench.message(id).onUnknown == .fail)
        // The line's change is none of its business.
        let (third, _) = try lost(bench, to: "14155552673") { $0.onUnknown = .hold }
        try bench.change { $0.unknownPolicy = .resend }
        try bench.tick(.seconds(60))
        try bench.tick(.zero)
        #expect(try bench.message(third).outcomeUnknown)
        #expect(try bench.claim(5).map(\.message) == [other])
    }

    // MARK: An operator's word

    @Test(arguments: [(Resolution.sent, MessageState.sent), (.failed, .failed), (.resend, .retrying)])
    func anOperatorSettlesIt(_ resolution: Resolution, _ state: MessageState) throws {
        let bench = try Bench(policy: .hold)
        let (id, _) = try lost(bench)
        func resolve() throws -> RequestResult {
            try bench.run {
                try $0.resolve(
                    id, as: resolution, wamid: resolution == .sent ? "wamid.9" : nil, by: "root", account: 1,
                    now: bench.now)
            }
        }
        #expect(try resolve() == .done(state))
        #expect(try resolve() == .refused(.notUnknown, state))
        try bench.tick(.zero)
        #expect(try bench.claim().map(\.number) == (resolution == .resend ? [2] : []))
        if resolution == .sent {
            #expect(try bench.message(id).wamid == "wamid.9")
            let status = StatusReport(
                phoneNumberID: "106", wamid: "wamid.9", opaque: nil, report: .read, at: bench.now, failure: nil)
            #expect(try bench.run { try $0.apply(status, now: bench.now) } == .moved(id, .read))
        }
        #expect(try bench.queue.disagreements() == [])
    }
}

extension UnknownPolicyTests {
    @Test func whatAnOperatorMistypedIsNoSecondCopy() throws {
        let bench = try Bench(policy: .hold)
        let (id, attempt) = try lost(bench)
        try bench.run {
            _ = try $0.resolve(id, as: .sent, wamid: "wamid.typo", by: "root", account: 1, now: bench.now)
        }
        #expect(try bench.report(.sent, attempt, wamid: "wamid.real") == .noted(id))
        #expect(try bench.message(id).wamid == "wamid.real")
        #expect(try bench.report(.read, attempt, wamid: "wamid.real", opaque: false) == .moved(id, .read))
        #expect(try QueueReader(path: bench.path).copies(of: id).isEmpty)
    }
}

/// `failed` statuses that carry nothing we know.
@Suite struct FailedWithoutOpaqueTests {
    private func lost(_ bench: Bench, to: String) throws -> (MessageID, Attempt) {
        let id = try bench.submit(to, anyOrder: true)
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.record(.unknown(down), attempt) == .unknown)
        return (id, attempt)
    }

    @Test func theOnlyOpenAttemptIsMeant() throws {
        let bench = try Bench()
        let (id, attempt) = try lost(bench, to: "14155552671")
        _ = try lost(bench, to: "14155552672")
        let applied = try bench.report(.failed, attempt, wamid: "wamid.x", opaque: false, person: "14155552671")
        #expect(applied == .moved(id, .failed))
        #expect(try bench.message(id).wamid == "wamid.x")
        // From now on Meta's id serves.
        #expect(try bench.report(.failed, attempt, wamid: "wamid.x", opaque: false) == .noted(id))
    }

    @Test func ofTwoNobodyKnowsWhich() throws {
        let bench = try Bench()
        let (_, attempt) = try lost(bench, to: "14155552671")
        _ = try lost(bench, to: "14155552671")
        #expect(try bench.report(.failed, attempt, wamid: "wamid.x", opaque: false, person: "14155552671") == .parked)
        #expect(try bench.count(.processing) == 2)
    }

    @Test func oneStillOnItsWayMayBeMeantToo() throws {
        let bench = try Bench()
        let (id, attempt) = try lost(bench, to: "14155552671")
        let second = try bench.submit("14155552671", anyOrder: true)
        let other = try #require(try bench.claim().first)
        #expect(try bench.report(.failed, attempt, wamid: "wamid.x", opaque: false, person: "14155552671") == .parked)
        // Its answer comes: the status was of that one.
        #expect(try bench.record(.accepted(wamid: "wamid.x"), other) == .moved(.sent))
        #expect(try bench.message(second).state == .failed)
        #expect(try bench.message(id).outcomeUnknown)
    }

    @Test func itMayComeBeforeTheAttemptIsKnownToBeUnknown() throws {
        let bench = try Bench()
        let id = try bench.submit("14155552671")
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.failed, attempt, wamid: "wamid.x", opaque: false, person: "14155552671") == .parked)
        try bench.reopen()
        #expect(try bench.run { try $0.recoverClaimed(now: bench.now) } == 1)
        #expect(try bench.message(id).state == .failed)
        #expect(try bench.message(id).failure?.code == "131026")
    }

    @Test(arguments: [-3, 3601])
    func atAnotherTimeSomethingElseIsMeant(_ seconds: Int) throws {
        let bench = try Bench()
        let (_, attempt) = try lost(bench, to: "14155552671")
        let applied = try bench.report(
            .failed, attempt, wamid: "wamid.x", opaque: false, at: bench.now + .seconds(seconds),
            person: "14155552671")
        #expect(applied == .parked)
    }

    @Test func otherStatusesNeverGuess() throws {
        let bench = try Bench()
        let (_, attempt) = try lost(bench, to: "14155552671")
        for report in [Report.sent, .delivered, .read] {
            #expect(
                try bench.report(report, attempt, wamid: "wamid.x", opaque: false, person: "14155552671") == .parked)
        }
    }
}

/// Copies that went out besides the one that counts.
@Suite struct CopyTests {
    /// A message whose first attempt was lost and whose second got there.
    private func sentAgain() throws -> (Bench, MessageID, first: Attempt, second: Attempt) {
        let bench = try Bench(policy: .resend)
        let id = try bench.submit()
        let first = try #require(try bench.claim().first)
        try bench.record(.unknown(down), first)
        try bench.tick(.seconds(60))
        try bench.tick(.zero)
        let second = try #require(try bench.claim().first)
        return (bench, id, first, second)
    }

    private func copies(_ bench: Bench, _ id: MessageID) throws -> [StoredCopy] {
        try QueueReader(path: bench.path).copies(of: id)
    }

    @Test func aWebhookOfTheFirstAfterTheSecondIsShown() throws {
        let (bench, id, first, second) = try sentAgain()
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .moved(.sent))
        // It waited for a message with its id.
        #expect(try bench.report(.delivered, first, wamid: "wamid.1", opaque: false) == .parked)
        #expect(try bench.report(.sent, first, wamid: "wamid.1") == .noted(id))
        #expect(try copies(bench, id) == [StoredCopy(wamid: "wamid.1", attempt: 1)])
        #expect(try bench.message(id).state == .delivered, "the person has it")
        #expect(try bench.message(id).wamid == "wamid.2")
        #expect(try bench.report(.read, first, wamid: "wamid.1", opaque: false) == .moved(id, .read))
        #expect(try bench.events(id).filter { $0 == .duplicate }.count == 1)
        #expect(try QueueReader(path: bench.path).troubles().duplicates == 1)
    }

    @Test func anAnswerOfTheSecondAfterAWebhookOfTheFirstIsShown() throws {
        let (bench, id, first, second) = try sentAgain()
        #expect(try bench.report(.sent, first, wamid: "wamid.1") == .moved(id, .sent))
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .duplicate)
        #expect(try copies(bench, id) == [StoredCopy(wamid: "wamid.2", attempt: 2)])
        #expect(try bench.report(.delivered, second, wamid: "wamid.2", opaque: false) == .moved(id, .delivered))
        try bench.reopen()
        #expect(try bench.report(.read, second, wamid: "wamid.2", opaque: false) == .moved(id, .read))
    }

    @Test func whatMetaFailedIsNoCopy() throws {
        let (bench, id, first, second) = try sentAgain()
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .moved(.sent))
        #expect(try bench.report(.failed, first, wamid: "wamid.1") == .noted(id))
        #expect(try copies(bench, id).isEmpty)
        // The one that counts fails, the first got there after all: one copy arrived.
        #expect(try bench.report(.failed, second, wamid: "wamid.2") == .moved(id, .failed))
        #expect(try bench.report(.delivered, first, wamid: "wamid.1") == .moved(id, .delivered))
        #expect(try copies(bench, id).isEmpty)
        #expect(try bench.message(id).wamid == "wamid.1")
    }
}
