package import OutboxCore

/// What a request asks for.
package enum Route: Equatable, Sendable {
    case submit
    case submitBulk
    case list
    case message(String)
    case markRead(String)
    case catchUp(String)
    case conversations
    case conversation(String)
    case conversationMessages(String)
    case contacts
    case contact(String)
    case retry(String)
    case cancel(String)
    case resolve(String)
    case move(String)
    case queue
    case analytics(AnalyticsReport)
    case erase
    case mediaList
    case uploadMedia
    case media(String)
    case deleteMedia(String)
    case lines
    case line(String)
    case putLine(String)
    case deleteLine(String)
    case lineHealth(String)
    case lineMessages(String)
    case lineTemplates(String)
    case makeTemplate(String)
    case syncTemplates(String)
    case removeTemplates(String, name: String)
    case template(String, name: String, language: String)
    case editTemplate(String, name: String, language: String)
    case removeTemplate(String, name: String, language: String)
    case previewTemplate(String, name: String, language: String)
    case registerLine(String)
    case subscribeLine(String)
    case verifyLine(String)
    case onboardingNumbers
    case onboardingExchange
    case lineWhy(String)
    case why(String)
    case pools
    case pool(String)
    case putPool(String)
    case pauses
    case pause
    case resume(String)
    case retention
    case putRetention(String)
    case events
    case cursors
    case cursor(String)
    case putCursor(String)
    case deleteCursor(String)
    case subscriptions
    case subscribe
    case subscription(String)
    case putSubscription(String)
    case deleteSubscription(String)
    case deliveries(String)
    case rotateSecret(String)
    case deleteOldSecret(String)
    case replay(String)
    case testCallback(String)
    case campaigns
    case createCampaign
    case campaign(String)
    case campaignRecipients(String)
    case addRecipients(String)
    case campaignForecast(String)
    case campaignReport(String)
    case launchCampaign(String)
    case pauseCampaign(String)
    case resumeCampaign(String)
    case cancelCampaign(String)
    case optOuts
    case optOut(String)
    case putOptOut(String)
    case deleteOptOut(String)
    case marketingCaps
    case putMarketingCap(String)
    case deleteMarketingCap(String)
    case status
    case accounts
    case addAccount
    case putAccount(String)
    case keys
    case addKey
    case rotateKey(String)
    case deleteKey(String)
    case reload
    case backup
    case doctor
    case health
    case metrics
    case openAPI
    case llms
    /// Of a hosted system's API.
    case hosted(HostedCall)

    /// The least a caller must be to ask for it.
    package var role: Role {
        switch self {
        case .hosted(let call): call.role
        case .analytics: .read
        case .putAccount: .admin
        case .health, .openAPI, .llms: .none
        case .list, .message, .lines, .line, .status, .lineHealth, .lineMessages, .lineTemplates, .lineWhy, .why,
            .pools, .pool,
            .pauses, .retention, .events, .cursors, .cursor, .conversations, .conversation, .conversationMessages,
            .contacts, .contact, .subscriptions, .subscription, .deliveries, .queue, .accounts, .template,
            .previewTemplate, .mediaList, .media, .campaigns, .campaign,
            .campaignRecipients, .campaignForecast, .campaignReport, .optOuts, .optOut, .marketingCaps:
            .read
        case .createCampaign, .addRecipients, .launchCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign,
            .putOptOut, .deleteOptOut:
            .send
        case .submit, .submitBulk, .retry, .cancel, .move, .markRead, .putCursor, .deleteCursor, .uploadMedia,
            .deleteMedia:
            .send
        case .catchUp, .putLine, .deleteLine, .reload, .backup, .putPool, .pause, .resume, .resolve, .putRetention,
            .subscribe, .putSubscription, .deleteSubscription, .rotateSecret, .deleteOldSecret, .replay, .testCallback,
            .addAccount, .keys, .addKey, .rotateKey, .deleteKey, .erase, .metrics, .doctor, .makeTemplate,
            .syncTemplates, .removeTemplates, .editTemplate, .removeTemplate, .registerLine, .subscribeLine,
            .verifyLine, .onboardingNumbers, .onboardingExchange, .putMarketingCap,
            .deleteMarketingCap:
            .admin
        }
    }

    /// It is about the process or about all accounts: for callers of the default account alone.
    package var isOfProcess: Bool {
        switch self {
        case .reload, .putRetention, .metrics, .addAccount, .backup, .doctor: true
        case .putAccount, .hosted(.whatsAPI(.register)): true
        default: false
        }
    }

    /// Whether something may stand behind the `?`.
    package var takesParameters: Bool {
        switch self {
        case .hosted(let call): call.takesParameters
        case .list, .health, .events, .conversations, .conversationMessages, .contacts, .deliveries, .lineTemplates,
            .lineHealth, .lineMessages, .mediaList, .uploadMedia:
            true
        case .analytics, .campaigns, .campaignRecipients, .optOuts: true
        default: false
        }
    }

    /// `path` is split and decoded already.
    package static func of(method: String, path: [String]) throws(APIError) -> Route {
        guard let (place, names) = place(of: path) else {
            throw APIError(.notFound, "there is nothing at this path; see outboxd-api(7) or /openapi.json")
        }
        // HEAD is GET without the body.
        let wanted = method == "HEAD" ? "GET" : method
        if let entry = place.routes.first(where: { $0.method == wanted }) { return entry.route(names) }
        let allowed = place.routes.map(\.method).joined(separator: ", ")
        throw APIError(.methodNotAllowed, "\(method) is not allowed here; allowed: \(allowed)", allow: allowed)
    }

    /// The first place whose path it is, and what stands for its names.
    private static func place(of path: [String]) -> (Place, names: [String])? {
        for place in places where place.parts.count == path.count {
            var names: [String] = []
            let matches = zip(place.parts, path).allSatisfy { part, given in
                guard part.first == "{" else { return part == given }
                names.append(given)
                return !given.isEmpty
            }
            if matches { return (place, names) }
        }
        return nil
    }

    /// A path with what can be done there.
    package struct Place: Sendable {
        package let template: String
        fileprivate let parts: [String]
        fileprivate let routes: [(method: String, route: @Sendable ([String]) -> Route)]

        /// In `template` a part in braces stands for any; the routes get the first of them.
        init(_ template: String, _ methods: KeyValuePairs<String, @Sendable (String) -> Route>) {
            self.template = template
            parts = template.split(separator: "/").map(String.init)
            routes = methods.map { entry in (method: entry.key, route: { entry.value($0.first ?? "") }) }
        }

        /// The routes get what stands for each part in braces, in their order.
        init(_ template: String, named: KeyValuePairs<String, @Sendable ([String]) -> Route>) {
            self.template = template
            parts = template.split(separator: "/").map(String.init)
            routes = named.map { (method: $0.key, route: $0.value) }
        }

        /// With one word for all parts in braces.
        package var methods: [(method: String, route: @Sendable (String) -> Route)] {
            let count = parts.count { $0.first == "{" }
            return routes.map { entry in
                (method: entry.method, route: { entry.route(Array(repeating: $0, count: count)) })
            }
        }
    }

    /// Everything there is, as /openapi.json describes it. Where two match, the first counts.
    package static let places =
        ownPlaces + WhatsAPICall.places + AircallCall.places + CallMissedCall.places + OrganizationCall.places
        + LinkCall.places

    private static let ownPlaces: [Place] = [
        Place("/v1/messages", ["GET": { _ in .list }, "POST": { _ in .submit }]),
        Place("/v1/messages/bulk", ["POST": { _ in .submitBulk }]),
        Place("/v1/messages/{id}", ["GET": { .message($0) }]),
        Place("/v1/messages/{id}/why", ["GET": { .why($0) }]),
        Place("/v1/messages/{id}/cancel", ["POST": { .cancel($0) }]),
        Place("/v1/messages/{id}/retry", ["POST": { .retry($0) }]),
        Place("/v1/messages/{id}/move", ["POST": { .move($0) }]),
        Place("/v1/messages/{id}/resolve", ["POST": { .resolve($0) }]),
        Place("/v1/messages/{id}/read", ["POST": { .markRead($0) }]),
        Place("/v1/conversations", ["GET": { _ in .conversations }]),
        Place("/v1/conversations/{id}", ["GET": { .conversation($0) }]),
        Place("/v1/conversations/{id}/messages", ["GET": { .conversationMessages($0) }]),
        Place("/v1/contacts", ["GET": { _ in .contacts }]),
        Place("/v1/contacts/{id}", ["GET": { .contact($0) }]),
        Place("/v1/lines", ["GET": { _ in .lines }]),
        Place("/v1/lines/{line}", ["GET": { .line($0) }, "PUT": { .putLine($0) }, "DELETE": { .deleteLine($0) }]),
        Place("/v1/lines/{line}/health", ["GET": { .lineHealth($0) }]),
        Place("/v1/lines/{line}/messages", ["GET": { .lineMessages($0) }]),
        Place("/v1/lines/{line}/templates", ["GET": { .lineTemplates($0) }, "POST": { .makeTemplate($0) }]),
        Place("/v1/lines/{line}/template-sync", ["POST": { .syncTemplates($0) }]),
        Place("/v1/lines/{line}/templates/{name}", named: ["DELETE": { .removeTemplates($0[0], name: $0[1]) }]),
        Place(
            "/v1/lines/{line}/templates/{name}/{language}",
            named: [
                "GET": { .template($0[0], name: $0[1], language: $0[2]) },
                "PUT": { .editTemplate($0[0], name: $0[1], language: $0[2]) },
                "DELETE": { .removeTemplate($0[0], name: $0[1], language: $0[2]) },
            ]),
        Place(
            "/v1/lines/{line}/templates/{name}/{language}/preview",
            named: ["POST": { .previewTemplate($0[0], name: $0[1], language: $0[2]) }]),
        Place("/v1/lines/{line}/register", ["POST": { .registerLine($0) }]),
        Place("/v1/lines/{line}/subscribe", ["POST": { .subscribeLine($0) }]),
        Place("/v1/lines/{line}/verify", ["POST": { .verifyLine($0) }]),
        Place("/v1/onboarding/numbers", ["POST": { _ in .onboardingNumbers }]),
        Place("/v1/onboarding/exchange", ["POST": { _ in .onboardingExchange }]),
        Place("/v1/lines/{line}/why", ["GET": { .lineWhy($0) }]),
        Place("/v1/lines/{line}/catch-up", ["POST": { .catchUp($0) }]),
        Place("/v1/pools", ["GET": { _ in .pools }]),
        Place("/v1/pools/{pool}", ["GET": { .pool($0) }, "PUT": { .putPool($0) }]),
        Place("/v1/pauses", ["GET": { _ in .pauses }, "POST": { _ in .pause }]),
        Place("/v1/pauses/{id}", ["DELETE": { .resume($0) }]),
        Place("/v1/retention", ["GET": { _ in .retention }]),
        Place("/v1/retention/{kind}", ["PUT": { .putRetention($0) }]),
        Place("/v1/events", ["GET": { _ in .events }]),
        Place("/v1/cursors", ["GET": { _ in .cursors }]),
        Place(
            "/v1/cursors/{name}",
            ["GET": { .cursor($0) }, "PUT": { .putCursor($0) }, "DELETE": { .deleteCursor($0) }]),
        Place("/v1/subscriptions", ["GET": { _ in .subscriptions }, "POST": { _ in .subscribe }]),
        Place(
            "/v1/subscriptions/{id}",
            [
                "GET": { .subscription($0) }, "PUT": { .putSubscription($0) },
                "DELETE": { .deleteSubscription($0) },
            ]),
        Place("/v1/subscriptions/{id}/deliveries", ["GET": { .deliveries($0) }]),
        Place("/v1/subscriptions/{id}/rotate", ["POST": { .rotateSecret($0) }]),
        Place("/v1/subscriptions/{id}/old-secret", ["DELETE": { .deleteOldSecret($0) }]),
        Place("/v1/subscriptions/{id}/replay", ["POST": { .replay($0) }]),
        Place("/v1/subscriptions/{id}/test", ["POST": { .testCallback($0) }]),
        Place("/v1/media", ["GET": { _ in .mediaList }, "POST": { _ in .uploadMedia }]),
        Place("/v1/media/{id}", ["GET": { .media($0) }, "DELETE": { .deleteMedia($0) }]),
        Place("/v1/campaigns", ["GET": { _ in .campaigns }, "POST": { _ in .createCampaign }]),
        Place("/v1/campaigns/{id}", ["GET": { .campaign($0) }]),
        Place("/v1/campaigns/{id}/recipients", ["GET": { .campaignRecipients($0) }, "POST": { .addRecipients($0) }]),
        Place("/v1/campaigns/{id}/forecast", ["GET": { .campaignForecast($0) }]),
        Place("/v1/campaigns/{id}/report", ["GET": { .campaignReport($0) }]),
        Place("/v1/campaigns/{id}/launch", ["POST": { .launchCampaign($0) }]),
        Place("/v1/campaigns/{id}/pause", ["POST": { .pauseCampaign($0) }]),
        Place("/v1/campaigns/{id}/resume", ["POST": { .resumeCampaign($0) }]),
        Place("/v1/campaigns/{id}/cancel", ["POST": { .cancelCampaign($0) }]),
        Place("/v1/opt-outs", ["GET": { _ in .optOuts }]),
        Place(
            "/v1/opt-outs/{recipient}",
            ["GET": { .optOut($0) }, "PUT": { .putOptOut($0) }, "DELETE": { .deleteOptOut($0) }]),
        Place("/v1/marketing-caps", ["GET": { _ in .marketingCaps }]),
        Place(
            "/v1/marketing-caps/{scope}",
            ["PUT": { .putMarketingCap($0) }, "DELETE": { .deleteMarketingCap($0) }]),
        Place("/v1/queue", ["GET": { _ in .queue }]),
        Place("/v1/analytics/summary", ["GET": { _ in .analytics(.summary) }]),
        Place("/v1/analytics/funnel", ["GET": { _ in .analytics(.funnel) }]),
        Place("/v1/analytics/timeseries", ["GET": { _ in .analytics(.timeseries) }]),
        Place("/v1/analytics/breakdown", ["GET": { _ in .analytics(.breakdown) }]),
        Place("/v1/analytics/failures", ["GET": { _ in .analytics(.failures) }]),
        Place("/v1/analytics/costs", ["GET": { _ in .analytics(.costs) }]),
        Place("/v1/erasures", ["POST": { _ in .erase }]),
        Place("/v1/accounts", ["GET": { _ in .accounts }, "POST": { _ in .addAccount }]),
        Place("/v1/accounts/{name}", ["PUT": { .putAccount($0) }]),
        Place("/v1/keys", ["GET": { _ in .keys }, "POST": { _ in .addKey }]),
        Place("/v1/keys/{id}", ["DELETE": { .deleteKey($0) }]),
        Place("/v1/keys/{id}/rotate", ["POST": { .rotateKey($0) }]),
        Place("/v1/status", ["GET": { _ in .status }]),
        Place("/v1/reload", ["POST": { _ in .reload }]),
        Place("/v1/doctor", ["GET": { _ in .doctor }]),
        Place("/v1/backup", ["POST": { _ in .backup }]),
        Place("/healthz", ["GET": { _ in .health }]),
        Place("/metrics", ["GET": { _ in .metrics }]),
        Place("/openapi.json", ["GET": { _ in .openAPI }]),
        Place("/llms.txt", ["GET": { _ in .llms }]),
    ]
}
