import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// Who wants no marketing gets none, and nobody gets more than the cap, by a campaign or not.
@Suite struct MarketingStepTests {
    private let ann = "14155551000"

    private func marketing(_ to: String) throws -> Draft {
        Draft(
            line: "main", to: try #require(Recipient(to)), type: "template",
            content: Array(#"{"name":"t","language":{"code":"en"}}"#.utf8), priority: .low,
            template: TemplateName(name: "t", language: "en"))
    }

    private func submit(_ desk: CampaignDesk, _ to: String) throws -> SubmitResult<Submitted>? {
        for case .submitted(let result) in desk.turn(.submit(desk.desk.exchange, try marketing(to))).replies.map(\.1) {
            return result
        }
        return nil
    }

    private func preference(_ desk: CampaignDesk, _ person: String?, userID: String? = nil, stops: Bool) {
        let news = AccountNews.preference(
            phoneNumberID: "106", person: person, userID: userID, stopsMarketing: stops, at: nil)
        _ = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], news: [news])))
        _ = desk.turn()
    }

    @Test func whoIsOnTheListIsRefusedAndSkipped() throws {
        let desk = try CampaignDesk()
        guard case .optedOut(_, isNew: true) = try desk.reply(to: .optOut(ann, OptOutBody())),
            case .optedOut(_, isNew: false) = try desk.reply(to: .optOut(ann, OptOutBody()))
        else { throw CampaignDesk.Unexpected() }
        #expect(try submit(desk, ann) == .refused(.optedOut))
        #expect(SubmitRefusal.optedOut.error.status == 409)
        let id = try desk.launched(3)
        desk.run()
        #expect(desk.counts(id).skipped == [.optedOut: 1] && desk.left[ann] == nil)
        // A text is no marketing.
        desk.turn(.submit(desk.desk.exchange, try desk.desk.draft(ann)))
        #expect(desk.left[ann] == 1)
        guard case .optedIn(true) = try desk.reply(to: .optIn(ann)),
            case .optedIn(false) = try desk.reply(to: .optIn(ann))
        else { throw CampaignDesk.Unexpected() }
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        #expect(try desk.events(.contactUpdated) == 2)
    }

    @Test func whatWasTakenBeforeFailsAtItsTurn() throws {
        let desk = try CampaignDesk()
        _ = desk.turn(
            .pause(desk.desk.exchange, PauseBody(scope: .everything), who: "ann"))
        guard case .done(let submitted)? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        _ = try desk.reply(to: .optOut(ann, OptOutBody()))
        _ = desk.turn(.resume(desk.desk.exchange, id: 1, who: "ann"))
        desk.run()
        let reader = try QueueReader(path: desk.desk.folder.file("outboxd.db"))
        let message = try #require(try reader.message(submitted.id, account: 1))
        #expect(message.state == .failed && message.failure?.code == "OPTED_OUT" && desk.left.isEmpty)
    }

    @Test func metasWordCounts() throws {
        let desk = try CampaignDesk()
        preference(desk, ann, stops: true)
        #expect(try submit(desk, ann) == .refused(.optedOut))
        preference(desk, ann, stops: false)
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
    }

    @Test func oneWhoIsKnownByTwoNamesIsMeantByBoth() throws {
        let desk = try CampaignDesk()
        preference(desk, nil, userID: "US.1349", stops: true)
        let hello = InboundMessage(
            phoneNumberID: "106", from: ann, userID: "US.1349", at: desk.desk.now, wamid: "wamid.i", kind: "text")
        _ = desk.turn(
            .webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], inbound: [hello])))
        _ = desk.turn()
        #expect(try submit(desk, ann) == .refused(.optedOut))
        #expect(try submit(desk, "US.1349") == .refused(.optedOut))
    }

    @Test func metasCodeCounts() throws {
        let desk = try CampaignDesk()
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        desk.run { _ in .refused(Failure(code: "131050", message: "stopped"), .forGood) }
        #expect(try submit(desk, ann) == .refused(.optedOut))
        guard case .done? = try submit(desk, "14155551001") else { throw CampaignDesk.Unexpected() }
        desk.run()
        try desk.report(.failed, to: "14155551001", code: "131050")
        #expect(try submit(desk, "14155551001") == .refused(.optedOut))
    }

    @Test func aWordToTheLineCountsWhereItIsSaid() throws {
        let desk = try CampaignDesk()
        func write(_ text: String, _ wamid: String) {
            let message = InboundMessage(
                phoneNumberID: "106", from: ann, at: desk.desk.now, wamid: wamid, kind: "text",
                payload: .init(text: text))
            _ = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], inbound: [message])))
            _ = desk.turn()
        }
        write("STOP", "wamid.1")
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        desk.run()
        desk.desk.put("main", number: "106") { $0.optOutKeywords = OptOutKeywords(stop: ["stop"], start: ["start"]) }
        write("please stop sending", "wamid.2")
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        write("Stop!", "wamid.3")
        #expect(try submit(desk, ann) == .refused(.optedOut))
        try desk.restart()
        #expect(try submit(desk, ann) == .refused(.optedOut))
        write("START", "wamid.4")
        guard case .done? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
    }

    @Test func anErasureKeepsThatSomebodyWantsNone() throws {
        let desk = try CampaignDesk()
        let id = try desk.create()
        try desk.add([ann, "14155551001"], to: id)
        _ = try desk.reply(to: .optOut(ann, OptOutBody(reason: "by phone")))
        var erasure = Erasure(of: ann, account: 1)
        while !erasure.isDone, !erasure.waitsForLog {
            let ending = desk.queue.together(1) { _ in
                try desk.queue.erase(&erasure, now: desk.desk.now, needed: nil)
            }
            #expect(ending == .done(kept: [nil]))
        }
        #expect(erasure.report.kept.map(\.what).contains("optOut"))
        #expect(desk.counts(id).skipped == [.erased: 1] && desk.counts(id).pending == 1)
        #expect(try submit(desk, ann) == .refused(.optedOut))
        let reader = try QueueReader(path: desk.desk.folder.file("outboxd.db"))
        let list = try reader.optOuts(after: nil, limit: 10, account: 1)
        #expect(list.count == 1 && list[0].recipient == nil && list[0].reason == nil)
        #expect(try desk.queue.disagreements() == [])
    }

    // MARK: The cap

    private func cap(_ desk: CampaignDesk, _ messages: Int64, days: Int64, _ when: MarketingCap.WhenReached) throws {
        let cap = MarketingCap(line: nil, messages: messages, days: days, whenReached: when)
        guard case .cap = try desk.reply(to: .putCap(nil, cap)) else { throw CampaignDesk.Unexpected() }
    }

    @Test func nobodyGetsMoreThanTheCap() throws {
        let desk = try CampaignDesk()
        try cap(desk, 2, days: 7, .wait)
        for _ in 0..<4 { _ = try submit(desk, ann) }
        for _ in 0..<5 { desk.run() }
        #expect(desk.left[ann] == 2)
        try desk.restart()
        desk.pass(.seconds(7 * 86_400 - 60))
        desk.run()
        #expect(desk.left[ann] == 2)
        desk.pass(.seconds(300))
        for _ in 0..<5 { desk.run() }
        #expect(desk.left[ann] == 4)
    }

    @Test func whoWouldRatherKnowIsRefused() throws {
        let desk = try CampaignDesk()
        try cap(desk, 1, days: 1, .fail)
        _ = try submit(desk, ann)
        desk.run()
        guard case .refused(.capReached)? = try submit(desk, ann) else { throw CampaignDesk.Unexpected() }
        let id = try desk.launched(2)
        desk.run()
        #expect(desk.counts(id).skipped == [.frequencyCap: 1])
    }

    @Test func whatCertainlyWasNotSentDoesNotCount() throws {
        let desk = try CampaignDesk()
        try cap(desk, 1, days: 1, .wait)
        _ = try submit(desk, ann)
        desk.run { _ in .refused(Failure(code: "131026", message: "no"), .forGood) }
        _ = try submit(desk, ann)
        desk.run()
        #expect(desk.left[ann] == 2)
        // What nobody knows of does.
        let other = "14155551001"
        _ = try submit(desk, other)
        desk.run(turns: 3) { _ in .unknown(Failure(code: "TIMEOUT", message: "no answer")) }
        _ = try submit(desk, other)
        desk.run()
        #expect(desk.left[other] == 1)
    }

    @Test(arguments: 1...12) func inAnySpanTheCapHolds(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        let desk = try CampaignDesk()
        let (messages, days) = (Int64.random(in: 1...3, using: &dice), Int64.random(in: 1...3, using: &dice))
        try cap(desk, messages, days: days, .wait)
        var sends: [(Timestamp, String)] = []
        for _ in 0..<120 {
            if Bool.random(using: &dice) { _ = try submit(desk, CampaignDesk.number(.random(in: 0...2, using: &dice))) }
            if Int.random(in: 0..<15, using: &dice) == 0 { try desk.restart() }
            let before = desk.left
            var refused: [String: Int] = [:]
            var more = dice
            desk.run(turns: 4) { attempt in
                guard Int.random(in: 0..<6, using: &more) == 0 else { return nil }
                refused[attempt.to, default: 0] += 1
                return .refused(Failure(code: "131026", message: "no"), .forGood)
            }
            dice = more
            for (to, count) in desk.left {
                for _ in 0..<max(0, count - (before[to] ?? 0) - (refused[to] ?? 0)) {
                    sends.append((desk.desk.now, to))
                }
            }
            desk.pass(.seconds(.random(in: 600...14_400, using: &dice)))
        }
        for (at, to) in sends {
            let within = sends.count { $0.1 == to && $0.0 <= at && $0.0 > at - .seconds(days * 86_400) }
            #expect(within <= Int(messages), "seed \(seed): \(within) to \(to)")
        }
        #expect(!sends.isEmpty)
    }

    // MARK: What is kept

    @Test func aReportStaysWhenTheMessagesAreGone() throws {
        let desk = try CampaignDesk()
        let id = try desk.launched(30)
        desk.run()
        for index in 0..<30 { try desk.report(.delivered, to: CampaignDesk.number(index)) }
        desk.pass(.seconds(100 * 86_400))
        // The newest message stays, for ids are made behind it.
        desk.turn(.submit(desk.desk.exchange, try desk.desk.draft("14155559999")))
        func prune() {
            for _ in 0..<100 {
                _ = desk.queue.together(1) { _ in _ = try desk.queue.prune(desk.desk.now, needed: nil) }
            }
        }
        prune()
        let reader = try QueueReader(path: desk.desk.folder.file("outboxd.db"))
        #expect(try reader.recipients(of: id, .all, after: 0, limit: 100).isEmpty)
        let stored = try #require(try reader.campaign(id, account: 1))
        let report = CampaignReport(campaign: stored.campaign, counts: stored.counts, category: "marketing")
        #expect(report.counts.count(.delivered) == 30 && report.counts.delivered == ["US": 30])
        let rows = [RateCard.Row(country: "US", category: "marketing", price: "0.025", currency: "USD")]
        #expect(report.cost(try RateCard(rows))?.amount == 750_000)
        #expect(try desk.queue.disagreements() == [])
        desk.pass(.seconds(300 * 86_400))
        prune()
        #expect(try reader.campaign(id, account: 1) == nil)
    }

    @Test func contentIsFilledWithEachOnesVariables() throws {
        let parser = JSONParser()
        var settings = CampaignSettings(name: "c", template: TemplateName(name: "t", language: "en"))
        func filled(_ variables: String) -> String {
            switch CampaignContent.fill(settings, variables: Array(variables.utf8), parser: parser) {
            case .filled(let content): String(decoding: content.json, as: UTF8.self)
            case .lacks(let names): "lacks \(names.joined(separator: " "))"
            }
        }
        let begin = #"{"name":"t","language":{"code":"en"}"#
        #expect(filled("{}") == begin + "}")
        #expect(
            filled(#"{"2":"b","1":"a"}"#) == begin
                + #","components":[{"type":"body","parameters":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#
        )
        #expect(filled(#"{"name":"Ann"}"#).contains(#"{"type":"text","parameter_name":"name","text":"Ann"}"#))
        settings.components = Array(
            #"[{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"o/{{ order }}"}]}]"#
                .utf8)
        let both = filled(#"{"order":"7\"","1":"Ann"}"#)
        #expect(both.contains(#""text":"o/7\"""#) && both.contains(#"{"type":"text","text":"Ann"}"#))
        #expect(filled("{}") == "lacks order")
        settings.components = Array(#"[{"type":"body","parameters":[{"type":"text","text":"{{x}} {{"}]}]"#.utf8)
        #expect(
            filled(#"{"x":"y","z":"w"}"#).hasSuffix(#"[{"type":"body","parameters":[{"type":"text","text":"y {{"}]}]}"#)
        )
    }
}
