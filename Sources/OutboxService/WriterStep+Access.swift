import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Something an operator changed.
struct OperatorChange: Sendable {
    /// `line.changed`
    var action: String
    /// The line it is about, by name.
    var line: String?
    /// What else it is about: a name, a number, an id.
    var target: String?
}

/// Accounts, keys, and what operators change.
extension WriterStep {
    func performForAccess(_ input: WriterInput, _ now: Timestamp) throws -> Effect {
        switch input {
        case .addAccount(let exchange, let body):
            let made = try queue.addAccount(body.name, body.profile, now: now)
            return Effect(reply: (exchange, .account(made, try queue.accessDirectory())))
        case .setAccount(let exchange, let body):
            let account = try queue.setAccount(body.name, body.profile)
            return Effect(reply: (exchange, .accountSet(account, try queue.accessDirectory())))
        case .addKey(let exchange, let body, let hash):
            let made = try queue.addKey(
                body.name, body.role, body.prefix, hash: hash, account: account, by: asker.who ?? "unknown",
                now: now)
            return Effect(reply: (exchange, .key(made, try queue.accessDirectory())))
        case .rotateKey(let exchange, let id, let hash, let oldUntil):
            let key = try queue.rotateKey(id, to: hash, oldUntil: oldUntil, account: account, now: now)
            return Effect(reply: (exchange, .keyRotated(key, try queue.accessDirectory())))
        case .removeKey(let exchange, let id):
            let key = try queue.removeKey(id, account: account)
            return Effect(reply: (exchange, .keyRemoved(key, try queue.accessDirectory())))
        case .keyUsed(let id, let moment):
            try queue.keyUsed(id, at: moment)
            return Effect()
        default: preconditionFailure("\(input) is not about access")
        }
    }

    /// Keeps what an operator changed in the log, in the transaction of the change, with who and why.
    func tellChange(by asker: Asker, _ wish: WriterInput, _ effect: Effect, _ now: Timestamp) throws {
        guard let who = asker.who else { return }
        let ownLines = effect.log.count
        guard let change = change(of: wish, effect) else { return }
        var reason = asker.reason
        if case .paused(let pause, _) = effect.reply?.1 { reason = pause.reason ?? reason }
        try keep(change, by: asker, reason, now)
        guard ownLines == 0 else { return }
        let target = [change.line, change.target].compactMap { $0 }.joined(separator: " ")
        var fields: [(LogLine.Field, String)] = [(.actor, who)]
        if let line = change.line { fields.append((.line, line)) }
        effect.log.append(
            LogLine(
                .notice, .operatorChange,
                "\(change.action)\(target.isEmpty ? "" : " \(target)") by \(who)\(reason.map { ": \($0)" } ?? "")",
                fields
            ))
    }

    /// In the log.
    func keep(_ change: OperatorChange, by asker: Asker, _ reason: String?, _ now: Timestamp) throws {
        var json = JSONWriter()
        json.object {
            $0.field("action", change.action)
            $0.field("line", change.line)
            $0.field("target", change.target)
            $0.field("by", asker.who)
            $0.field("reason", reason)
        }
        let line = change.line.flatMap { queue.line(named: $0, account: asker.account) }
        try queue.tell(.operatorChange, line: line, account: asker.account, detail: json.bytes, now: now)
    }

    /// Nil: nothing was changed, or nothing an operator answers for.
    private func change(of wish: WriterInput, _ effect: Effect) -> OperatorChange? {
        if case .changed(let change) = wish { return change }
        switch (wish, effect.reply?.1) {
        case (_, .line(let line, let isNew)):
            return OperatorChange(action: isNew ? "line.added" : "line.changed", line: line.name)
        case (_, .lineRemoved(.done, let name)): return OperatorChange(action: "line.removed", target: name)
        case (.putPool(_, let name, _), .pool(.some)): return OperatorChange(action: "pool.changed", target: name)
        case (_, .paused(let pause, let line)):
            return OperatorChange(action: "pause.added", line: line, target: "\(pause.id) \(pauseTarget(pause))")
        case (_, .resumed(let pause?)):
            let line = pause.line.flatMap { queue.line($0)?.name }
            return OperatorChange(action: "pause.ended", line: line, target: "\(pause.id) \(pauseTarget(pause))")
        case (_, .retention(let kind, _)): return OperatorChange(action: "retention.changed", target: kind.name)
        case (_, .marketing(.cap(let cap, let line))):
            return OperatorChange(action: "cap.changed", line: line, target: "\(cap.messages)/\(cap.days)")
        case (.marketing(_, .removeCap(let line)), .marketing(.capRemoved(true))):
            return OperatorChange(action: "cap.removed", line: line)
        case (.link(_, let wish), .link(let reply)): return self.change(of: wish, reply)
        case (.findSubscription, _): return nil
        case (_, .subscription(let subscription, let isNew)):
            let action = isNew ? "subscription.added" : "subscription.changed"
            return OperatorChange(action: action, target: String(subscription.id))
        case (_, .unsubscribed(let subscription)):
            return OperatorChange(action: "subscription.removed", target: String(subscription.id))
        case (.replay(_, let id, _), .eventsReplayed):
            return OperatorChange(action: "subscription.replayed", target: String(id))
        case (.resolve(_, let id, _, _), .request(.done)):
            return OperatorChange(action: "message.resolved", target: queue.codec.text(id))
        case (.move(_, let id, let body, _), .moved(.done(_, let line))) where !body.dryRun:
            return OperatorChange(action: "message.moved", line: line, target: queue.codec.text(id))
        case (_, .template(let template, let line, let isNew)):
            return OperatorChange(
                action: isNew ? "template.created" : "template.changed", line: line,
                target: "\(template.name)/\(template.language)")
        case (_, .templatesRemoved(let line, let name, let languages)):
            return OperatorChange(
                action: "template.removed", line: line, target: "\(name)/\(languages.joined(separator: ","))")
        case (_, .account(.done(let account), _)):
            return OperatorChange(action: "account.added", target: account.name)
        case (_, .accountSet(let account?, _)):
            return OperatorChange(action: "account.changed", target: account.name)
        case (_, .key(.done(let key), _)):
            return OperatorChange(action: "key.added", target: "\(key.id) \(key.name) \(key.role.name)")
        case (_, .keyRotated(let key?, _)):
            return OperatorChange(action: "key.rotated", target: "\(key.id) \(key.name)")
        case (_, .keyRemoved(let key?, _)):
            return OperatorChange(action: "key.removed", target: "\(key.id) \(key.name)")
        default: return nil
        }
    }

    private func pauseTarget(_ pause: Pause) -> String {
        guard pause.scope == .batch, let batch = pause.target.flatMap({ Int64($0) }) else { return pause.words }
        return "batch \(queue.codec.text(MessageID(rawValue: batch), .batch))"
    }
}
