import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What is asked and told, each inside the transaction.
extension WriterStep {
    /// On behalf of whoever asked.
    func perform(_ input: WriterInput, _ now: Timestamp) throws -> Effect {
        guard case .asked(let asker, let wish) = input else { return try carryOut(input, now) }
        self.asker = asker
        defer { self.asker = .ourselves }
        guard let who = asker.who else { return try carryOut(wish, now) }
        let effect = try queue.asked(by: who) { try carryOut(wish, now) }
        for index in effect.log.indices { effect.log[index].fields.append((.actor, who)) }
        try tellChange(by: asker, wish, effect, now)
        return effect
    }

    private func carryOut(_ input: WriterInput, _ now: Timestamp) throws -> Effect {
        switch input {
        case .asked: preconditionFailure("nobody asks for somebody who asks")
        case .submit(let exchange, let draft, let key?): return try submit(draft, key, exchange, now)
        case .submit(let exchange, let draft, nil):
            let result = try submit(draft, batch: nil, now)
            return Effect(reply: (exchange, .submitted(result)))
        case .estimate(let exchange, let drafts): return Effect(reply: (exchange, try estimate(drafts, now)))
        case .recall(let exchange, let key, let error):
            return Effect(reply: (exchange, try recall(key, now) ?? .refused(error)))
        case .slice(let exchange, let slice): return try store(slice, exchange, now)
        case .keyedSlice(let exchange, let slice): return try store(slice, exchange, now)
        case .endBulk(let exchange, let key, let batch, let answer):
            return try end(key, batch, answer, exchange, now)
        case .cancel(let exchange, let id):
            let result = try queue.cancel(id, account: account, now: now)
            return Effect(reply: (exchange, .request(result)))
        case .retry(let exchange, let id):
            let result = try queue.retry(id, account: account, now: now)
            return Effect(reply: (exchange, .request(result)))
        case .move(let exchange, let id, let body, let who):
            let result = try queue.move(
                id, to: body.line, dryRun: body.dryRun, by: who, account: account, now: now)
            return Effect(reply: (exchange, .moved(result)))
        case .resolve(let exchange, let id, let body, let who):
            let result = try queue.resolve(
                id, as: body.resolution, wamid: body.wamid, by: who, account: account, now: now)
            return Effect(reply: (exchange, .request(result)), log: words.resolved(id, result))
        case .putLine(let exchange, let settings): return try put(settings, exchange, now)
        case .removeLine(let exchange, let name):
            let removal = try queue.removeLine(named: name, account: account, now: now)
            let log = removal == .done ? [LogLine(.notice, .lineChanged, "line removed", [(.line, name)])] : []
            return Effect(reply: (exchange, .lineRemoved(removal, name: name)), log: log)
        case .putPool(let exchange, let name, let body):
            let status = try queue.change(name, account: account, used: body.used, body.settings(over:))
            return Effect(
                reply: (exchange, .pool(status)),
                log: status.map { [LogLine(.notice, .poolChanged, "pool \(name) changed: \($0.pool.tier.name)")] } ?? []
            )
        case .pause(let exchange, let body, let who): return try pause(body, who, exchange, now)
        case .resume(let exchange, let id, let who):
            let pause = try queue.resume(account) { $0.id == id }.first
            return Effect(
                reply: (exchange, .resumed(pause)), log: pause.map { [words.resumed($0, by: who)] } ?? [])
        case .putRetention(let exchange, let kind, let rule):
            try queue.set(rule, for: kind)
            return Effect(
                reply: (exchange, .retention(kind, rule)), log: [words.retention(kind, rule)], prunesNow: true)
        case .moveCursor(let exchange, let name, let body):
            let move = try queue.moveCursor(
                name, account: account, to: body.after, rewind: body.rewind, now: now)
            return Effect(reply: (exchange, .cursor(move)))
        case .removeCursor(let exchange, let name):
            return Effect(
                reply: (exchange, .cursorRemoved(try queue.removeCursor(name, account: account))))
        case .subscribe, .changeSubscription, .unsubscribe, .findSubscription, .replay, .callbacks:
            return try performForSubscriptions(input, now)
        case .addAccount, .setAccount, .addKey, .rotateKey, .removeKey, .keyUsed:
            return try performForAccess(input, now)
        case .marketing(let exchange, let wish): return try perform(wish, exchange, now)
        case .link(let exchange, let wish): return try perform(wish, exchange, now)
        case .changed: return Effect()
        case .lineNews(let news): return try learn(news, now)
        case .templateChanged(let exchange, let line, let change):
            return try apply(change, line: line, exchange, now)
        case .markRead(let exchange, let id, let typing):
            try queue.markRead(id, account: account)
            return Effect(reply: (exchange, .markedRead(id, typing: typing)))
        case .caughtUp(let news): return try apply(news, now)
        case .keepMedia(let exchange, let draft): return try keep(draft, exchange, now)
        case .removeMedia(let exchange, let id):
            return Effect(reply: (exchange, .mediaRemoved(try queue.removeFile(id, account: account))))
        case .uploadEnded(let end): return try record(end, now)
        case .outcome(let outcome): return try record(outcome, now)
        case .webhook(let exchange, let webhook): return try store(webhook, exchange, now)
        case .stopClaiming, .releaseLines, .limitIntake, .lookedAt, .ping, .measure, .barrier, .erase:
            return Effect()
        }
    }

