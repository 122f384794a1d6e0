import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Answers about limits: why a message waits, how lines and pools stand, what is paused.
extension Answerer {
    private var now: Timestamp { Timestamp(milliseconds: wallClockMilliseconds()) }

    func why(_ id: MessageID) throws -> HTTPResponse {
        guard let message = try reader.message(id, account: account) else {
            throw APIError(.notFound, "there is no such message")
        }
        let facts = try reader.whyFacts(
            message, account: account, now: now, limitsNow: clock.now, deadline: deadline)
        let why = facts.explain()
        return .json(200) {
            $0.object("data") {
                $0.field("id", reader.codec.text(id))
                $0.field("status", message.state.name)
                $0.field("binding", why.binding?.name)
                $0.array("gates") { for gate in why.gates { gate.write(to: &$0) } }
                $0.field("ahead", why.ahead)
                $0.field("leavesAt", why.leavesAt?.rfc3339)
                $0.field("estimate", why.estimate)
            }
        }
    }

    func line(_ name: String) throws -> Line {
        guard let line = try reader.lines(account: account).first(where: { $0.name == name }) else {
            throw APIError(.notFound, "there is no line \(name)")
        }
        return line
    }

    func why(line name: String) throws -> HTTPResponse {
        guard let waits = try reader.waits(ofLine: name, account: account, limitsNow: clock.now) else {
            throw APIError(.notFound, "there is no line \(name)")
        }
        let health = try reader.health(waits.line.id).health
        return .json(200) {
            $0.object("data") {
                $0.field("line", name)
                $0.field("stopped", health?.stop)
                $0.field("scheduled", waits.scheduled)
                $0.field("retrying", waits.retrying)
                $0.array("waiting") {
                    for (gate, count) in waits.gates {
                        $0.object {
                            $0.field("gate", gate == .none ? lineGate(waits, health) ?? "throughput" : gate.name)
                            $0.field("count", count)
                        }
                    }
                    if waits.unknown > 0 {
                        $0.object {
                            $0.field("gate", WaitsAt.outcomeUnknown.name)
                            $0.field("count", waits.unknown)
                        }
                    }
                }
                write(waits.lineHold, "held", to: &$0)
                write(waits.metaHold, "metaHeld", to: &$0)
                $0.array("pauses") { for pause in waits.pauses { write(pause, [waits.line], to: &$0) } }
                waits.pool?.write(to: &$0, name: "pool", wall: clock.wall)
            }
        }
    }

    /// What holds a line's messages back that are at no gate of their own; nil: only their turn is missing.
    func lineGate(_ name: String) throws -> String? {
        guard let waits = try reader.waits(ofLine: name, account: account, limitsNow: clock.now) else { return nil }
        return lineGate(waits, try reader.health(waits.line.id).health)
    }

    private func lineGate(_ waits: QueueReader.LineWaits, _ health: LineHealth?) -> String? {
        let account = waits.line.account
        if waits.pauses.contains(where: { $0.holds(line: waits.line.id, account: account) }) { return "pause" }
        if health?.stop != nil || waits.lineHold != nil { return "line" }
        return waits.metaHold != nil ? "meta" : nil
    }

    private func write(_ hold: LineHold.State?, _ name: String, to json: inout JSONWriter) {
        guard let hold else { return }
        json.object(name) {
            $0.field("since", hold.since.rfc3339)
            $0.field("nextTryAt", hold.until.rfc3339)
            $0.field("failures", hold.failures)
            $0.field("errorCode", hold.failure.code)
            $0.field("errorMessage", hold.failure.message)
        }
    }

    func health(_ name: String) throws -> HTTPResponse {
        let line = try line(name)
        let (health, templatesAt, problem) = try reader.health(line.id)
        // Webhooks change what is learned of the pool before the number is read again.
        let catchUp = try reader.catchUp(line.id)
        let token = try reader.token(line.id)?.at(now)
        let tier = try reader.pool(line.pool, limitsNow: clock.now)?.pool.learned ?? health?.tier
        return .json(200) {
            $0.object("data") {
                $0.field("line", name)
                $0.field("status", health?.status.name)
                $0.field("canSendMessage", health?.canSend.name)
                $0.field("qualityRating", health?.quality.name)
                $0.field("messagingLimitTier", tier?.name)
                // Before Meta was asked nothing is known, and nothing is held back.
                if let health {
                    $0.object("capabilities") {
                        $0.field("canSendMessages", health.canSendMessages)
                        $0.field("canSendTemplates", health.canSendTemplates)
                        $0.field("canReceiveMessages", health.canReceiveMessages)
                    }
                }
                $0.field("messagesPerSecond", line.perSecond(health))
                $0.array("reasons") { for reason in health?.reasons ?? [] { $0.value(reason) } }
                $0.field("readAt", health?.readAt.rfc3339)
                $0.field("templatesReadAt", templatesAt?.rfc3339)
                $0.field("problem", problem)
                if let token { token.write(to: &$0, name: "token") }
                catchUp?.write(to: &$0)
            }
        }
    }

    func pools(_ name: String?) throws -> HTTPResponse {
        let pools = try reader.pools(account: account, limitsNow: clock.now)
        guard let name else {
            return .json(200) { json in
                json.array("data") { for pool in pools { pool.write(to: &$0, wall: clock.wall) } }
            }
        }
        guard let pool = pools.first(where: { $0.pool.name == name }) else {
            throw APIError(.notFound, "there is no pool \(name)")
        }
        return .json(200) { pool.write(to: &$0, name: "data", wall: clock.wall) }
    }

    func pauses() throws -> HTTPResponse {
        let lines = try reader.lines(account: account)
        let pauses = try reader.pauses(account: account)
        return .json(200) { json in json.array("data") { for pause in pauses { write(pause, lines, to: &$0) } } }
    }

    func retention() throws -> HTTPResponse {
        let rules = try reader.retention()
        return .json(200) { json in
            json.array("data") {
                for kind in RetentionKind.allCases { (rules[kind] ?? .standard(kind)).write(to: &$0, kind) }
            }
        }
    }

    private func write(_ pause: Pause, _ lines: [Line], to json: inout JSONWriter) {
        let line = pause.line.flatMap { id in lines.first { $0.id == id }?.name }
        pause.write(
            to: &json, line: line, target: pause.shownTarget(reader.codec))
    }
}

extension GateReport {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.field("gate", name)
            $0.field("passes", passes)
            $0.field("reason", reason)
            $0.field("since", since?.rfc3339)
            $0.field("until", until?.rfc3339)
            $0.field("remedy", remedy)
            $0.field("command", command)
        }
    }
}
