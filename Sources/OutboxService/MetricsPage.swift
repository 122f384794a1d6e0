import OutboxAPI
import OutboxCore
import OutboxStore

/// The families of one answer.
struct MetricsPage {
    let lines: [Line]
    let writer: WriterMeasures
    let process: ProcessMeasures

    private var queue: QueueSnapshot { writer.queue }
    private var counted: WriterMetrics { writer.metrics }
    private var gates: [Gate] { Gate.allCases.filter { $0 != .none } }

    func writeProcess(to metrics: inout OpenMetrics) {
        metrics.family("outboxd_build", .info, "The version that runs.") { $0.sample(1, ["version": outboxVersion]) }
        metrics.family("outboxd_start_time_seconds", .gauge, "When the process started, in Unix time.") {
            $0.sample(real: Double(process.facts.startedAt.milliseconds) / 1000)
        }
        metrics.family("outboxd_connections", .gauge, "Open connections, of all sockets.") {
            $0.sample(Int64(process.facts.connections))
        }
        metrics.family("outboxd_event_followers", .gauge, "Callers who read or follow the event log.") {
            $0.sample(Int64(process.followers))
        }
    }

    func writeMessages(to metrics: inout OpenMetrics) {
        metrics.family("outboxd_messages", .gauge, "Messages kept, by state.") { family in
            for line in lines {
                for state in MessageState.allCases {
                    family.sample(queue.count(line.id, state), ["line": line.name, "state": state.name])
                }
            }
        }
        metrics.family("outboxd_submissions", .counter, "Messages taken into the queue.") { family in
            for line in lines { family.sample(counted.submitted[line.id] ?? 0, ["line": line.name]) }
        }
        metrics.family("outboxd_message_transitions", .counter, "How often a message came into a state.") { family in
            for line in lines {
                for state in MessageState.allCases {
                    let place = Tally.LineState(line: line.id, state: state)
                    family.sample(counted.entered[place] ?? 0, ["line": line.name, "state": state.name])
                }
            }
        }
        metrics.family("outboxd_unknown_outcomes", .gauge, "Messages of which nobody knows whether they were sent.") {
            for line in lines { $0.sample(queue.unknown(line.id), ["line": line.name]) }
        }
        metrics.family(
            "outboxd_schedule_lateness_seconds", .histogram,
            "From the time a message was scheduled for until it came into the queue."
        ) { $0.histogram(counted.lateness) }
    }

    func writeAttempts(to metrics: inout OpenMetrics) {
        let all = counted.attempts.sorted {
            ($0.key.line, $0.key.outcome, $0.key.code) < ($1.key.line, $1.key.outcome, $1.key.code)
        }
        metrics.family(
            "outboxd_attempts", .counter, "Attempts that ended, by what became of them and the code of the failure."
        ) { family in
            for (key, count) in all {
                guard let line = queue.lines[key.line] else { continue }
                family.sample(count, ["line": line.name, "outcome": key.outcome, "code": key.code])
            }
        }
        metrics.family("outboxd_attempts_under_way", .gauge, "Attempts whose outcome has not come back.") {
            $0.sample(Int64(writer.underWay))
        }
        metrics.family(
            "outboxd_send_duration_seconds", .histogram, "A POST to Meta, from its beginning to the whole answer."
        ) { $0.histogram(counted.sends) }
    }

    func writeGates(to metrics: inout OpenMetrics) {
        func places(_ body: (Tally.LineGate, KeyValuePairs<String, String>) -> Void) {
            for line in lines {
                for gate in gates {
                    body(Tally.LineGate(line: line.id, gate: gate), ["line": line.name, "gate": gate.name])
                }
            }
        }
        metrics.family("outboxd_gate_messages", .gauge, "Messages that wait at a gate.") { family in
            places { family.sample(queue.count($0.line, $0.gate), $1) }
        }
        metrics.family("outboxd_gate_deferrals", .counter, "How often a message was put at a gate.") { family in
            places { family.sample(counted.deferred[$0] ?? 0, $1) }
        }
        metrics.family(
            "outboxd_gate_wait_seconds", .counter, "Time spent at a gate, of all messages together, up to now."
        ) { family in
            places { family.sample(real: counted.waited[$0] ?? 0, $1) }
        }
    }