    private func record(_ outcome: AttemptOutcome, _ now: Timestamp) throws -> Effect {
        let attempt = outcome.attempt
        _ = try queue.record(outcome.outcome, attempt, now: now, chance: &chance)
        return Effect()
    }
}

extension WriterInput {
    /// What could not be written is to be written with the next turn: nobody waits for an answer and says it again.
    var comesOnce: Bool {
        switch wish {
        case .outcome, .callbacks, .caughtUp, .changed, .uploadEnded: true
        default: false
        }
    }

    /// Makes the queue longer. What ends a bulk, or becomes of messages that are in the queue, does not.
    var isIntake: Bool {
        intakeCount > 0
    }

    /// It takes room on the disk that what becomes of messages may need.
    var fillsDisk: Bool {
        if case .marketing(_, .add) = wish { return true }
        return isIntake
    }

    /// How many messages it may make the queue longer by.
    var intakeCount: Int {
        switch self {
        case .asked(_, let wish): wish.intakeCount
        case .submit: 1
        case .slice(_, let slice): max(1, slice.drafts.count)
        case .keyedSlice(_, let slice): max(1, slice.items.count)
        default: 0
        }
    }

    /// What is asked for, whoever asks.
    var wish: WriterInput {
        if case .asked(_, let wish) = self { return wish }
        return self
    }

    /// Something else, asked for by the same one.
    func instead(_ wish: WriterInput) -> WriterInput {
        if case .asked(let asker, _) = self { return .asked(asker, wish) }
        return wish
    }

    var asker: Asker {
        if case .asked(let asker, _) = self { return asker }
        return .ourselves
    }

    /// Where an answer is awaited.
    var exchange: Exchange? {
        switch wish {
        case .asked: nil
        case .submit(let exchange, _, _), .recall(let exchange, _, _), .estimate(let exchange, _),
            .slice(let exchange, _), .keyedSlice(let exchange, _), .endBulk(let exchange, _, _, _),
            .cancel(let exchange, _), .retry(let exchange, _), .putLine(let exchange, _), .removeLine(let exchange, _),
            .putPool(let exchange, _, _), .pause(let exchange, _, _), .resume(let exchange, _, _),
            .resolve(let exchange, _, _, _), .move(let exchange, _, _, _), .putRetention(let exchange, _, _),
            .moveCursor(let exchange, _, _),
            .removeCursor(let exchange, _), .markRead(let exchange, _, _),
            .subscribe(let exchange, _, _), .changeSubscription(let exchange, _, _), .unsubscribe(let exchange, _),
            .findSubscription(let exchange, _), .replay(let exchange, _, _), .addAccount(let exchange, _),
            .setAccount(let exchange, _),
            .addKey(let exchange, _, _), .rotateKey(let exchange, _, _, _), .removeKey(let exchange, _),
            .erase(let exchange, _), .templateChanged(let exchange, _, _), .keepMedia(let exchange, _),
            .removeMedia(let exchange, _), .marketing(let exchange, _), .link(let exchange, _):
            exchange
        case .lineNews(let news): news.exchange
        case .webhook(let exchange, _): exchange
        case .measure(let exchange): exchange
        case .callbacks, .caughtUp, .outcome, .stopClaiming, .releaseLines, .limitIntake, .lookedAt, .ping,
            .barrier, .keyUsed, .changed, .uploadEnded:
            nil
        }
    }
}
