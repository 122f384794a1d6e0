import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// Subscriptions, and what became of their calls.
extension WriterStep {
    func performForSubscriptions(_ input: WriterInput, _ now: Timestamp) throws -> Effect {
        switch input {
        case .subscribe(let exchange, let body, let secret):
            let line = body.settings.line.flatMap { queue.line(named: $0, account: account) }
            if let wrong = wrongLine(body.settings, line) { return Effect(reply: (exchange, .wrong(wrong))) }
            if let after = body.after, after > queue.lastEvent {
                let error = FieldError("after", "is beyond the last event, \(queue.lastEvent)")
                return Effect(reply: (exchange, .wrong(error)))
            }
            let made = try queue.subscribe(
                body.settings, line: line?.id, secret: secret, after: body.after, account: account, now: now)
            return changed(made, exchange, "subscription added", isNew: true)
        case .changeSubscription(let exchange, let id, let settings):
            let line = settings.line.flatMap { queue.line(named: $0, account: account) }
            if let wrong = wrongLine(settings, line) { return Effect(reply: (exchange, .wrong(wrong))) }
            if let before = try queue.subscription(id, account: account)?.settings.format, before != settings.format {
                let words = "is \(before.name) and stays so, as its secret does; make another subscription"
                return Effect(reply: (exchange, .wrong(FieldError("format", words))))
            }
            if settings.eventsPerCall > 1, let line = queue.allLines.first(where: { $0.settings.bot == id }) {
                let words = "must be 1: the answers to its calls are the replies of the line \(line.name)"
                return Effect(reply: (exchange, .wrong(FieldError("eventsPerCall", words))))
            }
            let subscription = try queue.change(id, settings, line: line?.id, account: account, now: now)
            guard let subscription else { return Effect(reply: (exchange, .noSubscription)) }
            return changed(subscription, exchange, "subscription changed")
        case .unsubscribe(let exchange, let id):
            guard let subscription = try queue.unsubscribe(id, account: account, now: now) else {
                return Effect(reply: (exchange, .noSubscription))
            }
            let effect = changed(subscription, exchange, "subscription removed")
            effect.reply = (exchange, .unsubscribed(subscription))
            return effect
        case .findSubscription(let exchange, let id):
            let found = try queue.subscription(id, account: account)
            return Effect(reply: (exchange, found.map { .subscription($0, isNew: false) } ?? .noSubscription))
        case .replay(let exchange, let id, let body):
            guard let subscription = try queue.subscription(id, account: account) else {
                return Effect(reply: (exchange, .noSubscription))
            }
            let replayed = try queue.replay(body.range, failedOnly: body.failedOnly, of: subscription)
            if body.isOne, replayed.count == 0 {
                let words = "names no event this subscription was to be told; see its deliveries"
                return Effect(reply: (exchange, .wrong(FieldError("event", words))))
            }
            return Effect(reply: (exchange, .eventsReplayed(replayed)), changedSubscription: id)
        case .callbacks(var report):
            let log = try takeReplies(of: &report, now)
            try queue.record(report, now: now)
            return Effect(log: log, reportOf: report.subscription)
        default: preconditionFailure("\(input) is not about subscriptions")
        }
    }

    private func wrongLine(_ settings: SubscriptionSettings, _ line: Line?) -> FieldError? {
        guard let name = settings.line, line == nil else { return nil }
        return FieldError("line", "there is no line \(name); see outboxctl line ls")
    }

    private func changed(
        _ subscription: Subscription, _ exchange: Exchange, _ words: String, isNew: Bool = false
    ) -> Effect {
        let text = "\(words): \(CallbackAddress.host(subscription.settings.url))"
        return Effect(
            reply: (exchange, .subscription(subscription, isNew: isNew)),
            log: [
                LogLine(.notice, .subscriptionChanged, text, [(.subscription, String(subscription.id))])
            ],
            changedSubscription: subscription.id)
    }
}
