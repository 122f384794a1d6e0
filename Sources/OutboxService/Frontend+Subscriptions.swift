import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Subscriptions and their secrets.
extension Frontend {
    /// What is to be done with a subscription's secret once the writer has answered.
    enum SecretChange {
        /// Its file is written; what comes of nothing is removed again.
        case made(name: String, CallbackSecret)
        case rotate(CallbackSecret?)
        case endOld
    }

    func subscriptionID(_ text: String) throws(APIError) -> Int64 {
        guard let id = Int64(text) else { throw APIError(.notFound, "there is no such subscription") }
        return id
    }

    func subscribe(_ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(request.body), isNew: true, allowsHTTP: parts.caller.takesHTTP)
        let (name, secret) = try parts.subscriptionSecrets.make(body.secret)
        secretsChanging[exchange] = .made(name: name, secret)
        ask(.subscribe(exchange, body, secret: name), request)
    }

    func putSubscription(_ id: Int64, _ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(request.body), isNew: false, allowsHTTP: parts.caller.takesHTTP)
        ask(.changeSubscription(exchange, id, body.settings), request)
    }

    func rotateSecret(_ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        secretsChanging[exchange] = .rotate(body.isEmpty ? nil : try SubscriptionBody.readSecret(try parse(body)))
        writer.post(.findSubscription(exchange, id))
    }

    func deleteOldSecret(_ id: Int64, _ exchange: Exchange) {
        secretsChanging[exchange] = .endOld
        writer.post(.findSubscription(exchange, id))
    }

    /// What the caller is told once the writer has answered.
    func finish(_ change: SecretChange, _ reply: WriterReply) -> HTTPResponse {
        guard case .subscription(let subscription, _) = reply else {
            if case .made(let name, _) = change { parts.subscriptionSecrets.takeBack(name, after: reply) }
            return words.response(to: reply, draft: nil)
        }
        do throws(APIError) {
            switch change {
            case .made(_, let secret):
                return .json(201) { subscription.write(to: &$0, name: "data", secret: secret) }
            case .rotate(let given): return try rotate(subscription, given)
            case .endOld:
                try parts.subscriptionSecrets.endOld(subscription)
                return HTTPResponse(status: 204)
            }
        } catch {
            return .error(error)
        }
    }

    private func rotate(_ subscription: Subscription, _ given: CallbackSecret?) throws(APIError) -> HTTPResponse {
        let (secret, oldSigns) = try parts.subscriptionSecrets.rotate(subscription, to: given)
        parts.caller.reload(allowsHTTP: parts.caller.takesHTTP)
        return .json(200) { json in
            json.object("data") {
                $0.field("id", subscription.id)
                $0.field("secret", secret.text)
                $0.field("oldSecretSigns", oldSigns)
            }
        }
    }
}
