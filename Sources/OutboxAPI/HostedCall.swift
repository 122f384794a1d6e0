package import OutboxCore

/// A call of one of the hosted systems whose clients outboxd serves unchanged; see outboxd-compat(7).
package enum HostedCall: Equatable, Sendable {
    case whatsAPI(WhatsAPICall)
    case aircall(AircallCall)
    case callMissed(CallMissedCall)
    case organization(OrganizationCall)
    case links(LinkCall)

    /// One of the system whose paths begin as this one, at which there is nothing; nil: it is nobody's.
    package static func near(_ path: some StringProtocol) -> HostedCall? {
        path.hasPrefix("\(CallMissedCall.base)/") ? .callMissed(.accounts) : nil
    }

    /// The least a caller must be to make it.
    package var role: Role {
        switch self {
        case .whatsAPI(let call): call.role
        case .aircall(let call): call.role
        case .callMissed(let call): call.role
        case .organization(let call): call.role
        case .links(let call): call.role
        }
    }

    /// It may bring parameters; which ones, its translation knows.
    package var takesParameters: Bool {
        switch self {
        case .whatsAPI(.list): true
        case .whatsAPI: false
        case .aircall(let call): call.takesParameters
        case .callMissed(let call): call.takesParameters
        case .organization(let call): call.takesParameters
        case .links(let call): call.takesParameters
        }
    }

    package var isBulk: Bool {
        switch self {
        case .whatsAPI(let call): call == .bulk
        case .aircall, .organization, .links: false
        case .callMissed(let call): call.isBulk
        }
    }
}

/// The calls of WhatsAPI (whatsapi.cc, "Developer Docs").
package enum WhatsAPICall: Equatable, Sendable {
    case send
    case bulk
    case list
    case message(String)
    case retry(String)
    case summary
    case register
    case me
    case rotateKey
    case putCredentials
    case deleteCredentials
    case verifyCredentials
    case putWebhook
    case deleteWebhook
    case checkout
    case portal

    var role: Role {
        switch self {
        case .send, .bulk, .retry: .send
        // Whoever has a key may have another one in its place.
        case .list, .message, .summary, .me, .rotateKey, .checkout, .portal: .read
        case .register, .putCredentials, .deleteCredentials, .verifyCredentials, .putWebhook, .deleteWebhook: .admin
        }
    }

    static let places: [Route.Place] = [
        Route.Place("/send-message", ["POST": { _ in .hosted(.whatsAPI(.send)) }]),
        Route.Place("/messages", ["GET": { _ in .hosted(.whatsAPI(.list)) }]),
        Route.Place("/messages/bulk", ["POST": { _ in .hosted(.whatsAPI(.bulk)) }]),
        Route.Place("/messages/{id}", ["GET": { .hosted(.whatsAPI(.message($0))) }]),
        Route.Place("/messages/{id}/retry", ["POST": { .hosted(.whatsAPI(.retry($0))) }]),
        Route.Place("/analytics/summary", ["GET": { _ in .hosted(.whatsAPI(.summary)) }]),
        Route.Place("/auth/register", ["POST": { _ in .hosted(.whatsAPI(.register)) }]),
        Route.Place("/auth/me", ["GET": { _ in .hosted(.whatsAPI(.me)) }]),
        Route.Place("/auth/me/rotate-key", ["POST": { _ in .hosted(.whatsAPI(.rotateKey)) }]),
        Route.Place(
            "/auth/me/credentials",
            [
                "PUT": { _ in .hosted(.whatsAPI(.putCredentials)) },
                "DELETE": { _ in .hosted(.whatsAPI(.deleteCredentials)) },
            ]),
        Route.Place("/auth/me/credentials/verify", ["POST": { _ in .hosted(.whatsAPI(.verifyCredentials)) }]),
        Route.Place(
            "/auth/me/webhook",
            [
                "PUT": { _ in .hosted(.whatsAPI(.putWebhook)) },
                "DELETE": { _ in .hosted(.whatsAPI(.deleteWebhook)) },
            ]),
        Route.Place("/billing/checkout", ["POST": { _ in .hosted(.whatsAPI(.checkout)) }]),
        Route.Place("/billing/portal", ["GET": { _ in .hosted(.whatsAPI(.portal)) }]),
    ]
}
