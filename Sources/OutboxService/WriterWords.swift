import OutboxCore
import OutboxStore

extension AccountNews {
    var words: String {
        switch self {
        case .quality(_, _, let event, let tier): "\(event)\(tier.map { ", \($0.name)" } ?? "")"
        case .capability(_, let tier): "the limit is \(tier?.name ?? "another one")"
        case .account(_, _, let event, _, _, _): "account \(event)"
        case .alert(let alert): "alert \(alert.type)\(alert.description.map { ": \($0)" } ?? "")"
        case .template(_, let name, let language, let status, let reason):
            "template \(name)/\(language) is \(status.name)\(reason.map { ": \($0)" } ?? "")"
        case .templateCategory(_, let name, let language, _, _): "template \(name)/\(language) has another category"
        case .templateChanged(_, let name, let language, let quality):
            "template \(name)/\(language) has \(quality.map { "the quality \($0.name)" } ?? "other words")"
        case .preference(_, _, _, let stops, _):
            stops ? "a person wants no marketing" : "a person wants marketing again"
        }
    }

    /// Nil where the news names none.
    var wabaID: String? {
        switch self {
        case .quality(let waba, _, _, _), .capability(let waba, _), .account(let waba, _, _, _, _, _),
            .template(let waba, _, _, _, _), .templateCategory(let waba, _, _, _, _),
            .templateChanged(let waba, _, _, _):
            waba
        case .alert(let alert): alert.wabaID
        case .preference: nil
        }
    }
}

extension Pause {
    /// `template order_ready`
    var words: String { target.map { "\(scope.name) \($0)" } ?? scope.name }
}

/// What the journal says of the writer's deeds, one line a fact.
struct WriterWords {
    let idText: (MessageID) -> String
    let mediaText: (MessageID) -> String
    let inboundText: (MessageID) -> String
    /// Masks phone numbers.
    let shown: (String) -> String
    /// Lines of messages that nobody would see are not made.
    var writes: (LogLevel) -> Bool = { _ in true }

    func line(_ outcome: AttemptOutcome, _ change: LineGates.Change) -> LogLine {
        let failure: Failure? =
            switch outcome.outcome {
            case .refused(let failure, _), .unknown(let failure): failure
            case .accepted: nil
            }
        return line(outcome.attempt.lineName, failure, change)
    }

    func line(_ name: String, _ failure: Failure?, _ change: LineGates.Change) -> LogLine {
        let line: [(LogLine.Field, String)] = [(.line, name)]
        let code = failure.map { [(LogLine.Field.code, $0.code)] } ?? []
        let reason = failure.map { ": \($0.message)" } ?? ""
        switch change {
        case .held:
            return LogLine(
                .warning, .lineHeld, "nothing of this line gets through; one message at a time will try\(reason)",
                line + code + [(.gate, "line")])
        case .released: return LogLine(.notice, .lineReleased, "messages of this line get through again", line)
        case .metaHeld:
            return LogLine(
                .warning, .metaHeld, "nothing gets through to Meta; one message at a time will try\(reason)",
                code + [(.gate, "meta")])
        case .metaReleased: return LogLine(.notice, .metaReleased, "messages get through to Meta again")
        }
    }

    func learned(_ tier: Tier, _ pool: Pool) -> LogLine {
        let used = pool.settings.tier == nil ? "" : ", but \(pool.tier.name) is set and counts"
        return LogLine(.notice, .poolChanged, "Meta gives the pool \(pool.name) \(tier.name)\(used)")
    }

    func health(_ line: Line, _ health: LineHealth) -> LogLine {
        guard let stop = health.stop else {
            return LogLine(.notice, .lineReleased, "Meta says that the line can send", [(.line, line.name)])
        }
        return LogLine(.warning, .lineHeld, stop, [(.line, line.name), (.gate, "line")])
    }

    /// Nil: nothing has to be said.
    func token(_ line: Line, _ token: TokenHealth, before: TokenHealth?) -> LogLine? {
        let fields: [(LogLine.Field, String)] = [(.line, line.name)]
        let remedy = "give the line a new one: outboxctl line add \(line.name) --token -"
        switch (token.state, token.words) {
        case (.expiring, let said?): return LogLine(.warning, .tokenExpires, "\(said): \(remedy)", fields)
        case (.lastDay, let said?): return LogLine(.error, .tokenExpires, "\(said): \(remedy)", fields)
        case (_, let said?):
            return LogLine(
                .error, .tokenRefused, "\(said); its messages are held and none fails: \(remedy)",
                fields + [(.gate, "line")])
        case (_, nil):
            guard let before, before.state != .valid else { return nil }
            return LogLine(.notice, .lineReleased, "Meta takes the line's access token", fields)
        }
    }

