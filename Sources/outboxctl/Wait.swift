import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

/// `send --wait`: hears the events of one message until it has come as far as is wanted.
struct Wait {
    private let wanted: String
    private let timeout: Duration
    private static let order = ["sent", "delivered", "read"]

    /// Nil when nobody wants to wait.
    init?(_ arguments: Arguments) throws {
        guard let wanted = arguments["wait"] else { return nil }
        guard Self.order.contains(wanted) else {
            throw Arguments.Problem("--wait=\(wanted): must be sent, delivered or read")
        }
        self.wanted = wanted
        timeout = .seconds(try arguments["timeout"].map(seconds) ?? 60)
    }

    private enum End {
        case reached
        case failed(status: String, code: String, reason: String)
    }

    /// The id is on standard output already; whatever comes between, the message is with outboxd.
    func run(_ id: String, _ client: Client) throws {
        fflush(nil)
        var end: End?
        // From its first event on: what happened since the answer is heard too.
        var follower = LogFollower(client, ["message=\(percentEncoded(id))"], after: 0)
        follower.deadline = .now + timeout
        follower.hasConnected = true
        _ = try follower.run { event, line in
            end = self.end(event)
            if end != nil, client.wantsJSON { print(String(decoding: shown(json: line), as: UTF8.self)) }
            return end == nil
        }
        switch end {
        case .reached: return
        case .failed(let status, let code, let reason):
            complain("outboxctl: \(id) is \(status)\(code.isEmpty ? "" : ": \(code)") \(reason)")
            throw ExitStatus.messageFailed
        case nil where isThere(id, client): return
        case nil:
            complain("outboxctl: not \(wanted) within \(timeout.components.seconds) s; \(place(of: id, client))")
            throw ExitStatus.timedOut
        }
    }

    /// Its events may not have reached us: the message itself knows.
    private func isThere(_ id: String, _ client: Client) -> Bool {
        guard let message = try? client.quietly({ try $0.call("GET", "/v1/messages/\(percentEncoded(id))") }),
            let place = message["status"]?.string.flatMap({ Self.order.firstIndex(of: $0) }),
            let goal = Self.order.firstIndex(of: wanted)
        else { return false }
        return place >= goal
    }

    private func end(_ event: JSONValue) -> End? {
        guard let data = event["data"], let status = data["status"]?.string else { return nil }
        if status == "failed" || status == "cancelled" {
            return .failed(
                status: status, code: data["errorCode"]?.string ?? "", reason: data["errorMessage"]?.string ?? "")
        }
        guard let place = Self.order.firstIndex(of: status), let goal = Self.order.firstIndex(of: wanted) else {
            return nil
        }
        return place >= goal ? .reached : nil
    }

    /// One line of what `why` tells.
    private func place(of id: String, _ client: Client) -> String {
        let path = "/v1/messages/\(percentEncoded(id))/why"
        guard let why = try? client.quietly({ try $0.call("GET", path) }) else { return "outboxd does not answer" }
        let status = plain(why["status"])
        let gates = why["gates"]?.elements.map { $0 } ?? []
        if let gate = gates.first(where: { $0["passes"]?.bool == false }) {
            return "it is \(status) and waits at \(plain(gate["gate"])): \(plain(gate["reason"]))"
        }
        return "it is \(status): \(plain(why["estimate"]))"
    }
}
