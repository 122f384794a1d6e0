import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

@testable import OutboxService

/// Campaigns as somebody knows them who makes them and reads the log.
struct Broadcasts {
    private(set) var known: [MessageID] = []
    /// How often the end of each was told.
    private(set) var ends: [String: Int] = [:]

    mutating func made(_ id: MessageID) { known.append(id) }

    mutating func ended(_ id: String) { ends[id, default: 0] += 1 }
}

/// Somebody who broadcasts, and cannot make up his mind.
extension Simulation {
    func broadcast() {
        guard let id = broadcasts.known.randomElement(using: &dice), !happens(0.2) else {
            let settings = CampaignSettings(
                name: "c", template: TemplateName(name: "t", language: "en"),
                canary: happens(0.3) ? Canary(first: 5, wait: .seconds(3600), abortAboveFailureShare: 0.5) : nil,
                quietHours: happens(0.3) ? QuietHours(from: 21 * 60, to: 8 * 60) : nil,
                expiresAt: happens(0.2) ? wall + .milliseconds(random(3_600_000...259_200_000)) : nil)
            let line = Self.lines.randomElement(using: &dice)
            return wish(.create(CampaignBody(line: line, settings: settings)))
        }
        switch random(0...9) {
        case 0..<4:
            let items = (0..<Int(random(1...30))).compactMap { index in
                Recipient(person()).map {
                    RecipientItem(index: index, body: RecipientBody(to: $0, variables: Array("{}".utf8)))
                }
            }
            wish(.add(id, items))
        case 4..<6:
            let later = happens(0.3) ? wall + .milliseconds(random(1000...86_400_000)) : nil
            wish(.order(id, CampaignOrder(deed: .launch, startAt: later)))
        case 6: wish(.order(id, CampaignOrder(deed: .pause)))
        case 7, 8: wish(.order(id, CampaignOrder(deed: .resume)))
        default:
            if happens(0.2) {
                wish(.order(id, CampaignOrder(deed: .cancel)))
            } else {
                wish(happens(0.5) ? .optOut(person(), OptOutBody()) : .optIn(person()))
            }
        }
    }

    func wish(_ wish: MarketingWish) { post(.marketing(exchange(), wish)) }

    /// What is paused goes on: everything is to come to its end.
    func endBroadcasts() {
        for id in broadcasts.known { wish(.order(id, CampaignOrder(deed: .resume))) }
    }

    /// Everybody was written to or skipped, the counts are those of a scan, and each end was told once.
    func settleBroadcasts(_ reader: QueueReader) throws {
        for (id, count) in broadcasts.ends where count > 1 {
            history.problem("the end of \(id) was told \(count) times")
        }
        for id in broadcasts.known {
            guard let stored = try reader.campaign(id, account: 1) else {
                if !forgets { history.problem("campaign \(id) is gone") }
                continue
            }
            let told = broadcasts.ends[reader.codec.text(id, .batch)] ?? 0
            let counts = stored.counts
            switch stored.campaign.state {
            case .draft: continue
            // What its canary stopped waits for somebody.
            case .paused where stored.campaign.isAborted: continue
            case .scheduled, .paused: history.problem("campaign \(id) still is \(stored.campaign.state)")
            case .running:
                if counts.pending > 0 || counts.underWay != counts.count(.processing) || counts.isSettled {
                    history.problem("campaign \(id) goes on: \(counts)")
                }
            case .completed: if !counts.isSettled { history.problem("campaign \(id) is completed: \(counts)") }
            case .cancelled:
                if counts.underWay != counts.count(.processing) { history.problem("\(id) is cancelled: \(counts)") }
            }
            if stored.campaign.state.isOver, told != 1 { history.problem("the end of \(id) was told \(told) times") }
            guard !forgets else { continue }
            let recipients = try reader.recipients(of: id, .all, after: 0, limit: 100_000)
            let messages = Set(recipients.compactMap(\.message))
            if messages.count != recipients.count(where: { $0.message != nil })
                || Int64(messages.count) != counts.messages
            {
                history.problem("campaign \(id): \(messages.count) messages, \(counts.messages) counted")
            }
        }
    }
}
