import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Takes attempts to Meta and brings their outcomes back.
final class Sender: Sendable {
    private let client: HTTPClient<Attempt>
    private let secrets: Secrets
    private let journal: Journal
    private let target: Lock<Target>
    /// By line.
    private let addresses = Lock<[Int64: Address]>([:])
    private let outcomes: @Sendable ([AttemptOutcome]) -> Void

    struct Target: Sendable {
        var endpoint: GraphEndpoint
        var timeout: Duration
    }

    /// Where a line's messages go as long as nothing of this changes.
    private struct Address {
        let endpoint: GraphEndpoint
        let phoneNumberID: String
        let token: String
        let value: SendAddress
    }

    /// More lines than anybody has; those that are gone are forgotten with all others.
    private static let addressesMax = 10_000

    init(
        target: Target, connections: Int, secrets: Secrets, journal: Journal,
        outcomes: @escaping @Sendable ([AttemptOutcome]) -> Void
    ) {
        self.secrets = secrets
        self.journal = journal
        self.target = Lock(target)
        self.outcomes = outcomes
        let parser = Handover(JSONParser())
        client = HTTPClient(name: "sender", connectionsMax: connections) { completions in
            outcomes(
                completions.map {
                    AttemptOutcome(
                        attempt: $0.context, outcome: outcome(of: $0.result, parser: parser.value), took: $0.took)
                })
        }
    }

    var endpoint: GraphEndpoint { target.withLock { $0.endpoint } }

    func set(_ target: Target) { self.target.withLock { $0 = target } }

    /// Called on the writer's thread; each attempt comes back as one outcome.
    func send(_ attempts: [Attempt]) {
        let target = target.withLock { $0 }
        var requests: [(OutgoingRequest, Attempt, HTTPPlace)] = []
        var unsendable: [AttemptOutcome] = []
        for attempt in attempts {
            guard let token = secrets.value(attempt.credential) else {
                unsendable.append(AttemptOutcome(attempt: attempt, outcome: withoutToken(attempt)))
                continue
            }
            let request = address(attempt, target.endpoint, token).request(
                to: attempt.to, type: attempt.type, content: attempt.content, opaque: attempt.opaque,
                timeout: target.timeout)
            let lane = HTTPLane(
                id: attempt.line, interval: attempt.spacing, burst: attempt.burst,
                waitMax: UInt64(target.timeout.components.seconds) * 1_000_000_000)
            requests.append((request, attempt, HTTPPlace(moment: attempt.notBefore, lane: lane)))
        }
        if !requests.isEmpty { client.send(requests) }
        if !unsendable.isEmpty { outcomes(unsendable) }
    }

    private func address(_ attempt: Attempt, _ endpoint: GraphEndpoint, _ token: String) -> SendAddress {
        addresses.withLock { addresses in
            if let known = addresses[attempt.line], known.token == token, known.endpoint == endpoint,
                known.phoneNumberID == attempt.phoneNumberID
            {
                return known.value
            }
            if addresses.count >= Self.addressesMax { addresses = [:] }
            let value = endpoint.messages(of: attempt.phoneNumberID, token: token)
            addresses[attempt.line] = Address(
                endpoint: endpoint, phoneNumberID: attempt.phoneNumberID, token: token, value: value)
            return value
        }
    }

    /// A line without a token holds its messages; it does not fail them.
    private func withoutToken(_ attempt: Attempt) -> Outcome {
        journal.write(
            LogLine(
                .error, .secretMissing,
                "no access token: the secret \(attempt.credential) is missing; give it with outboxctl line add, "
                    + "or as a credential, and reload",
                [(.line, attempt.lineName)]))
        return .refused(
            Failure(code: "NO_TOKEN", message: "the secret \(attempt.credential) holds no access token"),
            .lineLater(askedFor: .seconds(5)))
    }

    /// Calls `body` on the thread that talks to Meta.
    func call(_ body: @escaping @Sendable () -> Void) { client.call(body) }

    /// Lets what is under way end; what takes longer is broken off, its outcome unknown.
    func finish(within patience: Duration) { client.finish(within: patience) }
}
