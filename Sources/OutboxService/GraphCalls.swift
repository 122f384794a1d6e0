import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Calls to Meta that somebody on the socket waits for, on connections of their own.
///
/// Bounded in number and time; a caller that goes away costs nothing but the call.
final class GraphCalls: Sendable {
    /// Calls under way, waiting for a connection included.
    static let underWayMax = 64
    static let connections = 8
    /// For one call.
    static let patience = Duration.seconds(20)

    /// What follows from how a call ended.
    enum Consequence: Sendable {
        case answer(HTTPResponse)
        /// The writer answers.
        case write(WriterInput)
    }

    private struct Call: Sendable {
        var exchange: Exchange
        var ended: @Sendable (CallEnd) -> Consequence
    }

    private struct State {
        var underWay = 0
        var isEnding = false
    }

    private let client: HTTPClient<Call>
    private let state: Lock<State>
    private let target: @Sendable () -> GraphEndpoint
    private let secrets: Secrets

    init(
        target: @escaping @Sendable () -> GraphEndpoint, secrets: Secrets, writer: WriterInbox,
        answers: @escaping @Sendable ([(Exchange, HTTPResponse)]) -> Void
    ) {
        self.target = target
        self.secrets = secrets
        let state = Lock(State())
        self.state = state
        let parser = Handover(JSONParser())
        client = HTTPClient(name: "calls", connectionsMax: Self.connections) { completions in
            for completion in completions {
                state.withLock { $0.underWay -= 1 }
                switch completion.context.ended(callEnd(of: completion.result, parser: parser.value)) {
                case .answer(let response): answers([(completion.context.exchange, response)])
                case .write(let input): writer.post(input)
                }
            }
        }
    }

    /// `request` is made with the line's token; `ended` runs on the calls' own thread. Throws when nothing is called.
    func call(
        _ exchange: Exchange, _ line: Line, request: (GraphEndpoint, String) -> OutgoingRequest,
        ended: @escaping @Sendable (CallEnd) -> Consequence
    ) throws(APIError) {
        guard let token = secrets.value(line.settings.credential) else {
            throw APIError(
                .conflict,
                "the secret \(line.settings.credential) holds no access token: give the line one with "
                    + "outboxctl line add \(line.name) --token -")
        }
        let outgoing = request(target(), token)
        let isTaken = state.withLock { state in
            guard !state.isEnding, state.underWay < Self.underWayMax else { return false }
            state.underWay += 1
            // Under the lock: what is taken stands before the end.
            client.send([(outgoing, Call(exchange: exchange, ended: ended))])
            return true
        }
        if !isTaken {
            throw APIError(.unavailable, "too many calls to Meta are under way: try again in a moment", retryAfter: 1)
        }
    }

    /// Lets calls under way end; what takes longer is broken off.
    func finish(within patience: Duration) {
        let already = state.withLock { state in
            defer { state.isEnding = true }
            return state.isEnding
        }
        if !already { client.finish(within: patience) }
    }
}

extension CallEnd {
    /// Nil when it was done. `deed` says what was not: "the message was not marked as read".
    func error(_ deed: String) -> APIError? {
        switch self {
        case .done: return nil
        case .unreachable(let failure):
            return APIError(
                .metaUnreachable, "Meta did not answer: \(deed); \(failure.message)",
                [FieldError("errorCode", failure.code), FieldError("remedy", "try again in a moment")])
        case .refused(let failure, let known):
            var details = [FieldError("errorCode", failure.code)]
            if let remedy = failure.subcode.flatMap({ templateRemedies[$0] }) ?? known?.remedy
                ?? Int64(failure.code).flatMap({ registrationErrors[$0]?.remedy })
            {
                details.append(FieldError("remedy", remedy))
            }
            let code: APIError.Code
            switch known?.errorClass {
            case .lineLater, .businessLater, .recipientLater: code = .limitReached
            default: code = .metaRefused
            }
            let wait = code == .limitReached ? known?.errorClass.leastWait.components.seconds : nil
            return APIError(code, "Meta refused: \(deed); \(failure.message)", details, retryAfter: wait)
        }
    }
}
