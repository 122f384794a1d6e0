import OutboxAPI
import OutboxHTTP

/// A call of the listener for people without keys: one of the two pages, or what a page asks for.
struct PageCall {
    enum Deed: Equatable {
        case onboardingPage
        case onboardingLink
        case connect
        case inboxPage
        case inboxLink
        case conversations
        case messages(String)
        case send(String)
        case markRead(String)
        case file(String)
        case upload
        case templates
    }

    var deed: Deed
    var token: String

    /// It changes something.
    var isChange: Bool {
        switch deed {
        case .connect, .send, .markRead, .upload: true
        default: false
        }
    }

    var isPage: Bool { deed == .onboardingPage || deed == .inboxPage }

    var isOfOnboarding: Bool {
        switch deed {
        case .onboardingPage, .onboardingLink, .connect: true
        default: false
        }
    }

    static func read(_ head: RequestHead) throws(APIError) -> PageCall {
        var path: [String] = []
        for part in head.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let decoded = percentDecoded(part), !decoded.isEmpty else { throw nothing }
            path.append(decoded)
        }
        guard path.count >= 2, let found = deeds(path[0], Array(path.dropFirst(2))) else { throw nothing }
        let method = head.method == "HEAD" ? "GET" : head.method
        guard let deed = found[method] else {
            let allowed = found.keys.sorted().joined(separator: ", ")
            throw APIError(.methodNotAllowed, "\(method) is not allowed here; allowed: \(allowed)", allow: allowed)
        }
        return PageCall(deed: deed, token: path[1])
    }

    private static let nothing = APIError(.notFound, "there is nothing here")

    /// By method.
    private static func deeds(_ kind: String, _ rest: [String]) -> [String: Deed]? {
        switch (kind, rest.count, rest.first, rest.last) {
        case ("onboard", 0, _, _): ["GET": .onboardingPage]
        case ("onboard", 1, "link", _): ["GET": .onboardingLink]
        case ("onboard", 1, "connect", _): ["POST": .connect]
        case ("inbox", 0, _, _): ["GET": .inboxPage]
        case ("inbox", 1, "link", _): ["GET": .inboxLink]
        case ("inbox", 1, "conversations", _): ["GET": .conversations]
        case ("inbox", 1, "templates", _): ["GET": .templates]
        case ("inbox", 1, "files", _): ["POST": .upload]
        case ("inbox", 3, "conversations", "messages"): ["GET": .messages(rest[1]), "POST": .send(rest[1])]
        case ("inbox", 3, "messages", "read"): ["POST": .markRead(rest[1])]
        case ("inbox", 3, "messages", "file"): ["GET": .file(rest[1])]
        default: nil
        }
    }

    /// Those of every answer.
    var headers: [HTTPHeader] {
        let policy =
            switch deed {
            case .onboardingPage: Pages.onboarding.policy
            case .inboxPage: Pages.inbox.policy
            default: "default-src 'none'; frame-ancestors 'none'; sandbox"
            }
        // Meta's window tells the page that opened it how it ended.
        let opener = deed == .onboardingPage ? "same-origin-allow-popups" : "same-origin"
        return Self.plainHeaders + [
            HTTPHeader("content-security-policy", policy), HTTPHeader("cross-origin-opener-policy", opener),
        ]
    }

    /// Those of answers to what is no call.
    static let plainHeaders = [
        HTTPHeader("cache-control", "no-store"), HTTPHeader("x-content-type-options", "nosniff"),
        HTTPHeader("referrer-policy", "no-referrer"),
        HTTPHeader("x-frame-options", "DENY"), HTTPHeader("x-robots-tag", "noindex, nofollow"),
        HTTPHeader("cross-origin-resource-policy", "same-origin"),
        HTTPHeader("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ]
}
