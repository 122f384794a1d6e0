import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What callers and Meta hand in, inside the transaction.
extension WriterStep {
    func pause(_ body: PauseBody, _ who: String, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        let line = body.line.flatMap { queue.line(named: $0, account: defaultAccount) }
        if let name = body.line, line == nil {
            return Effect(
                reply: (exchange, .wrong(FieldError("line", "there is no line \(name); see outboxctl line ls"))))
        }
        let pause = try queue.pause(
            Pause(
                account: defaultAccount, scope: body.scope, line: line?.id, target: body.target, reason: body.reason,
                who: who, createdAt: now, until: body.until))
        return Effect(reply: (exchange, .paused(pause, line: line?.name)), log: [words.paused(pause)])
    }

    /// For lines that want to be told instead of waiting while nothing gets through.
    func downRefusal(of draft: Draft) -> SubmitRefusal? {
        guard gates.holdsSomething, case .done(let line) = queue.resolve(draft.line, defaultAccount),
            line.settings.whenDown == .refuse,
            let hold = gates.state(line.id) ?? gates.state(LineGates.meta)
        else { return nil }
        return .lineDown(line.name, until: hold.until)
    }

    func submit(_ draft: Draft, batch: MessageID?, _ now: Timestamp) throws -> SubmitResult<Submitted> {
        if let refusal = downRefusal(of: draft) { return .refused(refusal) }
        if let refusal = try checks.refusal(of: draft, queue) { return .refused(refusal) }
        return try queue.submit(draft, account: defaultAccount, batch: batch, now: now)
    }

    func estimate(_ draft: Draft, _ now: Timestamp) throws -> SubmitResult<Estimate> {
        if let refusal = downRefusal(of: draft) { return .refused(refusal) }
        if let refusal = try checks.refusal(of: draft, queue) { return .refused(refusal) }
        return try queue.estimate(draft, account: defaultAccount, now: now)
    }

    func store(_ slice: BulkSlice, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        if slice.atomic {
            let estimates = try slice.drafts.map { try estimate($0, now) }
            if estimates.contains(where: { if case .refused = $0 { true } else { false } }) {
                return Effect(reply: (exchange, .sliceRefused(estimates)))
            }
        }
        let batch = try slice.batch ?? queue.openBatch(account: defaultAccount, now: now)
        let results = try slice.drafts.map { try submit($0, batch: batch, now) }
        let queued = results.count { if case .done = $0 { true } else { false } }
        let failed = results.count - queued + slice.refusedBefore
        try queue.addToBatch(batch, queued: Int64(queued), failed: Int64(failed))
        var forecast: Forecast?
        for name in Set(slice.drafts.map(\.line)) {
            guard case .done(let line) = queue.resolve(name, defaultAccount) else { continue }
            forecast = try queue.forecast(line, now: now).and(forecast)
        }
        return Effect(reply: (exchange, .sliceStored(batch: batch, results, forecast)), log: words.submitted(results))
    }

    func store(_ webhook: ReceivedWebhook, _ exchange: Exchange?, _ now: Timestamp) throws -> Effect {
        let id = try queue.storeWebhook(app: webhook.app, body: webhook.body, now: now)
        let reply = exchange.map { ($0, WriterReply.webhookStored) }
        guard let problem = webhook.problem else {
            return Effect(reply: reply, toApply: StoredNews(id: id, webhook))
        }
        try queue.keepWebhook(id, problem: problem)
        return Effect(reply: reply, log: [LogLine(.warning, .webhookKept, "a webhook is kept unread: \(problem)")])
    }
}
