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
        case rotate(Asker, CallbackSecret?)
        case endOld(Asker)
    }

    func subscriptionID(_ text: String) throws(APIError) -> Int64 {
        guard let id = Int64(text) else { throw APIError(.notFound, "there is no such subscription") }
        return id
    }

    func subscribe(_ asker: Asker, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(body), isNew: true, allowsHTTP: parts.caller.takesHTTP)
        let (name, secret) = try parts.subscriptionSecrets.make(body.secret)
        secretsChanging[exchange] = .made(name: name, secret)
        post(asker, .subscribe(exchange, body, secret: name))
    }

    func putSubscription(_ asker: Asker, _ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(body), isNew: false, allowsHTTP: parts.caller.takesHTTP)
        post(asker, .changeSubscription(exchange, id, body.settings))
    }

    func rotateSecret(_ asker: Asker, _ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        secretsChanging[exchange] = .rotate(
            asker, body.isEmpty ? nil : try SubscriptionBody.readSecret(try parse(body)))
        post(asker, .findSubscription(exchange, id))
    }

    func deleteOldSecret(_ asker: Asker, _ id: Int64, _ exchange: Exchange) {
        secretsChanging[exchange] = .endOld(asker)
        post(asker, .findSubscription(exchange, id))
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
            case .rotate(let asker, let given): return try rotate(asker, subscription, given)
            case .endOld(let asker):
                try parts.subscriptionSecrets.endOld(subscription)
                tell(asker, "subscription.old_secret_ended", subscription)
                return HTTPResponse(status: 204)
            }
        } catch {
            return .error(error)
        }
    }

    private func rotate(
        _ asker: Asker, _ subscription: Subscription, _ given: CallbackSecret?
    ) throws(APIError) -> HTTPResponse {
        let (secret, oldSigns) = try parts.subscriptionSecrets.rotate(subscription, to: given)
        tell(asker, "subscription.secret_rotated", subscription)
        parts.caller.reload(allowsHTTP: parts.caller.takesHTTP)
        return .json(200) { json in
            json.object("data") {
                $0.field("id", subscription.id)
                $0.field("secret", secret.text)
                $0.field("oldSecretSigns", oldSigns)
            }
        }
    }

    private func tell(_ asker: Asker, _ action: String, _ subscription: Subscription) {
        post(asker, .changed(OperatorChange(action: action, target: String(subscription.id))))
    }
}