    func writeLimits(to metrics: inout OpenMetrics) {
        metrics.family("outboxd_line_can_send", .gauge, "0 when Meta says that the line cannot send.") { family in
            for line in lines { family.sample(queue.canSend(line.id) ? 1 : 0, ["line": line.name]) }
        }
        metrics.family("outboxd_line_held", .gauge, "1 while nothing of the line gets through.") { family in
            for line in lines { family.sample(writer.heldLines.contains(line.id) ? 1 : 0, ["line": line.name]) }
        }
        metrics.family(
            "outboxd_line_token_valid", .gauge, "0 when Meta does not take the line's access token, or it has ended."
        ) { family in
            for line in lines {
                guard let token = queue.token(line.id) else { continue }
                family.sample(token.state.isOver ? 0 : 1, ["line": line.name])
            }
        }
        metrics.family(
            "outboxd_line_token_expiry_time_seconds", .gauge,
            "When the line's access token ends, in Unix time; +Inf for one that never does."
        ) { family in
            for line in lines {
                guard let token = queue.token(line.id) else { continue }
                let end = token.expiresAt.map { Double($0.milliseconds) / 1000 } ?? .infinity
                family.sample(real: end, ["line": line.name])
            }
        }
        metrics.family("outboxd_meta_held", .gauge, "1 while nothing gets through to Meta, of any line.") {
            $0.sample(writer.metaIsHeld ? 1 : 0)
        }
        let pools = queue.pools.values.filter { pool in lines.contains { $0.pool == pool.id } }
            .sorted { $0.name < $1.name }
        metrics.family("outboxd_tier_people_used", .gauge, "People counted in the last 24 hours.") { family in
            for pool in pools { family.sample(queue.used(pool), ["pool": pool.name]) }
        }
        metrics.family("outboxd_tier_people_limit", .gauge, "People the tier allows in 24 hours.") { family in
            for pool in pools {
                family.sample(real: pool.tier.people.map(Double.init) ?? .infinity, ["pool": pool.name])
            }
        }
    }

    func writeCallbacks(to metrics: inout OpenMetrics) {
        let all = process.callbacks.sorted { $0.subscription < $1.subscription }
        metrics.family(
            "outboxd_callback_backlog_events", .gauge,
            "Events of the log not looked at yet for an active subscription, and events it is still to be told."
        ) { family in
            for one in all {
                let backlog = max(0, queue.lastEvent - one.readTo) + Int64(one.loaded)
                family.sample(backlog, ["subscription": String(one.subscription)])
            }
        }
        metrics.family("outboxd_callback_endpoint_held", .gauge, "1 while the endpoint takes nothing.") { family in
            for one in all { family.sample(one.isHeld ? 1 : 0, ["subscription": String(one.subscription)]) }
        }
        metrics.family("outboxd_callback_events", .counter, "Events told to endpoints, or given up.") { family in
            family.sample(counted.callbacks[.delivered] ?? 0, ["result": "delivered"])
            family.sample(counted.callbacks[.failed] ?? 0, ["result": "given_up"])
        }
    }

    func writeWebhooks(to metrics: inout OpenMetrics) {
        let totals = queue.webhookTotals
        metrics.family("outboxd_webhook_calls", .counter, "Calls of Meta's, by app.") { family in
            for (app, count) in counted.webhooks.sorted(by: { $0.key < $1.key }) {
                family.sample(count, ["app": app, "result": "stored"])
            }
            for (app, count) in process.facts.refusedWebhooks.sorted(by: { $0.key < $1.key }) {
                family.sample(Int64(count), ["app": app, "result": "refused"])
            }
        }
        metrics.family(
            "outboxd_webhook_updates", .counter, "What was in Meta's calls, since the database was made."
        ) { family in
            for kind in WebhookCount.allCases where kind != .received {
                family.sample(totals.counts[kind] ?? 0, ["kind": kind.metricName])
            }
            family.sample(totals.others.reduce(0) { $0 + $1.count }, ["kind": "not_understood"])
        }
        metrics.family("outboxd_webhook_waiting_statuses", .gauge, "Statuses that wait for their message.") {
            $0.sample(totals.waiting)
        }
    }

    func writeStore(to metrics: inout OpenMetrics) {
        metrics.family("outboxd_events", .counter, "Entries of the event log, since the database was made.") {
            $0.sample(queue.lastEvent)
        }
        metrics.family(
            "outboxd_commit_duration_seconds", .histogram, "A commit, until what it wrote was on stable storage."
        ) { $0.histogram(counted.commits) }
    }
}

extension WebhookCount {
    fileprivate var metricName: String {
        switch self {
        case .received: "received"
        case .statuses: "statuses"
        case .messages: "messages"
        case .repeatedStatuses: "repeated_statuses"
        case .repeatedMessages: "repeated_messages"
        case .earlyStatuses: "early_statuses"
        case .droppedStatuses: "dropped_statuses"
        case .foreignMessages: "foreign_messages"
        }
    }
}
