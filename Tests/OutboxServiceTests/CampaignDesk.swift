import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// Campaigns at a desk: made, filled and driven turn by turn, with a Meta that answers as it is told.
final class CampaignDesk {
    let desk: Desk
    private(set) var left: [String: Int] = [:]
    private var open: [Attempt] = []
    private var sent = 0

    init(perSecond: Int64 = 10_000) throws {
        desk = try Desk(slots: 8, perSecond: perSecond)
        _ = desk.turn(.putPool(desk.exchange, name: "main", try pool()))
    }

    private func pool() throws -> PoolBody {
        try PoolBody.read(try JSONParser().parse(Array(#"{"tier":"TIER_UNLIMITED"}"#.utf8)), name: "main")
    }

    var queue: Queue { desk.queue }

    static func number(_ index: Int) -> String { "1415555\(1000 + index)" }

    func reply(to wish: MarketingWish) throws -> MarketingReply {
        let asker = Asker(account: Account.defaultID, who: "ann")
        let replies = turn(.asked(asker, .marketing(desk.exchange, wish))).replies
        for case .marketing(let reply) in replies.map(\.1) { return reply }
        throw Unexpected()
    }
    struct Unexpected: Error {}

    func create(canary: Canary? = nil, quiet: QuietHours? = nil, expiresAt: Timestamp? = nil) throws -> MessageID {
        let settings = CampaignSettings(
            name: "spring", template: TemplateName(name: "t", language: "en"), canary: canary, quietHours: quiet,
            expiresAt: expiresAt)
        guard
            case .campaign(.done(let campaign, _), _, _) = try reply(
                to: .create(CampaignBody(line: nil, settings: settings)))
        else { throw Unexpected() }
        return campaign.id
    }

    @discardableResult
    func add(_ numbers: [String], to id: MessageID, zone: String? = nil) throws -> CampaignAdded {
        let items = try numbers.enumerated().map { index, number in
            RecipientItem(
                index: index,
                body: RecipientBody(
                    to: try #require(Recipient(number)), variables: Array(#"{"1":"Ann"}"#.utf8), timeZone: zone))
        }
        guard case .added(let added?, let refused, _) = try reply(to: .add(id, items)), refused.isEmpty else {
            throw Unexpected()
        }
        return added
    }

    func order(_ deed: CampaignOrder.Deed, _ id: MessageID, at start: Timestamp? = nil) throws -> CampaignResult {
        guard
            case .campaign(let result, _, _) = try reply(
                to: .order(id, CampaignOrder(deed: deed, startAt: start)))
        else { throw Unexpected() }
        return result
    }

    func launched(_ count: Int, canary: Canary? = nil, quiet: QuietHours? = nil) throws -> MessageID {
        let id = try create(canary: canary, quiet: quiet)
        try add((0..<count).map(Self.number), to: id)
        guard case .done = try order(.launch, id) else { throw Unexpected() }
        return id
    }

    @discardableResult
    func turn(_ inputs: WriterInput...) -> WriterStep<Dice>.Outputs {
        let outputs = desk.turn(inputs)
        for attempt in outputs.attempts { left[attempt.to, default: 0] += 1 }
        open += outputs.attempts
        return outputs
    }

    /// Turns until nothing more leaves by itself, each attempt answered.
    func run(turns: Int = 400, _ answer: (Attempt) -> Outcome? = { _ in nil }) {
        var idle = 0
        for _ in 0..<turns {
            let answers = open.map { attempt in
                sent += 1
                return WriterInput.outcome(
                    AttemptOutcome(attempt: attempt, outcome: answer(attempt) ?? .accepted(wamid: "wamid.\(sent)")))
            }
            open = []
            let outputs = desk.turn(answers)
            for attempt in outputs.attempts { left[attempt.to, default: 0] += 1 }
            open += outputs.attempts
            desk.tick += 100_000_000
            desk.now = desk.now + .milliseconds(100)
            idle = open.isEmpty && !outputs.goOn ? idle + 1 : 0
            if idle == 20 { return }
        }
    }

    /// As after a kill: what is under way comes back as unknown.
    func restart() throws {
        open = []
        try desk.restart()
    }

    func pass(_ span: Duration) {
        desk.tick += UInt64(span.wholeMilliseconds) * 1_000_000
        desk.now = desk.now + span
    }

    func report(_ report: Report, to number: String, code: String = "131026") throws {
        let reader = try QueueReader(path: desk.folder.file("outboxd.db"))
        var filter = ListFilter()
        filter.to = Recipient(number)
        let message = try #require(try reader.list(filter, account: 1).messages.first)
        let status = StatusReport(
            phoneNumberID: "106", wamid: message.wamid ?? "wamid.none", opaque: nil, report: report, at: desk.now,
            failure: report == .failed ? Failure(code: code, message: "no") : nil)
        turn(.webhook(nil, ReceivedWebhook(app: "default", body: [1], statuses: [status])))
        turn()
    }

    func campaign(_ id: MessageID) throws -> Campaign { try #require(queue.campaign(id, account: 1)) }
    func counts(_ id: MessageID) -> CampaignCounts { queue.counts(of: id) }

    func events(_ kind: EventKind) throws -> Int {
        let log = try LogReader(QueueReader(path: desk.folder.file("outboxd.db")))
        return try log.events(after: 0, limit: 100_000, account: 1).count { $0.kind == kind }
    }
}
