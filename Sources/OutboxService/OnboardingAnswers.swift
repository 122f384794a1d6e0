import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Calls that connect a line's number, each one to Meta, and what is to be said of tokens.
extension Answerer {
    func register(_ name: String, pin: String, _ exchange: Exchange, _ asker: Asker, _ askers: Askers) throws {
        let line = try line(name)
        let (changed, refresher) = (askers.changed, askers.refresher)
        try askers.calls.call(exchange, line) { endpoint, token in
            endpoint.register(
                phoneNumberID: line.settings.phoneNumberID, pin: pin, token: token, timeout: GraphCalls.patience)
        } ended: { end in
            if let error = end.error("the number was not registered") { return .answer(.error(error)) }
            changed(asker, OperatorChange(action: "line.registered", line: name))
            // What was stopped for want of it goes at once.
            refresher.ask([Refresher.Subject(line)])
            return .answer(
                .json(200) {
                    $0.object("data") {
                        $0.field("line", name)
                        $0.field("registered", true)
                    }
                })
        }
    }

    func subscribe(_ name: String, _ exchange: Exchange, _ asker: Asker, _ askers: Askers) throws {
        let line = try line(name)
        guard let waba = line.settings.wabaID else {
            throw APIError(.conflict, "the line \(name) has no wabaId: outboxctl line add \(name) --waba-id ID")
        }
        let changed = askers.changed
        try askers.calls.call(exchange, line) { endpoint, token in
            endpoint.subscribe(wabaID: waba, token: token, timeout: GraphCalls.patience)
        } ended: { end in
            if let error = end.error("the app was not subscribed") { return .answer(.error(error)) }
            changed(asker, OperatorChange(action: "line.subscribed", line: name))
            return .answer(
                .json(200) {
                    $0.object("data") {
                        $0.field("line", name)
                        $0.field("wabaId", waba)
                        $0.field("subscribed", true)
                    }
                })
        }
    }

    /// Of lines whose token is about to end, or is taken no more.
    func tokensToTell() throws -> [(line: String, token: TokenHealth)] {
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        let tokens = try reader.tokens()
        return try reader.lines(account: account).compactMap { line in
            guard let token = tokens[line.id]?.at(now), token.state != .valid else { return nil }
            return (line.name, token)
        }
    }
}
