import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// The organization-key API's links for people without keys: `/v1/onboarding-links…`, `/v1/shared-inbox-links…`.
struct Links: Dialect {
    let front: Frontend
    let guest: Guest

    func translate(_ call: LinkCall, _ request: HTTPRequest) throws(APIError) -> Translation {
        let asker = try front.asker(guest, .hosted(.links(call)), request.head)
        switch call {
        case .onboardingLinks: return try listOnboarding(request.head)
        case .addOnboarding: return try addOnboarding(request.body, asker)
        case .onboarding(let text): return .answer(front.shown(try onboarding(text)))
        case .removeOnboarding(let text), .revokeOnboarding(let text):
            return wish(.revokeOnboarding(try onboarding(text).id), asker)
        case .inboxLinks: return try listInbox(request.head)
        case .addInbox: return try addInbox(request.body, asker)
        case .inbox(let text): return .answer(front.shown(try inbox(text)))
        case .putInbox(let text): return try change(try inbox(text), request.body, asker, isWhole: true)
        case .patchInbox(let text): return try change(try inbox(text), request.body, asker, isWhole: false)
        case .rotateInbox(let text):
            let link = try inbox(text)
            guard link.revokedAt == nil else { throw LinkReply.over.refusal }
            try checkAddress(isSignup: false)
            let token = Self.token()
            return wish(.rotateInbox(link.id, hash: sha256(Array(token.utf8))), asker, token: token)
        case .removeInbox(let text), .revokeInbox(let text):
            return wish(.revokeInbox(try inbox(text).id), asker)
        }
    }

    // MARK: Words

    static func refusal(_ error: APIError) -> HTTPResponse { Organization.refusal(error) }

    /// What the writer answers, or why nothing comes of it. `token` is shown once, in the link's address.
    private func wish(
        _ wish: LinkWish, _ asker: Asker, token: String? = nil, ended: @escaping () -> Void = {}
    ) -> Translation {
        .perform { (front, exchange) throws(APIError) in
            front.linksMade[exchange] = token
            front.post(asker, .link(exchange, wish))
        } then: { response in
            ended()
            return .answer(response.refusal(front.parser).map { Self.refusal($0) } ?? response)
        }
    }

    // MARK: Making and changing

    static func token() -> String { hexadecimal(randomBytes(LinkToken.byteCount)) }

    private func checkAddress(isSignup: Bool) throws(APIError) {
        let pages = front.parts.pages
        guard pages.publicURL != nil else {
            throw APIError(
                .conflict,
                "links lead to outboxd's own pages: say where people reach them with the setting public-url, see "
                    + "outboxd(8)")
        }
        guard pages.isOpen else {
            throw APIError(.conflict, "no listener serves the pages: give the setting pages, see outboxd(8)")
        }
        guard isSignup, pages.signup == nil else { return }
        throw APIError(
            .conflict,
            "Meta's Embedded Signup needs your app and its configuration: give the settings signup-app-id and "
                + "signup-config-id, see outboxd(8)")
    }

    private func addOnboarding(_ bytes: [UInt8], _ asker: Asker) throws(APIError) -> Translation {
        let body = try OnboardingLinkBody.read(try front.parse(bytes), now: front.now)
        try checkAddress(isSignup: true)
        if body.role == .admin, asker.account == Account.defaultID {
            let words =
                "may not be admin in the account default, whose admins look after the whole process: make the link in an "
                + "account of its own"
            throw .validation([FieldError("role", words)])
        }
        let token = Self.token()
        return wish(.addOnboarding(body, hash: sha256(Array(token.utf8))), asker, token: token)
    }

    private func addInbox(_ bytes: [UInt8], _ asker: Asker) throws(APIError) -> Translation {
        let body = try SharedInboxLinkBody.read(try front.parse(bytes), isNew: true, now: front.now)
        try checkAddress(isSignup: false)
        let ids = OrganizationIDs(codec: front.codec, account: guest.account)
        return .ask(OwnCall(.lines, "/v1/lines")) { response in
            if let error = response.refusal(front.parser) { return .answer(Self.refusal(error)) }
            let lines = (try? front.parser.parse(response.body))?["data"]?.elements.map { $0 } ?? []
            let named = lines.first { line in
                line["line"]?.string.map {
                    ids.names(body.phoneNumberID ?? "", line: $0, phoneNumberID: line["phoneNumberId"]?.string)
                } ?? false
            }
            guard let line = named?["line"]?.string else {
                let wrong = FieldError("phoneNumberId", "is the id of no phone here; see GET /v1/phones")
                return .answer(Self.refusal(.validation([wrong])))
            }
            let token = Self.token()
            return wish(
                .addInbox(body.settings, line: line, hash: sha256(Array(token.utf8))), asker, token: token)
        }
    }

