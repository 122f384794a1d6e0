import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Requests that connect numbers.
extension Frontend {
    func handleOnboarding(_ route: Route, _ request: HTTPRequest, _ exchange: Exchange, _ asker: Asker)
        throws(APIError)
    {
        switch route {
        case .registerLine(let line):
            let body = try RegisterBody.read(try parse(request.body))
            parts.reader.send(exchange, .register(line: line, pin: body.pin), for: asker)
        case .subscribeLine(let line): parts.reader.send(exchange, .subscribe(line: line), for: asker)
        case .verifyLine(let line):
            try parts.onboarding.run(exchange, .verify(line: line), account: asker.account)
        case .onboardingNumbers:
            let body = try NumbersBody.read(try parse(request.body))
            try parts.onboarding.run(exchange, .numbers(body), account: asker.account)
        case .onboardingExchange:
            let body = try ExchangeBody.read(try parse(request.body))
            exchanging[exchange] = asker
            do throws(APIError) {
                try parts.onboarding.run(exchange, .exchange(body, proves: false), account: asker.account)
            } catch {
                exchanging[exchange] = nil
                throw error
            }
        default: preconditionFailure("\(route) connects no number")
        }
    }

    /// A code was taken for a token: the line is made or changed as if both had been given.
    func exchanged(_ exchange: Exchange, _ result: Result<LineBody, APIError>) {
        guard let asker = exchanging.removeValue(forKey: exchange) else { return }
        do throws(APIError) {
            let line = try result.get()
            if let link = connecting.first(where: { $0.value.exchange == exchange })?.key,
                links.onboarding[link]?.status(now) != .active
            {
                throw LinkReply.over.refusal
            }
            try put(line, asker, exchange)
        } catch {
            respond(exchange, .error(error))
        }
    }
}
