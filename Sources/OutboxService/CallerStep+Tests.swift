import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Calls somebody wants to see the result of; no events of the log.
extension CallerStep {
    func test(
        _ id: Int64, _ account: Int64, _ exchange: Exchange, _ now: Timestamp, _ tick: UInt64, _ outputs: inout Outputs
    ) {
        func refuse(_ error: APIError) { outputs.answers.append((exchange, .error(error))) }
        let found: Subscription?
        do {
            found = try reader.subscription(id)
        } catch {
            outputs.log.append(LogLine(.error, .readFailed, "a subscription could not be read: \(error)"))
            return refuse(APIError(.internalError, "the database could not be read; the journal says why"))
        }
        guard let subscription = found, subscription.account == account else {
            return refuse(APIError(.notFound, "there is no such subscription"))
        }
        guard tests < Self.testsMax, !stopping else {
            return refuse(APIError(.unavailable, "too many tests at once; try again in a moment"))
        }
        let url = subscription.settings.url
        guard let signing = CallbackSigning(secret(subscription.secret), url: url) else {
            return refuse(APIError(.conflict, "its secret \(subscription.secret) is missing: rotate it"))
        }
        if let problem = CallbackAddress.problem(url, allowsHTTP: allowsHTTP()) {
            return refuse(APIError(.conflict, "its url \(problem)"))
        }
        let name = "test_" + hexadecimal((0..<16).map { _ in UInt8.random(in: 0...255, using: &chance) })
        func write(to json: inout JSONWriter) {
            json.object {
                $0.field("id", name)
                $0.field("seq", nil as Int64?)
                $0.field("event", "test")
                $0.field("timestamp", now.rfc3339)
                $0.object("data") { $0.field("subscription", id) }
            }
        }
        var json = JSONWriter()
        if subscription.settings.eventsPerCall > 1 {
            GatheredCall.write(to: &json) { write(to: &$0) }
        } else {
            write(to: &json)
        }
        let words: CallbackWords
        do {
            words = try self.words(json.bytes, nil, for: subscription, signing.secrets)
        } catch {
            outputs.log.append(LogLine(.error, .readFailed, "a test could not be put into words: \(error)"))
            return refuse(APIError(.internalError, "the database could not be read; the journal says why"))
        }
        tests += 1
        let request = signing.request(id: name, words, now: now)
        outputs.calls.append(
            (request, CallbackCall(subscription: id, events: [], exchange: exchange, startedAt: tick)))
    }

    func testEnded(
        _ call: CallbackCall, _ outcome: CallbackOutcome, _ at: UInt64, _ outputs: inout Outputs
    ) {
        tests -= 1
        guard let exchange = call.exchange else { return }
        let (status, error): (Int64?, String?) =
            switch outcome {
            case .accepted(let status): (status, nil)
            case .failed(let status, let error, _): (status, error)
            case .gone: (410, "HTTP 410: an event answered so would make the subscription inactive")
            case .refused(let reason): (nil, reason)
            }
        let answer = HTTPResponse.json(200) {
            $0.object("data") {
                $0.field("delivered", error == nil)
                $0.field("httpStatus", status)
                $0.field("error", error)
                $0.field("milliseconds", (at - min(call.startedAt, at)) / 1_000_000)
            }
        }
        outputs.answers.append((exchange, answer))
    }
}
