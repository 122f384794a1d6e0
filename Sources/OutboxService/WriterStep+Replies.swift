import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxStore

/// Answers that nobody on a socket hands in: those of a line's bot, and the line's own text.
extension WriterStep {
    /// Puts what bots answered into the queue, in the transaction that says their calls are over: a call that is
    /// repeated after a crash was not recorded, and its reply was not queued. A reply that cannot be sent is told where
    /// its delivery is.
    func takeReplies(of report: inout CallbackReport, _ now: Timestamp) throws -> [LogLine] {
        var log: [LogLine] = []
        for reply in report.replies {
            guard let line = queue.line(named: reply.line, account: reply.account), line.settings.autoReply.isEnabled,
                line.settings.bot == report.subscription,
                try queue.awaitsAnswer(reply.inbound, event: reply.event, account: reply.account)
            else { continue }
            let problem = try answer(reply, now)
            try queue.noteReply(problem, subscription: report.subscription)
            guard let problem else { continue }
            for index in report.deliveries.indices where report.deliveries[index].event == reply.event {
                report.deliveries[index].error = problem
            }
            log.append(words.replyRefused(problem, of: line, to: reply.inbound, subscription: report.subscription))
        }
        return log
    }

    /// Why it is not sent; nil: it is in the queue.
    private func answer(_ reply: BotReply, _ now: Timestamp) throws -> String? {
        switch reply.content {
        case .wrong(let problem): return problem
        case .message(let draft):
            return try answer(reply.inbound, with: draft, account: reply.account, path: "reply.", now)
        }
    }

    private func answer(
        _ inbound: MessageID, with draft: Draft, account: Int64, path: String, _ now: Timestamp
    ) throws -> String? {
        if let error = lackOfRoom { return error.message }
        let before = asker
        asker = Asker(account: account)
        defer { asker = before }
        switch try submit(draft, batch: nil, now) {
        case .refused(let refusal): return BotQuestion.words(refusal.fieldErrors(path: path))
        case .done(let submitted):
            try queue.noteAnswer(to: inbound, with: submitted.id)
            return nil
        }
    }

    // MARK: A line's own text

    /// A message that came later than this after it was written is not answered: webhooks that were kept back.
    private static var autoReplyPatience: Duration { .seconds(3600) }
    /// What nobody wrote, or nobody expects a word to.
    private static var unanswered: Set<String> {
        ["reaction", "system", "unsupported", "unknown", "edit", "revoke"]
    }

    /// The line's own text, in the transaction that keeps the message.
    func autoReply(
        to message: InboundMessage, kept: StoredInbound, line id: Int64, _ now: Timestamp
    ) throws -> [LogLine] {
        guard let line = queue.line(id), line.settings.bot == nil, line.settings.autoReply.isEnabled,
            let text = line.settings.autoReply.text, !message.isGroup, kept.groupID == nil,
            !Self.unanswered.contains(message.kind), let at = message.at, at + Self.autoReplyPatience > now,
            // Whoever says that they want no marketing is not answered with more words.
            message.payload.text.flatMap({ line.settings.optOutKeywords.wish(in: $0) }) == nil,
            let to = kept.correspondent.replyTo.flatMap({ Recipient($0) }),
            try queue.mayAutoReply(to: to.text, line)
        else { return [] }
        var content = JSONWriter(capacity: text.utf8.count + 16)
        content.object { $0.field("body", text) }
        let draft = Draft(line: line.name, to: to, type: "text", content: content.bytes)
        let problem = try answer(kept.id, with: draft, account: line.account, path: "", now)
        guard let problem else {
            try queue.autoReplied(to: to.text, line)
            return []
        }
        return [words.replyRefused(problem, of: line, to: kept.id, subscription: nil)]
    }
}