    func notRead(_ line: Line, _ failure: Failure) -> LogLine {
        LogLine(
            .info, .lineNotRead, "Meta did not say how the line does: \(failure.message)",
            [(.line, line.name), (.code, failure.code)])
    }

    func news(_ news: AccountNews, _ line: Line) -> LogLine {
        LogLine(.notice, .accountNews, "news of Meta's: \(news.words)", [(.line, line.name)])
    }

    func paused(_ pause: Pause) -> LogLine {
        let until = pause.until.map { " until \($0.rfc3339)" } ?? ""
        let reason = pause.reason.map { ": \($0)" } ?? ""
        return LogLine(.notice, .paused, "\(pause.words) paused\(until) by \(pause.who)\(reason)", [(.gate, "pause")])
    }

    /// `who` is nil when its time was over.
    func resumed(_ pause: Pause, by who: String?) -> LogLine {
        LogLine(.notice, .resumed, "\(pause.words) resumed \(who.map { "by \($0)" } ?? "at the end of its time")")
    }

    func campaign(_ told: CampaignTold, _ id: String) -> LogLine {
        let campaign = told.campaign
        let what =
            switch told.kind {
            case .campaignStarted: "began"
            case .campaignPaused: "was paused"
            case .campaignResumed: "goes on"
            case .campaignAborted: "was stopped by its canary"
            case .campaignCompleted: "has ended: nothing of it waits any more"
            default: "was cancelled"
            }
        let reason = campaign.reason.map { ": \($0)" } ?? ""
        return LogLine(
            told.kind == .campaignAborted ? .warning : .notice, .campaignChanged,
            "the campaign \(campaign.settings.name) \(what)\(reason)",
            [(.campaign, id)] + (told.actor.map { [(.actor, $0)] } ?? []))
    }

    func retention(_ kind: RetentionKind, _ rule: RetentionRule) -> LogLine {
        let age = rule.ageMax.map { " for \($0.components.seconds) s" }
        let count = rule.countMax.map { " the newest \($0)" }
        let words = [count, age].compactMap { $0 }.joined(separator: ",")
        return LogLine(.notice, .retentionChanged, "\(kind.name) is kept\(words.isEmpty ? " for ever" : words)")
    }

    func pruned(_ count: Int64) -> LogLine {
        LogLine(.info, .pruned, "\(count) messages and log entries that ended long ago were removed")
    }

    func erased(_ report: ErasureReport, _ person: String, by who: String?) -> LogLine {
        let kept =
            report.kept.isEmpty ? "nothing is kept" : "kept for now: \(report.kept.map(\.what).joined(separator: ", "))"
        return LogLine(
            .notice, .personErased,
            "all of \(person) was erased: \(report.messages) messages, \(report.received) received; \(kept)",
            who.map { [(.actor, $0)] } ?? [])
    }

    func resolved(_ id: MessageID, _ result: RequestResult) -> [LogLine] {
        guard case .done(let state) = result else { return [] }
        return [
            LogLine(
                .notice, .outcomeResolved, "somebody said what became of an unknown outcome: message \(state)",
                [(.message, idText(id))])
        ]
    }

    func early(_ status: StatusReport) -> LogLine {
        LogLine(.debug, .statusEarly, "status \(status.report) waits for its message")
    }

    /// `problem` names the field; `subscription` is the bot, where it is its reply.
    func replyRefused(_ problem: String, of line: Line, to inbound: MessageID, subscription: Int64?) -> LogLine {
        var fields: [(LogLine.Field, String)] = [(.line, line.name), (.message, inboundText(inbound))]
        if let subscription { fields.append((.subscription, String(subscription))) }
        let whose = subscription == nil ? "the line's own answer" : "a bot's reply"
        return LogLine(.warning, .replyRefused, "\(whose) was not sent: \(problem)", fields)
    }

    func received(_ message: StoredInbound, id: String) -> LogLine {
        LogLine(
            .info, .messageReceived, "message received: \(message.type.prefix(32))",
            [(.message, id), (.line, message.line), (.to, shown(message.correspondent.replyTo ?? "unknown"))])
    }
}
