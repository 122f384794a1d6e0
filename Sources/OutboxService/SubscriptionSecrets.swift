import OutboxAPI
import OutboxCore
import OutboxSystem

/// The files with the secrets of subscriptions, which are changed together with the rows that name them.
///
/// A file is written before the row that names it and removed behind it: what a kill leaves in between is named by
/// nobody, and the next start removes it.
struct SubscriptionSecrets: Sendable {
    let files: Secrets
    let log: @Sendable (LogLine) -> Void

    private static let prefix = "subscription."
    static let sameWords = "is the one there is; give another, or none to have one made"
    private static let tagBytes = 8

    /// A secret's file, for a row that is not there yet.
    func make(_ given: CallbackSecret?) throws(APIError) -> (name: String, secret: CallbackSecret) {
        let secret = given ?? Self.drawn()
        // Known to nobody before it is in the row that names it.
        let name = Self.prefix + hexadecimal(randomBytes(Self.tagBytes))
        try store([secret], name)
        return (name, secret)
    }

    /// Nothing came of the row, unless the writer does not know: then the next start does.
    func takeBack(_ name: String, after reply: WriterReply) {
        if case .storageFailed(.unsure) = reply { return }
        remove(name)
    }

    func remove(_ name: String) {
        do {
            try files.remove(name)
        } catch {
            log(LogLine(.warning, .secretNotKept, "\(error)"))
        }
    }

    /// Answers the new secret, and whether an old one signs beside it.
    func rotate(_ subscription: Subscription, to given: CallbackSecret?) throws(APIError)
        -> (secret: CallbackSecret, oldSigns: Bool)
    {
        let known = CallbackSecret.all(in: files.value(subscription.secret) ?? "")
        guard known.count < 2 else {
            throw APIError(
                .conflict,
                "two secrets sign already: when the endpoint knows the new one, end the old one with "
                    + "outboxctl webhook rotate \(subscription.id) --end-old, or DELETE "
                    + "/v1/subscriptions/\(subscription.id)/old-secret")
        }
        let secret = given ?? Self.drawn()
        guard secret.isStandard || subscription.settings.format.takesAnySecret else {
            throw .validation([FieldError("secret", CallbackSecret.rule)])
        }
        guard !known.contains(secret) else { throw .validation([FieldError("secret", Self.sameWords)]) }
        try store([secret] + known, subscription.secret)
        log(
            LogLine(
                .notice, .subscriptionChanged, "a subscription has a new secret; the old one signs beside it",
                [(.subscription, String(subscription.id))]))
        return (secret, !known.isEmpty)
    }

    func endOld(_ subscription: Subscription) throws(APIError) {
        let known = CallbackSecret.all(in: files.value(subscription.secret) ?? "")
        guard known.count == 2 else { throw APIError(.notFound, "there is no old secret: one alone signs") }
        try store([known[0]], subscription.secret)
    }

    /// Removes what kills left behind; to be called while nobody changes anything. `inUse` are the names in rows; nil:
    /// the database never had a subscription, and may stand in for the one these secrets belong to.
    func sweep(inUse: Set<String>?) {
        do {
            for name in try files.names() {
                let isLeft = inUse.map { !$0.contains(name) } ?? false
                if isLeft, Self.isName(name) { try files.remove(name) }
            }
            try files.removeUnfinished()
        } catch {
            log(LogLine(.warning, .secretNotKept, "\(error)"))
        }
    }

    private static func isName(_ name: String) -> Bool {
        name.hasPrefix(prefix) && name.utf8.count == prefix.utf8.count + 2 * tagBytes
            && name.dropFirst(prefix.count).allSatisfy { $0.isASCII && $0.isHexDigit }
    }

    private static func drawn() -> CallbackSecret {
        guard let secret = CallbackSecret(bytes: randomBytes(CallbackSecret.sizeMade)) else {
            preconditionFailure("a secret is made in a size that is not allowed")
        }
        return secret
    }

    /// One to a line, the newest first.
    private func store(_ list: [CallbackSecret], _ name: String) throws(APIError) {
        do {
            try files.store(name, list.map { $0.line + "\n" }.joined())
        } catch {
            log(LogLine(.error, .secretNotKept, "\(error)"))
            throw APIError(.internalError, "the secret could not be stored; the journal says why")
        }
    }
}
