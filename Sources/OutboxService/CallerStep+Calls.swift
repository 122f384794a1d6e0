import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Calls that may go now, signed.
extension CallerStep {
    func startCalls(_ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs) {
        turns += 1
        let ids = open
        let busy = ids.count { !(endpoints[$0]?.queue?.isEmpty ?? true) }
        // Whoever is slow fills its own share alone.
        let share = max(1, min(CallbackQueue.windowMax, Self.callsMax / max(1, busy)))
        var room = Self.callsMax - endpoints.values.reduce(0) { $0 + ($1.queue?.underWay ?? 0) }
        let first = ids.isEmpty ? 0 : turns % ids.count
        for id in ids[first...] + ids[..<first] {
            guard room > 0, let endpoint = endpoints[id], let underWay = endpoint.queue?.underWay,
                endpoint.unconfirmed < Self.unconfirmedMax
            else { continue }
            let calls = endpoints[id]?.queue?.start(room: min(room, share - underWay), now: now) ?? []
            room -= calls.count
            for call in calls {
                let events = call.map(\.event)
                do {
                    try start(events, endpoint.subscription, now, tick, &outputs)
                } catch {
                    endpoints[id]?.queue?.abandoned(events)
                    unreadable(error, now, &outputs)
                }
            }
        }
    }

    private func start(
        _ events: [Int64], _ subscription: Subscription, _ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs
    ) throws {
        let id = subscription.id
        var found: [LoggedEvent] = []
        // One transaction: each by itself would lock the file anew.
        try store.together { found = try events.compactMap { try logged($0, id, now, &outputs) } }
        guard let first = found.first else { return }
        let events = found.map(\.sequence)
        // Looked at again: the daemon may have been started with other settings since it was set.
        if let problem = problem(ofAddress: id, subscription.settings.url) {
            settle(id, events, .refused("its url \(problem)"), now, &outputs)
            return
        }
        guard let signing = signing(id, subscription) else {
            try tellOfMissingSecret(events, subscription, now, &outputs)
            return
        }
        endpoints[id]?.noSecretUntil = nil
        guard subscription.settings.eventsPerCall == 1 else {
            let call = GatheredCall(found, codec, parser)
            // Where they are too many bytes the last ones go with the next call.
            endpoints[id]?.queue?.abandoned(Array(events.dropFirst(call.count)))
            if call.count < events.count { outputs.goOn = true }
            let request = signing.request(id: call.name, CallbackWords(body: call.body), now: now)
            let told = Array(events.prefix(call.count))
            outputs.calls.append((request, CallbackCall(subscription: id, events: told, startedAt: tick)))
            return
        }
        var json = JSONWriter(capacity: 512)
        let name = first.write(to: &json, codec, parser)
        let question = try question(first, to: subscription)
        let words = try words(json.bytes, first.kind, for: subscription, signing.secrets)
        // One more than may be, so that one too many is seen.
        let request = signing.request(
            id: name, words, reads: question == nil ? nil : BotQuestion.answerBytesMax + 1, now: now)
        outputs.calls.append(
            (request, CallbackCall(subscription: id, events: events, question: question, startedAt: tick)))
    }

    /// Nil: it is no longer there, which is settled.
    private func logged(_ event: Int64, _ id: Int64, _ now: Timestamp, _ outputs: inout Outputs) throws -> LoggedEvent?
    {
        if let logged = try log.event(event), logged.kind.publicName != nil { return logged }
        if let delivery = endpoints[id]?.queue?.pruned(event, now: now) {
            endpoints[id]?.results.append(delivery)
            outputs.log.append(words(.gaveUp, id, delivery))
        }
        outputs.goOn = true
        return nil
    }

    private func tellOfMissingSecret(
        _ events: [Int64], _ subscription: Subscription, _ now: Timestamp, _ outputs: inout Outputs
    ) throws {
        let id = subscription.id
        // Its file goes behind its row: whoever removed it has not told here yet.
        guard try reader.subscription(id) != nil else {
            endpoints[id]?.queue?.abandoned(events)
            stale.insert(id)
            outputs.goOn = true
            return
        }
        if endpoints[id]?.noSecretUntil.map({ $0 <= now }) ?? true {
            let text =
                "no secret: \(subscription.secret) is missing; restore it, or outboxctl webhook rotate, and reload"
            outputs.log.append(LogLine(.error, .secretMissing, text, [(.subscription, String(id))]))
            endpoints[id]?.noSecretUntil = now + Self.secretPatience
        }
        // As an endpoint that takes nothing: it shows, and it does not hold retention back for ever.
        let error = "its secret \(subscription.secret) is missing: rotate it"
        settle(id, events, .failed(status: nil, error: error, askedFor: nil), now, &outputs)
    }

    /// What speaks against calling it.
    private func problem(ofAddress id: Int64, _ url: String) -> String? {
        let allows = allowsHTTP()
        if let known = endpoints[id]?.address, known.allowsHTTP == allows { return known.problem }
        let problem = CallbackAddress.problem(url, allowsHTTP: allows)
        endpoints[id]?.address = (allows, problem)
        return problem
    }

    /// Nil: there is no secret.
    private func signing(_ id: Int64, _ subscription: Subscription) -> CallbackSigning? {
        let file = secret(subscription.secret)
        if let known = endpoints[id]?.signing, known.file == file { return known }
        let signing = CallbackSigning(file, url: subscription.settings.url)
        endpoints[id]?.signing = signing
        return signing
    }

    /// What a bot is asked with this event; nil: the subscription is none of its line's, or it is of something else.
    private func question(_ event: LoggedEvent, to subscription: Subscription) throws -> BotQuestion? {
        guard event.kind == .received, let line = event.line, try reader.isBot(subscription, ofLine: line) else {
            return nil
        }
        return BotQuestion(event, line: line, account: subscription.account, codec, parser)
    }
}