    private func change(_ link: SharedInboxLink, _ bytes: [UInt8], _ asker: Asker, isWhole: Bool) throws(APIError)
        -> Translation
    {
        let body = try SharedInboxLinkBody.read(
            try front.parse(bytes), before: isWhole ? nil : link.settings, isNew: false, now: front.now)
        // What it leaves as it is was read before: one change at a time.
        guard front.linksChanging.insert(link.id).inserted else {
            throw APIError(.conflict, "another change of the link is under way; try again")
        }
        return wish(.changeInbox(link.id, body.settings), asker) { front.linksChanging.remove(link.id) }
    }

    // MARK: Looking

    private func onboarding(_ text: String) throws(APIError) -> OnboardingLink {
        guard let id = front.codec.id(text, .onboardingLink), let link = front.links.onboarding[id],
            link.account == guest.account
        else { throw LinkReply.missing.refusal }
        return link
    }

    private func inbox(_ text: String) throws(APIError) -> SharedInboxLink {
        guard let id = front.codec.id(text, .sharedInboxLink), let link = front.links.inbox[id],
            link.account == guest.account
        else { throw LinkReply.missing.refusal }
        return link
    }

    private func listOnboarding(_ head: RequestHead) throws(APIError) -> Translation {
        let old = front.now - Queue.linkKept
        let links = front.links.onboarding.values.filter {
            $0.account == guest.account && ($0.completedAt ?? $0.revokedAt ?? $0.expiresAt) > old
        }
        return try list(head, links.sorted { $0.id > $1.id }) { front.write($0, to: &$1) }
    }

    private func listInbox(_ head: RequestHead) throws(APIError) -> Translation {
        let old = front.now - Queue.linkKept
        let links = front.links.inbox.values.filter {
            $0.account == guest.account && ($0.revokedAt ?? $0.settings.expiresAt).map { $0 > old } ?? true
        }
        return try list(head, links.sorted { $0.id > $1.id }) { front.write($0, to: &$1) }
    }

    private func list<Link>(_ head: RequestHead, _ links: [Link], _ write: (Link, inout JSONWriter) -> Void)
        throws(APIError) -> Translation
    {
        let page = try OrganizationPage.read(try front.parameters(head))
        let some = links.dropFirst(page.offset).prefix(page.limit)
        return Organization(front: front, guest: guest)
            .list(page, total: Int64(links.count), hasMore: page.offset + page.limit < links.count) { json in
                for link in some { write(link, &json) }
            }
    }
}

extension Frontend {
    func shown(_ link: OnboardingLink) -> HTTPResponse { .json(200) { write(link, to: &$0, "data") } }
    func shown(_ link: SharedInboxLink) -> HTTPResponse { .json(200) { write(link, to: &$0, "data") } }

    func write(_ link: OnboardingLink, to json: inout JSONWriter, _ name: String? = nil, token: String? = nil) {
        let ids = OrganizationIDs(codec: codec, account: link.account)
        link.write(
            to: &json, name: name, id: codec.text(link.id, .onboardingLink),
            address: token.flatMap { token in parts.pages.publicURL.map { "\($0)/onboard/\(token)" } },
            phone: link.lineName.map(ids.phone), now: now)
    }

    func write(_ link: SharedInboxLink, to json: inout JSONWriter, _ name: String? = nil, token: String? = nil) {
        let ids = OrganizationIDs(codec: codec, account: link.account)
        link.write(
            to: &json, name: name, id: codec.text(link.id, .sharedInboxLink),
            address: token.flatMap { token in parts.pages.publicURL.map { "\($0)/inbox/\(token)" } },
            phone: ids.phone(link.lineName), now: now)
    }

    /// Takes up what changed before anybody hears of it; nil: it is about something else.
    func linkResponse(to reply: WriterReply, _ exchange: Exchange) -> HTTPResponse? {
        let token = linksMade.take(exchange)
        let keyText = linkKeysMade.take(exchange)
        guard case .link(let reply) = reply else { return nil }
        switch reply {
        case .onboarding(let link, let isNew):
            links.put(link)
            return .json(isNew ? 201 : 200) { write(link, to: &$0, "data", token: token) }
        case .inbox(let link, let isNew):
            links.put(link)
            // What it allowed before is not gone on with.
            if !isNew { expel { $0.guest.isOfLink(link.id) } }
            return .json(isNew ? 201 : 200) { write(link, to: &$0, "data", token: token) }
        case .completed(let link, _, let directory):
            links.put(link)
            parts.door.set(directory)
            let phone = link.lineName.map(OrganizationIDs(codec: codec, account: link.account).phone)
            return .json(200) {
                $0.object("data") {
                    $0.field("apiKey", keyText)
                    $0.field("phoneNumberId", phone)
                    $0.field("redirectUrl", link.redirectURL)
                }
            }
        case .missing, .over, .noLine, .tooMany: return .error(reply.refusal)
        }
    }
}

extension Guest {
    func isOfLink(_ link: MessageID) -> Bool {
        if case .link(link, _) = name { return true }
        return false
    }
}
