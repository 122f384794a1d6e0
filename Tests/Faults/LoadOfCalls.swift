import OutboxCore
import OutboxStore

/// Subscriptions and their deliveries, and people who write.
extension Load {
    private static let subscriptionsMax = 3
    private static let inReport: Int64 = 12

    private var subscribed: [Int64] { known.keys.sorted() }

    private func settings() -> SubscriptionSettings {
        SubscriptionSettings(
            url: "https://example.com/\(random(0...1_000_000))",
            events: random(0...2) == 0 ? ["message.received", "message.status_updated"] : nil,
            isActive: random(0...5) > 0)
    }

    func drawCall() -> Deed {
        switch random(0...9) {
        case 0: return random(0...2) == 0 ? unsubscribe() : subscribe()
        case 1: return change()
        case 2: return replay()
        case 3: return mark()
        default: return report()
        }
    }

    private func subscribe() -> Deed {
        guard known.count < Self.subscriptionsMax else { return change() }
        let settings = settings()
        return { queue in
            let made = try queue.subscribe(
                settings, line: nil, secret: "s", after: nil, account: 1, now: self.now)
            return {
                self.known[made.id] = Known(revision: made.revision, cursor: made.cursor)
                self.note(.call(.subscription(made.id, settings)))
            }
        }
    }

    private func change() -> Deed {
        guard let id = subscribed.randomElement(using: &dice) else { return subscribe() }
        let settings = settings()
        note(.call(.asked(id, settings)))
        return { queue in
            guard let made = try queue.change(id, settings, line: nil, account: 1, now: self.now) else {
                // Removed by another deed of the same transaction.
                return {}
            }
            return {
                self.known[id]?.revision = made.revision
                self.note(.call(.subscription(id, settings)))
            }
        }
    }

    private func unsubscribe() -> Deed {
        guard let id = subscribed.randomElement(using: &dice) else { return subscribe() }
        note(.call(.asked(id, nil)))
        return { queue in
            guard try queue.unsubscribe(id, account: 1, now: self.now) != nil else { return {} }
            return {
                self.known[id] = nil
                self.note(.call(.subscription(id, nil)))
            }
        }
    }

    /// What became of the next events: some wait, some are given up.
    private func report() -> Deed {
        guard let id = subscribed.randomElement(using: &dice), let known = known[id] else { return subscribe() }
        let ends = (0..<Self.inReport).map { _ in
            [DeliveryStatus.delivered, .delivered, .waiting, .failed][random(0...3)]
        }
        return { queue in
            let (first, last) = (known.cursor + 1, min(queue.lastEvent, known.cursor + Self.inReport))
            guard first <= last else { return {} }
            let deliveries = zip(first...last, ends).map { event, status in
                var delivery = Delivery(event: event, message: nil, status: status, attempts: 1)
                if status == .waiting { delivery.nextAt = self.now + .seconds(5) } else { delivery.endedAt = self.now }
                return delivery
            }
            let report = CallbackReport(
                subscription: id, revision: known.revision, replays: .max, cursor: last, breaker: nil,
                deliveries: deliveries)
            try queue.record(report, now: self.now)
            let isThere = try queue.subscription(id, account: 1) != nil
            return {
                guard isThere else { return }
                for delivery in deliveries { self.note(.call(.delivery(id, delivery.event, delivery.status))) }
                // Not told of a second time: what is stored of a report without an answer could not be told apart.
                self.known[id]?.cursor = last
                if self.known[id]?.revision == known.revision { self.note(.call(.cursor(id, last))) }
            }
        }
    }

    /// Of those given up.
    private func replay() -> Deed {
        guard let id = subscribed.randomElement(using: &dice) else { return subscribe() }
        return { queue in
            guard let subscription = try queue.subscription(id, account: 1) else { return {} }
            _ = try queue.replay(1...Int64.max, failedOnly: true, of: subscription)
            let revision = try queue.subscription(id, account: 1)?.revision
            return {
                if let revision { self.known[id]?.revision = revision }
                for (event, status) in self.acknowledged.subscriptions[id]?.deliveries ?? [:] where status == .failed {
                    self.note(.call(.delivery(id, event, .waiting)))
                }
            }
        }
    }

    private func mark() -> Deed {
        guard let id = inbound.randomElement(using: &dice) else { return report() }
        return { queue in
            try queue.markRead(id, account: 1)
            return { self.note(.call(.marked(id))) }
        }
    }

    /// Applies what a stored webhook tells of somebody who wrote.
    func apply(_ message: InboundMessage, _ queue: Queue) throws -> MessageID? {
        guard let line = queue.line(named: "main", account: 1), let at = message.at else { throw Unexpected() }
        if let from = message.from, let userID = message.userID {
            try queue.learn(userID, is: from, account: 1, now: now)
        }
        try queue.received(
            from: message.from ?? message.userID ?? "", by: line.id, at: at, adClick: false, now: now)
        guard let kept = try queue.keep(message, line: line.id, now: now) else { return nil }
        try queue.tell(kept, line: line.id, detail: Array("{}".utf8), now: now)
        return kept.id
    }
}
