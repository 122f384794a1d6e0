import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem
import TestKit

@testable import OutboxService

/// Whoever calls the endpoints of subscriptions, in turns of its own, and the calls on their way.
extension Simulation {
    /// As another thread does: the mail comes a little later, in its order.
    func tellCaller(_ mail: [CallerMail]) {
        guard !mail.isEmpty, caller != nil else { return }
        lastMailAt = max(lastMailAt, time + random(0...3))
        agenda.add(.callerMail(mail, life: life), at: lastMailAt)
    }

    func callerGot(_ mail: [CallerMail]) {
        callerMail += mail
        wakeCaller(at: time)
    }

    func wakeCaller(at moment: Int64) {
        guard moment < nextCallerTurn else { return }
        nextCallerTurn = moment
        agenda.add(.callerTurn(life: life), at: moment)
    }

    func callerTurn() {
        guard let caller else { return }
        nextCallerTurn = .max
        let mail = callerMail
        callerMail = []
        let outputs = caller.turn(mail, now: wall, tick: tick)
        listens = caller.listens
        // A kill loses what was decided and not done.
        if !isEnding, happens(mail.isEmpty ? 0.0001 : 0.001) { return kill() }
        for (request, call) in outputs.calls {
            callsMade += 1
            callsUnderWay[callsMade] = call
            agenda.add(.ring(request, callsMade, life: life), at: time + random(1...40))
        }
        for report in outputs.reports { post(.callbacks(report)) }
        if outputs.goOn { wakeCaller(at: time + 1) }
        if let moment = outputs.wake { wakeCaller(at: max(time + 1, moment.milliseconds - Self.epoch - wallAhead)) }
    }

    /// The address tells whose call it is: `https://HOST.example/SUBSCRIBER`.
    static func address(_ number: Int, host: Int) -> String { "https://\(host).example/\(number)" }

    func ring(_ request: OutgoingRequest, _ serial: Int, _ life: Int) throws {
        let words = request.url.dropFirst("https://".count).split(separator: "/")
        guard words.count == 2, let host = words[0].first?.wholeNumberValue, let number = Int(words[1]) else {
            return history.problem("\(request.url) was called")
        }
        func header(_ name: String) -> String {
            request.headers.first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) } ?? ""
        }
        let body = try parser.parse(request.body)
        let id = header("webhook-id")
        let signed = Array("\(id).\(header("webhook-timestamp")).".utf8) + request.body
        let isSigned = told.subscribers[number].secrets.contains {
            header("webhook-signature").split(separator: " ").contains(
                "v1,\(Base64.text(hmacSHA256(key: $0.bytes, signed)))")
        }
        let events = body["events"].map { Array($0.elements) } ?? [body]
        let reaction = endpoints.receive(
            host, events.map { $0["seq"]?.integer ?? 0 }, isSigned: isSigned, at: time)
        if body["events"] == nil, body["id"]?.string != id {
            history.problem("a body says \(body["id"]?.string ?? ""), its head \(id)")
        }
        for event in events where event["event"]?.string != "test" {
            try hears(number, event, isSigned: isSigned, reaction)
        }
        agenda.add(.rang(serial, reaction.result, life: life), at: time + reaction.after)
    }

    private func hears(
        _ number: Int, _ event: JSONValue, isSigned: Bool, _ reaction: SimulatedEndpoints.Reaction
    ) throws {
        let sequence = event["seq"]?.integer ?? 0
        // What is told may be removed as soon as this endpoint has taken it.
        if told.log[sequence] == nil { try readLog() }
        history.note(Int64(number), sequence, time)
        told.called(
            number, sequence,
            Told.Words(
                id: event["id"]?.string ?? "", event: event["event"]?.string ?? "",
                message: event["data"]?["messageId"]?.string, status: event["data"]?["status"]?.string),
            isSigned: isSigned, reaction, at: time)
    }

    func rang(_ serial: Int, _ result: HTTPResult) {
        guard let call = callsUnderWay.removeValue(forKey: serial) else { return }
        callerGot([.ended(call, result, at: tick)])
    }

    // MARK: The end of a process

    /// No new work; calls under way may end for a while.
    func stop() {
        guard isRunning else { return }
        post(.stopClaiming)
        tellCaller([.stop])
        agenda.add(.ended(life: life), at: time + random(1...20_000))
    }

    /// What is still under way is broken off, what is known is written.
    func endStopped() throws {
        callerGot(
            callsUnderWay.sorted { $0.key < $1.key }.map { .ended($0.value, .broken("broken off"), at: tick) })
        callsUnderWay = [:]
        callerTurn()
        try turn()
        kill()
    }
}
