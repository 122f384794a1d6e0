package import OutboxCore
import OutboxJSON

/// What came of the wish to send a message from another line.
package enum MoveResult: Equatable, Sendable {
    case done(MessageState, line: String)
    case notFound
    /// It has left, or may have, or has ended.
    case notWaiting(MessageState)
    case same
    /// The other line would not take it.
    case refused(SubmitRefusal)
}

extension Queue {
    /// Gives a message that waits to another line of its account, where it stands behind those that wait there. What
    /// the line would say to a new message it says to this one.
    package func move(
        _ id: MessageID, to name: String, dryRun: Bool, by who: String, account: Int64, now: Timestamp
    ) throws -> MoveResult {
        guard let old = try load(id), old.account == account else { return .notFound }
        guard old.standing.state.isWaiting else { return .notWaiting(old.standing.state) }
        guard let line = self.line(named: name, account: account) else { return .refused(.noSuchLine(name)) }
        guard line.id != old.line else { return .same }
        if let refusal = try refusal(of: old, on: line, now) { return .refused(refusal) }
        if dryRun { return .done(old.standing.state, line: name) }

        let from = memory.lines[old.line]?.name
        let isQueued = old.standing.state == .queued
        let gate = isQueued ? try gateOnEntry(line.id, old.priority, old.person) : .none
        let turn = isQueued ? nextTurn(line.id, old.priority, old.batch) : old.turn
        var byPerson = false
        if old.standing.state.isLive {
            _ = pairs.leave(id, old.line, old.person)
            byPerson = try enter(
                id, line.id, old.person, indexed: gate != .none || old.standing.state == .retrying)
        }
        try database.prepare(
            """
            UPDATE message SET line = :line, turn = :turn, gate = :gate, gated_at = :gated, cohort = :cohort,
                by_person = :by_person WHERE id = :id
            """
        ).run(
            .integer(line.id), .integer(turn), .integer(gate.rawValue),
            .optional(gate == .none ? nil : now.milliseconds), .integer(try recount(old, on: line.id)),
            .integer(byPerson ? 1 : 0), .integer(id.rawValue))
        records.forget(id)
        func key(_ line: Int64, _ gate: Gate) -> Counters.Key {
            Counters.Key(line: line, state: old.standing.state, priority: old.priority, gate: gate)
        }
        memory.counters.moved(from: key(old.line, old.gate), to: key(line.id, gate))
        // Who stood behind it there need not wait for it.
        if old.goesFirst { try releaseFollower(of: old) }
        guard var record = try load(id) else { return .notFound }
        var json = JSONWriter()
        json.object {
            $0.field("movedFrom", from)
            $0.field("movedTo", line.name)
            $0.field("by", who)
        }
        try save(&record, .noted, at: now, detail: json.bytes)
        return .done(record.standing.state, line: line.name)
    }

    private func refusal(of record: Record, on line: Line, _ now: Timestamp) throws -> SubmitRefusal? {
        if line.settings.whenStopped == .refuse, let stop = memory.health[line.id]?.stop {
            return .lineStopped(line.name, stop)
        }
        if let template = record.template, let known = memory.templates[line.id], known[template] == nil {
            return .template([
                TemplateProblem(
                    field: "line", message: "\(line.name) has no template \(template.text); see outboxctl template ls")
            ])
        }
        guard record.template == nil, record.standing.state == .queued, line.settings.closedWindow == .refuse else {
            return nil
        }
        let hasFallback = try database.prepare("SELECT fallback IS NOT NULL FROM message WHERE id = :id")
            .first(.integer(record.id.rawValue)) { $0.integer(0) != 0 }
        let window = try contact(line.id, record.person)?.windowUntil
        let isOpen = GateFacts.windowIsOpen(window, now: limitsNow, deadline: attemptMax)
        return hasFallback == true || isOpen ? nil : .windowClosed("message")
    }
}
