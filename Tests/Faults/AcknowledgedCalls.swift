import OutboxCore
import OutboxStore

/// What was told of subscriptions, their deliveries, and what people wrote.
extension Acknowledged {
    struct Subscribed {
        /// Nil: it was removed.
        var settings: SubscriptionSettings?
        /// Asked for since, and not answered.
        var asked: [SubscriptionSettings?] = []
        var cursor: Int64 = 0
        var deliveries: [Int64: DeliveryStatus] = [:]
    }

    mutating func note(_ fact: CallFact) {
        switch fact {
        case .asked(let id, let settings): subscriptions[id]?.asked.append(settings)
        case .subscription(let id, let settings):
            subscriptions[id, default: Subscribed()].settings = settings
            subscriptions[id]?.asked = []
        case .cursor(let id, let cursor):
            let before = subscriptions[id]?.cursor ?? 0
            subscriptions[id]?.cursor = max(before, cursor)
        case .delivery(let id, let event, let status): subscriptions[id]?.deliveries[event] = status
        case .received(let wamid): received.insert(wamid)
        case .marked(let id): marked.insert(id)
        }
    }

    enum CallFact {
        /// Nil: to be removed.
        case asked(Int64, SubscriptionSettings?)
        case subscription(Int64, SubscriptionSettings?)
        case cursor(Int64, Int64)
        case delivery(Int64, Int64, DeliveryStatus)
        /// A webhook that tells of it was answered with 200.
        case received(String)
        case marked(MessageID)
    }

    func missingCalls(_ reader: QueueReader) throws -> [String] {
        var problems: [String] = []
        let callbacks = try CallbackReader(reader)
        let log = try LogReader(reader)
        for (id, subscribed) in subscriptions {
            let row = try callbacks.subscription(id)
            if !([subscribed.settings] + subscribed.asked).contains(row?.settings) {
                problems.append("subscription \(id) is \(String(describing: row)), not \(subscribed)")
            }
            guard let row else { continue }
            if row.cursor < subscribed.cursor {
                problems.append("subscription \(id) went back from \(subscribed.cursor) to \(row.cursor)")
            }
            var shown: [Int64: DeliveryStatus] = [:]
            for one in try callbacks.deliveries(id, status: nil, before: .max, limit: 1_000_000) {
                shown[one.delivery.event] = one.delivery.status
            }
            for (event, status) in subscribed.deliveries {
                switch (status, shown[event]) {
                case (.delivered, .delivered?), (.waiting, _?), (.failed, .failed?), (.failed, .waiting?): break
                case (_, nil) where try log.event(event) == nil: break
                case (_, let found):
                    problems.append(
                        "event \(event) of subscription \(id) is \(String(describing: found)), not \(status)")
                }
            }
        }
        return problems
    }

    /// What people wrote is kept once, or stands in a webhook that is to be applied.
    func missingReceived(_ queue: Queue, _ reader: QueueReader) throws -> [String] {
        var kept: [String: Int] = [:]
        var filter = ConversationFilter()
        filter.limit = 1000
        for conversation in try reader.conversations(filter, account: 1).items {
            let page = try reader.messages(of: conversation, before: nil, limit: 10_000, account: 1)
            for case .received(let message) in page.items { kept[message.wamid ?? "", default: 0] += 1 }
        }
        let unread = try queue.unappliedWebhooks(after: 0, limit: 1000).map { String(decoding: $0.body, as: UTF8.self) }
        var problems = kept.filter { $0.value > 1 }.map { "\($0.key) is kept \($0.value) times" }
        for wamid in received where kept[wamid] == nil && !unread.contains(where: { $0.contains("\"\(wamid)\"") }) {
            problems.append("\(wamid) is lost")
        }
        for id in marked where try reader.inbound(id, account: 1)?.isRead != true {
            problems.append("the mark of message \(id.rawValue) is lost")
        }
        return problems
    }

    /// A queue opened anew takes reports of calls, and what people write.
    func callsGoOn(_ queue: Queue, now: Timestamp) throws -> [String] {
        var problems: [String] = []
        let message = inboundMessage("wamid.in.again", person: 1, at: now)
        try together(queue) {
            guard let line = queue.line(named: "main", account: 1) else { throw Unexpected() }
            if try queue.keep(message, line: line.id, now: now) == nil { problems.append("a new message was known") }
        }
        for id in subscriptions.keys.sorted() {
            guard let row = try read(queue, { try queue.subscription(id, account: 1) }) else { continue }
            let event = queue.lastEvent
            var delivery = Delivery(event: event, message: nil, status: .delivered, attempts: 1)
            delivery.endedAt = now
            let report = CallbackReport(
                subscription: id, revision: row.revision, replays: .max, cursor: event, breaker: nil,
                deliveries: [delivery])
            try together(queue) { try queue.record(report, now: now) }
            let after = try read(queue) { try queue.subscription(id, account: 1) }
            if after?.cursor != event { problems.append("a report of subscription \(id) changed nothing") }
        }
        return problems
    }

    private func read<Value>(_ queue: Queue, _ operation: () throws -> Value) throws -> Value {
        var value: Value?
        try together(queue) { value = try operation() }
        guard let value else { throw Unexpected() }
        return value
    }
}

func together(_ queue: Queue, _ operation: () throws -> Void) throws {
    switch queue.together(1, { _ in try operation() }) {
    case .done(let kept): if let error = kept[0] { throw error }
    case .nothing(let error): throw error
    }
}

func inboundMessage(_ wamid: String, person: Int, at: Timestamp) -> InboundMessage {
    var payload = InboundMessage.Payload(body: Array(#"{"id":"\#(wamid)","text":{"body":"hi"}}"#.utf8), text: "hi")
    payload.name = "Ann"
    // Now and then two names of one person meet.
    return InboundMessage(
        phoneNumberID: "106", from: person % 3 == 0 ? nil : "1415555\(2000 + person / 4)",
        userID: person % 3 == 1 ? nil : "US.\(person / 4)", at: at, isAdClick: false, isGroup: false, wamid: wamid,
        kind: "text", payload: payload)
}
