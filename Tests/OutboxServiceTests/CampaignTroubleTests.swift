import OutboxAPI
import OutboxCore
import OutboxMeta
import TestKit
import Testing

@testable import OutboxService
@testable import OutboxStore

/// What is in a campaign's way for a while costs nobody their message, and is said.
@Suite struct CampaignTroubleTests {
    private let ann = "14155551000"

    private func list(_ desk: CampaignDesk, _ status: Template.Status) throws {
        let line = try #require(desk.queue.line(named: "main", account: 1))
        let raw =
            #"{"id":"1","name":"t","language":"en","status":"\#(status.name)","category":"MARKETING","components":[{"type":"BODY","text":"Hi {{1}}"}]}"#
        let template = Template(
            id: "1", name: "t", language: "en", category: .marketing, status: status, parameterFormat: .positional,
            needs: [], raw: Array(raw.utf8))
        let health = LineHealth(
            status: .online, canSend: .available, quality: .green, tier: .unlimited, messagesPerSecond: 80, reasons: [],
            readAt: desk.desk.now)
        desk.turn(.lineNews(LineNews(subject: Refresher.Subject(line), health: .read(health), templates: [template])))
    }

    @Test func aTemplateThatIsReviewedOnceMoreStopsItAndSkipsNobody() throws {
        let desk = try CampaignDesk(perSecond: 10)
        try list(desk, .approved)
        let id = try desk.launched(300)
        desk.turn()
        try list(desk, .pending)
        desk.run()
        let campaign = try desk.campaign(id)
        #expect(campaign.state == .paused && campaign.reason?.contains("PENDING") == true, "\(campaign)")
        #expect(desk.counts(id).skipped.isEmpty)
        // Nor does it begin.
        let other = try? desk.launched(3)
        #expect(other == nil)
        try list(desk, .approved)
        _ = try desk.order(.resume, id)
        for _ in 0..<5 { desk.run() }
        #expect(desk.left.count == 300 && desk.left.values.allSatisfy { $0 == 1 })
    }

    @Test func outcomesNobodyKnowsKeepNobodyElseFromTheirs() throws {
        let desk = try CampaignDesk(perSecond: 10)
        desk.desk.put("main", number: "106") {
            $0.unknownPolicy = .hold
            $0.messagesPerSecond = 10
        }
        let id = try desk.launched(400)
        // Every other one: a line that answers nothing is held.
        for _ in 0..<8 {
            desk.run { attempt in
                Int(attempt.to)?.isMultiple(of: 2) == true
                    ? nil : .unknown(Failure(code: "TIMEOUT", message: "no answer"))
            }
        }
        #expect(desk.left.count == 400, "\(desk.left.count)")
        #expect(try desk.campaign(id).state == .running)
    }

    @Test func theCanarysTimeBeginsWhenAllOfItHasLeft() throws {
        let desk = try CampaignDesk()
        let canary = Canary(first: 10, wait: .seconds(600), abortAboveFailureShare: 0.2)
        let id = try desk.create(canary: canary)
        try desk.add((0..<30).map(CampaignDesk.number), to: id)
        _ = try desk.reply(to: .order(id, CampaignOrder(deed: .launch, startAt: nil)))
        _ = desk.turn(.pause(desk.desk.exchange, PauseBody(scope: .everything), who: "ann"))
        desk.pass(.seconds(3600))
        desk.run(turns: 30)
        #expect(try desk.campaign(id).canaryUntil == nil && !(try desk.campaign(id).canaryIsOver))
        #expect(desk.left.count <= 8)
    }

    @Test func anOldWishIsNoLongerOne() throws {
        let desk = try CampaignDesk()
        func prefer(stops: Bool, at moment: Timestamp) {
            let news = AccountNews.preference(
                phoneNumberID: "106", person: ann, userID: nil, stopsMarketing: stops, at: moment)
            _ = desk.turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [], news: [news])))
            _ = desk.turn()
        }
        let now = desk.desk.now
        prefer(stops: true, at: now - .seconds(60))
        prefer(stops: false, at: now - .seconds(120))
        #expect(try desk.queue.isOptedOut([ann], account: 1))
        prefer(stops: true, at: now - .seconds(30))
        prefer(stops: false, at: now - .seconds(45))
        #expect(try desk.queue.isOptedOut([ann], account: 1))
        prefer(stops: false, at: now)
        #expect(!(try desk.queue.isOptedOut([ann], account: 1)))
    }

    @Test func oneCapThatLetsFailCountsWhicheverWasSetFirst() throws {
        for failsFirst in [true, false] {
            let desk = try CampaignDesk()
            let line = try #require(desk.queue.line(named: "main", account: 1))
            let fails = MarketingCap(line: nil, messages: 1, days: 1, whenReached: .fail)
            let waits = MarketingCap(line: line.id, messages: 1, days: 30, whenReached: .wait)
            for cap in failsFirst ? [fails, waits] : [waits, fails] {
                let ending = desk.queue.together(1) { _ in try desk.queue.set(cap, account: 1) }
                #expect(ending == .done(kept: [nil]))
            }
            var draft = try desk.desk.draft(ann)
            (draft.type, draft.priority) = ("template", .low)
            draft.template = TemplateName(name: "t", language: "en")
            desk.turn(.submit(desk.desk.exchange, draft))
            desk.run()
            let reached = try desk.queue.cap(reachedBy: ann, line: line)
            #expect(reached?.cap.whenReached == .fail, "\(failsFirst)")
        }
    }

    @Test func halfOfTheRoomIsLeftToOthers() throws {
        let desk = try CampaignDesk(perSecond: 1)
        desk.turn(.limitIntake(IntakeLimits(queueMax: 100, freeDiskMin: nil)))
        _ = try desk.launched(90)
        for _ in 0..<5 { desk.turn() }
        #expect(desk.queue.waiting <= 50)
    }
}
