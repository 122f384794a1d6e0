import OutboxCore
import OutboxStore

/// A message's way in the journal: a line a step, the last of which sums it up.
extension WriterWords {
    /// `lineName` is nil for a line that is gone.
    func told(_ steps: [Told], lineName: (Int64) -> String?) -> [LogLine] {
        guard !steps.isEmpty else { return [] }
        let levels: [LogLevel] = [.warning, .notice, .info, .debug].filter(writes)
        return steps.compactMap { told in
            let (level, kind) = sort(told)
            return levels.contains(level) ? LogLine(level, kind, words(told), fields(told, lineName(told.line))) : nil
        }
    }

    private func fields(_ told: Told, _ lineName: String?) -> [(LogLine.Field, String)] {
        var fields: [(LogLine.Field, String)] = [(.message, idText(told.message))]
        if let lineName { fields.append((.line, lineName)) }
        if told.attempt > 0 { fields.append((.attempt, String(told.attempt))) }
        fields.append((.to, shown(told.person)))
        if let code = told.failureNow?.code { fields.append((.code, code)) }
        if let gate = told.gateName { fields.append((.gate, gate)) }
        if let actor = told.actor { fields.append((.actor, actor)) }
        return fields
    }

    private func sort(_ told: Told) -> (LogLevel, LogKind) {
        guard case .event(let event) = told.step else { return (.debug, .messageWaits) }
        return switch event {
        case .accepted: (.info, .messageAccepted)
        case .due: (.debug, .messageDue)
        case .claimed: (.debug, .messageClaimed)
        case .sent: (.info, .messageSent)
        case .delivered: (.info, .messageDelivered)
        case .read: (.info, .messageRead)
        case .failed: (.warning, .messageFailed)
        case .cancelled: (.info, .messageCancelled)
        case .retrying: (.info, .messageRetrying)
        case .retryRequested: (.info, .messageRequeued)
        case .outcomeUnknown: (.warning, .outcomeUnknown)
        case .duplicate: (.warning, .messageDuplicate)
        case .noReceipt: (.notice, .messageNoReceipt)
        case .noted, .received, .lineUpdated, .templateUpdated, .accountUpdated, .contactUpdated,
            .operatorChange, .campaignStarted, .campaignPaused, .campaignResumed, .campaignAborted,
            .campaignCompleted, .campaignCancelled:
            (.debug, .messageNoted)
        }
    }

    private func words(_ told: Told) -> String {
        let reason = told.failureNow?.message ?? "Meta gave no reason"
        guard case .event(let event) = told.step else { return "message waits: \(told.gate.name)" }
        switch event {
        case .accepted:
            let gate = told.gate == .none ? "" : ", waits: \(told.gate.name)"
            return "message accepted, \(told.state)\(gate)"
        case .due: return "message queued: its time has come"
        case .claimed: return "attempt \(told.attempt) leaves"
        case .sent: return "message sent"
        case .delivered: return "message delivered: \(told.summary)"
        case .read: return "message read: \(told.summary)"
        case .failed: return "message failed: \(reason); \(told.summary)"
        case .cancelled: return "message cancelled: \(told.summary)"
        case .retrying: return "message will be tried again: \(reason)"
        case .retryRequested: return "message queued again on request"
        case .outcomeUnknown: return "outcome unknown: \(reason)"
        case .duplicate: return "a second copy of the message reached Meta: an attempt thought lost arrived"
        case .noReceipt: return "Meta's time to deliver is over and nothing was heard of the message"
        case .noted, .received, .lineUpdated, .templateUpdated, .accountUpdated, .contactUpdated,
            .operatorChange, .campaignStarted, .campaignPaused, .campaignResumed, .campaignAborted,
            .campaignCompleted, .campaignCancelled:
            return "an answer or status came late and changed nothing"
        }
    }
}

extension Told {
    /// A failure that this step speaks of.
    fileprivate var failureNow: Failure? {
        switch step {
        case .event(.failed), .event(.retrying), .event(.outcomeUnknown): failure
        default: nil
        }
    }

    /// What it waits on from this step on.
    fileprivate var gateName: String? {
        switch (step, state) {
        case (.event(.outcomeUnknown), _): "outcome_unknown"
        case (.event(.retrying), _): "backoff"
        case (.event(.accepted), .scheduled): "due_time"
        default: gate == .none ? nil : gate.name
        }
    }

    /// `1 attempt on main; accepted 2026-11-21T19:00:00.000Z, sent after 0.2 s, delivered after 1.4 s`
    fileprivate var summary: String {
        let accepted = message.moment
        func after(_ word: String, _ moment: Timestamp?) -> String? {
            moment.map { "\(word) after \(seconds($0.milliseconds - accepted.milliseconds))" }
        }
        var steps = ["accepted \(accepted.rfc3339)"]
        steps += [after("sent", sentAt), after("delivered", deliveredAt), after("read", readAt)].compactMap { $0 }
        switch state {
        case .failed, .cancelled: steps += [after("ended", at)].compactMap { $0 }
        default: break
        }
        return "\(attempt == 1 ? "1 attempt" : "\(attempt) attempts"); \(steps.joined(separator: ", "))"
    }
}

/// Tenths below a minute, whole seconds above.
private func seconds(_ milliseconds: Int64) -> String {
    let milliseconds = max(0, milliseconds)
    guard milliseconds < 60_000 else { return "\(milliseconds / 1000) s" }
    return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
}
