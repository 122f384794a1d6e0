import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What callers and Meta hand in, inside the transaction.
extension WriterStep {
    func pause(_ body: PauseBody, _ who: String, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        let line = body.line.flatMap { queue.line(named: $0, account: account) }
        if let name = body.line, line == nil {
            return Effect(
                reply: (exchange, .wrong(FieldError("line", "there is no line \(name); see outboxctl line ls"))))
        }
        if body.scope == .batch, let batch = body.target.flatMap({ Int64($0) }),
            let owner = try queue.account(ofBatch: batch), owner != account
        {
            return Effect(reply: (exchange, .wrong(FieldError("batchId", "there is no such batch"))))
        }
        let pause = try queue.pause(
            Pause(
                account: account, scope: body.scope, line: line?.id, target: body.target, reason: body.reason,
                who: who, createdAt: now, until: body.until))
        return Effect(reply: (exchange, .paused(pause, line: line?.name)), log: [words.paused(pause)])
    }

    func put(_ settings: LineSettings, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        if let wrong = foreign(settings) { return Effect(reply: (exchange, .wrong(wrong))) }
        if let other = queue.lines(ofNumber: settings.phoneNumberID).compactMap({ queue.line($0) })
            .first(where: { $0.account == account && $0.name != settings.name })
        {
            let words = "is the number of the line \(other.name); Meta's limits are kept once for each number"
            return Effect(reply: (exchange, .wrong(FieldError("phoneNumberId", words))))
        }
        if let wrong = try wrongBot(settings) { return Effect(reply: (exchange, .wrong(wrong))) }
        let (line, isNew) = try queue.put(settings, account: account, now: now)
        // It may have another token now: what was wrong with the old one says nothing of it.
        if let token = queue.token(line.id), token.state != .valid { try queue.learn(nil, line: line.id) }
        let text = isNew ? "line added" : "line changed"
        return Effect(
            reply: (exchange, .line(line, isNew: isNew)),
            log: [LogLine(.notice, .lineChanged, text, [(.line, line.name)])])
    }

    /// What Meta tells of a number or of a business account goes to its lines: nobody gets another account's news by
    /// naming them.
    private func foreign(_ settings: LineSettings) -> FieldError? {
        let others = queue.allLines.filter { $0.account != account }
        if others.contains(where: { $0.settings.phoneNumberID == settings.phoneNumberID }) {
            return FieldError("phoneNumberId", "is the number of a line of another account")
        }
        if let waba = settings.wabaID, !mayShare, others.contains(where: { $0.settings.wabaID == waba }) {
            let words =
                "is the business account of a line of another account; an admin of the account default may share"
            return FieldError("wabaId", "\(words) it")
        }
        return nil
    }

    /// A bot has to be told of what the line receives.
    private func wrongBot(_ settings: LineSettings) throws -> FieldError? {
        guard let bot = settings.bot else { return nil }
        guard let subscription = try queue.subscription(bot, account: account) else {
            return FieldError("bot", "there is no subscription \(bot); see outboxctl webhook ls")
        }
        if let other = subscription.settings.line, other != settings.name {
            return FieldError(
                "bot", "the subscription \(bot) is told of the line \(other) alone: give one of this line")
        }
        guard subscription.settings.kindsMask >> EventKind.received.rawValue & 1 == 1 else {
            let words = "is not told of message.received: add it to the subscription's events"
            return FieldError("bot", "the subscription \(bot) \(words)")
        }
        guard subscription.settings.eventsPerCall == 1 else {
            let words = "is told several events in a call, whose answer replies to none: set its eventsPerCall to 1"
            return FieldError("bot", "the subscription \(bot) \(words)")
        }
        return nil
    }

    private var mayShare: Bool { asker.isOperator }

    /// For lines that want to be told instead of waiting while nothing gets through.
    /// Once it is time to try, the next one is taken: it is the one that tries.
    func downRefusal(of draft: Draft, _ now: Timestamp) -> SubmitRefusal? {
        guard gates.holdsSomething, case .done(let line) = queue.resolve(draft.line, account),
            line.settings.whenDown == .refuse, let until = gates.refuses(line.id, now: now)
        else { return nil }
        return .lineDown(line.name, until: max(until, now))
    }

    /// Why a draft would not be taken; nil: it would.
    func refusal(of draft: Draft, _ now: Timestamp) throws -> SubmitRefusal? {
        if let refusal = downRefusal(of: draft, now) { return refusal }
        return try checks.refusal(of: draft, queue, account: account)
            ?? queue.refusal(of: draft, account: account, now: now)
    }

    func submit(_ draft: Draft, batch: MessageID?, _ now: Timestamp) throws -> SubmitResult<Submitted> {
        if let refusal = downRefusal(of: draft, now) { return .refused(refusal) }
        if let refusal = try checks.refusal(of: draft, queue, account: account) { return .refused(refusal) }
        return try queue.submit(draft, account: account, batch: batch, now: now)
    }

    /// What a dry run tells: of each what speaks against it, how many go before the first, and when all have left.
    func estimate(_ drafts: [Draft], _ now: Timestamp) throws -> WriterReply {
        let refusals = try drafts.map { try refusal(of: $0, now) }
        let good = zip(drafts, refusals).filter { $1 == nil }.map(\.0)
        let first = try good.first.flatMap { try queue.estimate($0, account: account, now: now) }
        let all = good.count > 1 ? try queue.forecast(good, account: account, now: now) : nil
        return .estimated(refusals, first, all)
    }

    func store(_ slice: BulkSlice, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        if slice.atomic {
            let refusals = try slice.drafts.map { try refusal(of: $0, now) }
            if refusals.contains(where: { $0 != nil }) { return Effect(reply: (exchange, .sliceRefused(refusals))) }
        }
        let batch = try slice.batch ?? queue.openBatch(account: account, now: now)
        let results = try slice.drafts.map { try submit($0, batch: batch, now) }
        let queued = results.count { if case .done = $0 { true } else { false } }
        let failed = results.count - queued + slice.refusedBefore
        try queue.addToBatch(batch, queued: Int64(queued), failed: Int64(failed))
        let forecast = try forecast(of: slice.drafts.map(\.line), now)
        return Effect(reply: (exchange, .sliceStored(batch: batch, results, forecast)))
    }

    /// When all that waits on some lines will have left.
    func forecast(of names: some Sequence<String?>, _ now: Timestamp) throws -> Forecast? {
        var forecast: Forecast?
        for name in Set(names) {
            guard case .done(let line) = queue.resolve(name, account) else { continue }
            forecast = try queue.forecast(line, now: now).and(forecast)
        }
        return forecast
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
