import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore

/// What Meta tells: webhooks on disk, and answers about lines.
extension WriterStep {
    /// What the last process left, before the first turn: attempts nobody knows the outcome of, and webhooks stored
    /// and not applied.
    func takeUp(now: Timestamp) throws -> (unknown: Int, webhooks: Int) {
        var unknown = 0
        if case .nothing(let error) = queue.together(1, { _ in unknown = try queue.recoverClaimed(now: now) }) {
            throw error
        }
        told = queue.takeTold()
        let parser = JSONParser()
        var after: Int64 = 0
        while case let stored = try queue.unappliedWebhooks(after: after, limit: 1000), let last = stored.last {
            toApply += stored.map {
                StoredNews(id: $0.id, ReceivedWebhook.reading(app: $0.app, body: $0.body, parser: parser))
            }
            after = last.id
        }
        return (unknown, toApply.count)
    }

    func apply(_ webhook: StoredNews, _ now: Timestamp) throws -> Effect {
        let effect = Effect()
        queue.count(.received)
        queue.count(.statuses, webhook.statuses.count)
        queue.count(others: webhook.others)
        for status in webhook.statuses {
            let applied = try queue.apply(status, now: now)
            count(applied)
            if applied == .parked { effect.log.append(words.early(status)) }
        }
        for message in webhook.inbound { effect.log += try apply(message, now) }
        for news in webhook.news { effect.log += try apply(news, now) }
        try queue.removeWebhook(webhook.id)
        return effect
    }

    func apply(_ news: CatchUpNews, _ now: Timestamp) throws -> Effect {
        let effect = Effect()
        var changed = false
        for status in news.reports {
            let applied = try queue.apply(status, now: now)
            if case .moved = applied { changed = true }
            if applied == .parked { effect.log.append(words.early(status)) }
        }
        try queue.save(news.state, changed: changed ? 1 : 0)
        return effect
    }

    private func count(_ applied: Applied) {
        switch applied {
        case .moved: break
        case .noted: queue.count(.repeatedStatuses)
        case .parked: queue.count(.earlyStatuses)
        case .gone: break
        }
    }

    /// What Meta tells of the account counts at once; what it leaves open is asked.
    func apply(_ news: AccountNews, _ now: Timestamp) throws -> [LogLine] {
        let lines = queue.lines(ofAccount: news.wabaID)
        switch news {
        case .template(_, let name, let language, let status, let reason):
            for line in lines {
                try tellingOfTemplates(of: line, reason: reason, now) {
                    try queue.learn(status, of: TemplateName(name: name, language: language), line: line)
                }
            }
        case .capability(_, let tier?), .quality(_, _, _, let tier?):
            let sharing = Set(lines.flatMap { queue.linesSharingPool(with: $0) }).sorted()
            try tellingOfLines(sharing, now) { for line in lines { _ = try queue.learn(tier, line: line) } }
        case .preference(let number, let person, let userID, let stops, let at):
            try keepPreference(number: number, person: person, userID: userID, stops: stops, at: at, now)
        default: break
        }
        try tell(news, now)
        for line in lines { refreshes.forget(line) }
        return lines.compactMap { queue.line($0) }.map { words.news(news, $0) }
    }

    func learn(_ news: LineNews, _ now: Timestamp) throws -> Effect {
        // Of what the line was when it was asked about.
        guard let line = queue.line(news.subject.line), Refresher.Subject(line) == news.subject else {
            let changed = APIError(.conflict, "the line was changed or removed meanwhile: try again")
            return Effect(reply: news.exchange.map { ($0, .refused(changed)) })
        }
        let effect = Effect()
        switch news.health {
        case .failed(let failure):
            try queue.noteProblem("\(failure.code): \(failure.message)", line: line.id)
            effect.log.append(words.notRead(line, failure))
            try tellingOfLines([line.id], now) { try learnToken(news, line, now, effect) }
        case .read(let health):
            try tellingOfLines(queue.linesSharingPool(with: line.id), now) {
                try learnToken(news, line, now, effect)
                let before = try queue.learn(health, line: line.id)
                if let tier = health.tier, let pool = try queue.learn(tier, line: line.id) {
                    effect.log.append(words.learned(tier, pool))
                }
                if before?.stop != health.stop { effect.log.append(words.health(line, health)) }
            }
        }
        if let failure = news.templateProblem {
            try queue.noteProblem("templates: \(failure.code): \(failure.message)", line: line.id)
            effect.log.append(words.notRead(line, failure))
        }
        let before = queue.standings(line: line.id)
        if let templates = news.templates {
            try tellingOfTemplates(of: line.id, reasons: rejections(templates), now) {
                try queue.learn(templates, line: line.id, now: now)
            }
            effect.templatesOf = [line.id]
        }
        effect.reply = news.exchange.map { ($0, synced(news, line, before)) }
        return effect
    }

    /// Why Meta's reviewers said no, as the list tells it; the webhook that tells it, too, may come later.
    private func rejections(_ templates: [Template]) -> [TemplateName: String] {
        var reasons: [TemplateName: String] = [:]
        for template in templates where template.status == .rejected {
            // What was read once can be read again.
            guard let reason = (try? parser.parse(template.raw))?["rejected_reason"]?.string, reason != "NONE",
                !reason.isEmpty
            else { continue }
            reasons[TemplateName(name: template.name, language: template.language)] = reason
        }
        return reasons
    }

    /// Takes up what is known of the line's token, and says loudly when it is about to end or taken no more.
    private func learnToken(_ news: LineNews, _ line: Line, _ now: Timestamp, _ effect: Effect) throws {
        let before = queue.token(line.id)
        guard let token = news.token(before: before, now: now), token != before else { return }
        try queue.learn(token, line: line.id)
        effect.token = (line.id, before, token)
        if token.state != before?.state, let log = words.token(line, token, before: before) { effect.log.append(log) }
    }
}
