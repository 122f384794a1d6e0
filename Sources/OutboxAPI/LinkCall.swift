import OutboxCore

/// The calls of the organization-key API about links for people without keys; see outboxd-compat(7).
package enum LinkCall: Equatable, Sendable {
    case onboardingLinks
    case addOnboarding
    case onboarding(String)
    case removeOnboarding(String)
    case revokeOnboarding(String)
    case inboxLinks
    case addInbox
    case inbox(String)
    case putInbox(String)
    case patchInbox(String)
    case rotateInbox(String)
    case removeInbox(String)
    case revokeInbox(String)

    var role: Role {
        switch self {
        case .onboardingLinks, .onboarding, .inboxLinks, .inbox: .read
        case .addOnboarding, .removeOnboarding, .revokeOnboarding, .addInbox, .putInbox, .patchInbox, .rotateInbox,
            .removeInbox, .revokeInbox:
            .admin
        }
    }

    var takesParameters: Bool { self == .onboardingLinks || self == .inboxLinks }

    static let places: [Route.Place] = [
        Route.Place(
            "/v1/onboarding-links",
            ["GET": { _ in .hosted(.links(.onboardingLinks)) }, "POST": { _ in .hosted(.links(.addOnboarding)) }]),
        Route.Place(
            "/v1/onboarding-links/{id}",
            ["GET": { .hosted(.links(.onboarding($0))) }, "DELETE": { .hosted(.links(.removeOnboarding($0))) }]),
        Route.Place(
            "/v1/onboarding-links/{id}/revoke", ["POST": { .hosted(.links(.revokeOnboarding($0))) }]),
        Route.Place(
            "/v1/shared-inbox-links",
            ["GET": { _ in .hosted(.links(.inboxLinks)) }, "POST": { _ in .hosted(.links(.addInbox)) }]),
        Route.Place(
            "/v1/shared-inbox-links/{id}",
            [
                "GET": { .hosted(.links(.inbox($0))) }, "PUT": { .hosted(.links(.putInbox($0))) },
                "PATCH": { .hosted(.links(.patchInbox($0))) }, "DELETE": { .hosted(.links(.removeInbox($0))) },
            ]),
        Route.Place("/v1/shared-inbox-links/{id}/rotate", ["POST": { .hosted(.links(.rotateInbox($0))) }]),
        Route.Place("/v1/shared-inbox-links/{id}/revoke", ["POST": { .hosted(.links(.revokeInbox($0))) }]),
    ]
}
