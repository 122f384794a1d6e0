import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// What somebody wants of links for people without keys. Tokens come as their hashes.
enum LinkWish: Sendable {
    case addOnboarding(OnboardingLinkBody, hash: [UInt8])
    case revokeOnboarding(MessageID)
    /// The number was connected to this line: the link is used up, and a key made.
    case complete(MessageID, line: String, keyHash: [UInt8])
    case addInbox(SharedInboxLink.Settings, line: String, hash: [UInt8])
    case changeInbox(MessageID, SharedInboxLink.Settings)
    case rotateInbox(MessageID, hash: [UInt8])
    case revokeInbox(MessageID)
}

/// What the writer answers to it.
enum LinkReply: Sendable {
    case onboarding(OnboardingLink, isNew: Bool)
    case inbox(SharedInboxLink, isNew: Bool)
    case completed(OnboardingLink, AccessKey, AccessDirectory)
    case missing
    /// Of a link that is over: nothing more can be done with it.
    case over
    case noLine(String)
    case tooMany(Int)

    var refusal: APIError {
        switch self {
        case .onboarding, .inbox, .completed: APIError(.internalError, "a link was made and nobody waits for it")
        case .missing: APIError(.notFound, "there is no such link")
        case .over: APIError(.conflict, "the link is over: it was used, revoked or has expired; make another one")
        case .noLine(let name): APIError(.notFound, "there is no line \(name)")
        case .tooMany(let most):
            APIError(
                .conflict, "there are \(most) already: that is the most there may be; those that are over go in time")
        }
    }
}

extension WriterStep {
    func perform(_ wish: LinkWish, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        Effect(reply: (exchange, .link(try reply(to: wish, now))))
    }

    private func reply(to wish: LinkWish, _ now: Timestamp) throws -> LinkReply {
        let who = asker.who ?? "unknown"
        switch wish {
        case .addOnboarding(let body, let hash):
            let made = try queue.addOnboardingLink(
                body.name, redirectURL: body.redirectURL, role: body.role, hash: hash, expiresAt: body.expiresAt,
                account: account, by: who, now: now)
            return made.reply { .onboarding($0, isNew: true) }
        case .revokeOnboarding(let id):
            return try queue.revokeOnboardingLink(id, account: account, now: now)
                .map { .onboarding($0, isNew: false) } ?? .missing
        case .complete(let id, let line, let keyHash):
            switch try queue.complete(
                onboardingLink: id, line: line, keyHash: keyHash, account: account, by: who, now: now)
            {
            case .done(let link, let key): return .completed(link, key, try queue.accessDirectory())
            case .over: return .over
            case .tooManyKeys(let most): return .tooMany(most)
            }
        case .addInbox(let settings, let name, let hash):
            guard let line = queue.line(named: name, account: account) else { return .noLine(name) }
            let made = try queue.addSharedInboxLink(settings, line: line, hash: hash, by: who, now: now)
            return made.reply { .inbox($0, isNew: true) }
        case .changeInbox(let id, let settings):
            return try queue.changeSharedInboxLink(id, settings, account: account, now: now)
                .map { .inbox($0, isNew: false) } ?? .missing
        case .rotateInbox(let id, let hash):
            return try queue.rotateSharedInboxLink(id, to: hash, account: account, now: now)
                .map { .inbox($0, isNew: false) } ?? .over
        case .revokeInbox(let id):
            return try queue.revokeSharedInboxLink(id, account: account, now: now)
                .map { .inbox($0, isNew: false) } ?? .missing
        }
    }

    /// For the log; nil: nothing was changed.
    func change(of wish: LinkWish, _ reply: LinkReply) -> OperatorChange? {
        switch (wish, reply) {
        case (.addOnboarding, .onboarding(let link, _)): change("onboarding_link.added", link)
        case (.revokeOnboarding, .onboarding(let link, _)): change("onboarding_link.revoked", link)
        case (_, .completed(let link, let key, _)):
            OperatorChange(
                action: "onboarding_link.completed", line: link.lineName,
                target: "\(text(link)); key \(key.id) \(key.name) \(key.role.name)")
        case (.addInbox, .inbox(let link, _)): change("shared_inbox_link.added", link)
        case (.changeInbox, .inbox(let link, _)): change("shared_inbox_link.changed", link)
        case (.rotateInbox, .inbox(let link, _)): change("shared_inbox_link.rotated", link)
        case (.revokeInbox, .inbox(let link, _)): change("shared_inbox_link.revoked", link)
        default: nil
        }
    }

    private func text(_ link: OnboardingLink) -> String {
        "\(queue.codec.text(link.id, .onboardingLink)) \(link.name)"
    }

    private func change(_ action: String, _ link: OnboardingLink) -> OperatorChange {
        OperatorChange(action: action, target: text(link))
    }

    private func change(_ action: String, _ link: SharedInboxLink) -> OperatorChange {
        OperatorChange(
            action: action, line: link.lineName,
            target: "\(queue.codec.text(link.id, .sharedInboxLink)) \(link.settings.name)")
    }
}

extension Making {
    fileprivate func reply(_ done: (Made) -> LinkReply) -> LinkReply {
        switch self {
        case .done(let made): done(made)
        case .exists: .over
        case .tooMany(let most): .tooMany(most)
        }
    }
}
