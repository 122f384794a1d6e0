import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Subscriptions and the files with their secrets, which are changed together.
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

    func subscribe(_ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(body), isNew: true, allowsHTTP: parts.caller.takesHTTP)
        let secret = body.secret ?? madeSecret()
        // Known to nobody before it is in the row that names it.
        let name = "subscription.\(hexadecimal(randomBytes(8)))"
        try store([secret], name)
        secretsChanging[exchange] = .made(name: name, secret)
        writer.post(.subscribe(exchange, body, secret: name))
    }

    func putSubscription(_ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        let body = try SubscriptionBody.read(try parse(body), isNew: false, allowsHTTP: parts.caller.takesHTTP)
        writer.post(.changeSubscription(exchange, id, body.settings))
    }

    func rotateSecret(_ id: Int64, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        secretsChanging[exchange] = .rotate(body.isEmpty ? nil : try SubscriptionBody.readSecret(try parse(body)))
        writer.post(.findSubscription(exchange, id))
    }

    func deleteOldSecret(_ id: Int64, _ exchange: Exchange) {
        secretsChanging[exchange] = .endOld
        writer.post(.findSubscription(exchange, id))
    }

    private func madeSecret() -> CallbackSecret {
        guard let secret = CallbackSecret(bytes: randomBytes(CallbackSecret.sizeMade)) else {
            preconditionFailure("a secret is made in a size that is not allowed")
        }
        return secret
    }

    /// One to a line, the newest first.
    private func store(_ list: [CallbackSecret], _ name: String) throws(APIError) {
        do {
            try secrets.store(name, list.map { $0.text + "\n" }.joined())
        } catch {
            journal.write(LogLine(.error, .storage, "\(error)"))
            throw APIError(.internalError, "the secret could not be stored; the journal says why")
        }
    }

    func removeSecret(_ name: String) {
        do {
            try secrets.remove(name)
        } catch {
            journal.write(LogLine(.warning, .storage, "\(error)"))
        }
    }

    /// What the caller is told once the writer has answered.
    func finish(_ change: SecretChange, _ reply: WriterReply) -> HTTPResponse {
        guard case .subscription(let subscription, _) = reply else {
            if case .made(let name, _) = change { removeSecret(name) }
            return words.response(to: reply, draft: nil)
        }
        do throws(APIError) {
            switch change {
            case .made(_, let secret):
                return .json(201) { subscription.write(to: &$0, name: "data", secret: secret) }
            case .rotate(let given): return try rotate(subscription, given)
            case .endOld: return try endOld(subscription)
            }
        } catch {
            return .error(error)
        }
    }

    private func rotate(_ subscription: Subscription, _ given: CallbackSecret?) throws(APIError) -> HTTPResponse {
        let known = CallbackSecret.all(in: secrets.value(subscription.secret) ?? "")
        guard known.count < 2 else {
            throw APIError(
                .conflict,
                "two secrets sign already: when the endpoint knows the new one, end the old one with "
                    + "outboxctl webhook rotate \(subscription.id) --end-old, or DELETE "
                    + "/v1/subscriptions/\(subscription.id)/old-secret")
        }
        let secret = given ?? madeSecret()
        guard !known.contains(secret) else {
            throw .validation([FieldError("secret", "is the one there is; give another, or none to have one made")])
        }
        try store([secret] + known, subscription.secret)
        journal.write(
            LogLine(
                .notice, .subscriptionChanged, "a subscription has a new secret; the old one signs beside it",
                [(.subscription, String(subscription.id))]))
        parts.caller.reload(allowsHTTP: parts.caller.takesHTTP)
        return .json(200) { json in
            json.object("data") {
                $0.field("id", subscription.id)
                $0.field("secret", secret.text)
                $0.field("oldSecretSigns", !known.isEmpty)
            }
        }
    }

    private func endOld(_ subscription: Subscription) throws(APIError) -> HTTPResponse {
        let known = CallbackSecret.all(in: secrets.value(subscription.secret) ?? "")
        guard known.count == 2 else { throw APIError(.notFound, "there is no old secret: one alone signs") }
        try store([known[0]], subscription.secret)
        return HTTPResponse(status: 204)
    }
}
