import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// The pages behind links, on a listener of their own: nothing else is there, and whoever has a link's token may do
/// what the link is for, no matter who it is.
extension Frontend {
    /// Calls of all who have one link, in a minute.
    private static let inboxCallsMax = 300
    private static let onboardingCallsMax = 30
    private static let pageBodyBytesMax = 96 << 10
    /// A file handed in by a page.
    static let pageFileBytesMax = 16 << 20
    /// Files on their way in or out at a time: by one link, and by all of them, so that callers with keys have places.
    private static let filesOfOneLinkMax = 6
    private static let filesOfLinksMax = 12

    /// A link somebody came by.
    enum Visited {
        case onboarding(OnboardingLink)
        case inbox(SharedInboxLink)

        var guest: Guest {
            switch self {
            case .onboarding(let link):
                Guest(
                    name: .link(link.id, "onboarding link \(link.name)"), role: .send, home: link.account,
                    account: link.account)
            case .inbox(let link):
                Guest(
                    name: .link(link.id, "shared inbox link \(link.settings.name)"), role: .send, home: link.account,
                    account: link.account)
            }
        }
    }

    func planPage(_ head: RequestHead, _ peer: Peer, _ exchange: Exchange) -> BodyPlan {
        server.note(exchange, PageCall.plainHeaders)
        var call: PageCall?
        do throws(APIError) {
            let read = try PageCall.read(head)
            call = read
            server.note(exchange, read.headers)
            let visited = try visit(read, head)
            try countVisit(visited)
            guard read.deed == .upload, case .inbox(let link) = visited else {
                return .collect(bytesMax: Self.pageBodyBytesMax)
            }
            return try planPageUpload(link, head, visited.guest, peer, exchange)
        } catch {
            return .refuse(pageRefusal(error, call))
        }
    }

    func receivedPage(_ request: HTTPRequest, _ exchange: Exchange) {
        var known: PageCall?
        do throws(APIError) {
            let call = try PageCall.read(request.head)
            known = call
            // It may have ended while the body came.
            let visited = try visit(call, request.head)
            var clean = request
            clean.head = RequestHead(method: request.head.method, target: request.head.target)
            let translation =
                switch visited {
                case .onboarding(let link): try HostedOnboarding(front: self, link: link).translate(call.deed, request)
                case .inbox(let link): try SharedInbox(front: self, link: link).translate(call.deed, request)
                }
            carryOn(translation, clean, exchange, visited.guest)
        } catch {
            server.respond(exchange, pageRefusal(error, known))
        }
    }

    private func pageRefusal(_ error: APIError, _ call: PageCall?) -> HTTPResponse {
        guard call?.isPage ?? true else { return Links.refusal(error) }
        var response = HTTPResponse.text(error.status, "\(error.message)\n")
        response.headers += HTTPResponse.error(error).passedHeaders
        return response
    }

    /// The link whose token is named, if it may be used from where the call comes.
    private func visit(_ call: PageCall, _ head: RequestHead) throws(APIError) -> Visited {
        let over = APIError(.notFound, "this link is not valid, or not any more: ask for another one")
        guard LinkToken.isToken(call.token) else { throw over }
        let hash = sha256(Array(call.token.utf8))
        let found: Visited?
        if call.isOfOnboarding {
            found = links.onboarding(hash: hash).flatMap { $0.status(now) == .active ? .onboarding($0) : nil }
        } else {
            found = links.inbox(hash: hash).flatMap { $0.status(now) == .active ? .inbox($0) : nil }
        }
        guard let found else { throw over }
        if !call.isPage { try checkOrigin(call, head) }
        return found
    }

    /// There are no cookies another site's page could make a browser send along, but such a page could have been given
    /// the link, too: only our own may ask.
    private func checkOrigin(_ call: PageCall, _ head: RequestHead) throws(APIError) {
        let stranger = APIError(
            .forbidden, "only the page itself may ask for this; is public-url the address the page was opened at?")
        if let site = head["sec-fetch-site"], site != "same-origin" { throw stranger }
        guard call.isChange else { return }
        guard let origin = head["origin"], origin.lowercased() == parts.pages.origin else { throw stranger }
        guard
            call.deed == .upload
                || (head["content-type"] ?? "").lowercased().hasPrefix("application/json")
        else { throw APIError(.malformed, "the body must be application/json", status: 415) }
    }

    private func countVisit(_ visited: Visited) throws(APIError) {
        let (id, most) =
            switch visited {
            case .onboarding(let link): (link.id, Self.onboardingCallsMax)
            case .inbox(let link): (link.id, Self.inboxCallsMax)
            }
        let quota = pageRates.take(.link(id, ""), perMinute: most, tick: steadyNanoseconds())
        guard let seconds = quota.retryAfter else { return }
        throw APIError(.limitReached, "\(most) calls a minute are allowed with one link", retryAfter: Int64(seconds))
    }

    /// Files move as many at a time as there are places for people with links.
    func checkFiles(of link: SharedInboxLink, among visitors: some Collection<Visitor>) throws(APIError) {
        let all = visitors.count { if case .link = $0.guest.name { true } else { false } }
        let own = visitors.count { $0.guest.isOfLink(link.id) }
        guard own < Self.filesOfOneLinkMax, all < Self.filesOfLinksMax else {
            throw APIError(
                .unavailable, "\(own) files of this link are on their way: try again in a moment", retryAfter: 1)
        }
    }

    /// A link that has come into wrong hands does not fill the disk.
    private func countBytes(_ count: Int, of link: SharedInboxLink) throws(APIError) {
        let now = steadyNanoseconds()
        linkBytes = linkBytes.filter { now - $0.value.since < Self.hour }
        let known = linkBytes[link.id] ?? (0, now)
        guard known.bytes + count <= Self.fileBytesAnHourMax else {
            throw APIError(
                .limitReached, "\(Self.fileBytesAnHourMax >> 20) MiB an hour are allowed with one link",
                retryAfter: Int64((Self.hour - (now - known.since)) / 1_000_000_000) + 1)
        }
        linkBytes[link.id] = (known.bytes + count, known.since)
    }

    private static let hour: UInt64 = 3_600_000_000_000
    private static let fileBytesAnHourMax = 512 << 20

    /// A file goes to the disk piece by piece, as on the other sockets.
    private func planPageUpload(
        _ link: SharedInboxLink, _ head: RequestHead, _ guest: Guest, _ peer: Peer, _ exchange: Exchange
    ) throws(APIError) -> BodyPlan {
        try SharedInbox.need(.sendMedia, link)
        guard case .length(let length) = head.body, length <= Self.pageFileBytesMax else {
            throw APIError(
                .tooLarge, "a file may have \(Self.pageFileBytesMax >> 20) MiB here, and must say its length")
        }
        try checkFiles(of: link, among: uploads.values)
        try countBytes(length, of: link)
        let given = try parameters(head)
        var own = head
        own.headers = head.headers.filter { $0.name == "content-type" }
        let named = given.filter { ["filename", "type"].contains($0.name) }
            .map { "\($0.name)=\(percentEncoded($0.value))" }
        own.target = "/v1/media?\(named.joined(separator: "&"))"
        let plan = try planUpload(own, guest, peer, exchange)
        let request = HTTPRequest(
            head: RequestHead(method: "POST", target: own.target), body: [], peer: peer,
            listener: Door.pages.rawValue)
        translations[exchange] = Translating(request: request, guest: guest) { [parser] in
            SharedInbox.uploaded($0, parser)
        }
        return plan
    }
}
