import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// What the page behind an onboarding link asks for: Meta's Embedded Signup ends with a code, which becomes a line of
/// the link's account, and a key for it.
struct HostedOnboarding {
    let front: Frontend
    let link: OnboardingLink

    func translate(_ deed: PageCall.Deed, _ request: HTTPRequest) throws(APIError) -> Translation {
        guard let signup = front.parts.pages.signup else {
            throw APIError(
                .conflict, "outboxd was started without the settings signup-app-id and signup-config-id")
        }
        switch deed {
        case .onboardingPage: return .answer(Pages.onboarding.response)
        case .onboardingLink:
            return .answer(
                .json(200) {
                    $0.object("data") {
                        $0.field("name", link.name)
                        $0.field("appId", signup.appID)
                        $0.field("configId", signup.configID)
                        $0.field("version", front.parts.pages.version)
                        $0.field("expiresAt", link.expiresAt.rfc3339)
                    }
                })
        case .connect:
            let body = try SignupBody.read(try front.parse(request.body))
            guard front.connecting[link.id] == nil else {
                throw APIError(.conflict, "a number is being connected by this link just now")
            }
            front.connecting[link.id] = ConnectingNumber(account: link.account)
            return connect(body, signup)
        default: throw APIError(.notFound, "there is nothing here")
        }
    }

    // MARK: Steps

    /// The last word: the link may be tried again if it was not used up.
    private func end(_ response: HTTPResponse) -> Translation {
        front.connecting[link.id] = nil
        guard let error = response.refusal(front.parser) else { return .answer(response) }
        return .answer(Links.refusal(error))
    }

    private func connect(_ body: SignupBody, _ signup: PageSettings.Signup) -> Translation {
        .ask(OwnCall(.lines, "/v1/lines")) { response in
            guard response.isDone, let answer = try? front.parser.parse(response.body) else { return end(response) }
            let lines = answer["data"]?.elements.map { $0 } ?? []
            // A number that is here already gets another token.
            let known = lines.first { $0["phoneNumberId"]?.string == body.phoneNumberID }?["line"]?.string
            let others = front.connecting.values.compactMap { $0.account == link.account ? $0.line : nil }
            let line = known ?? name(besides: lines.compactMap { $0["line"]?.string } + others)
            front.connecting[link.id]?.line = line
            return exchange(body, signup, line: line)
        }
    }

    /// `Acme Corp` is `acme-corp`.
    private func name(besides taken: [String]) -> String {
        let slug = slugged(link.name)
        let first = slug.isEmpty ? "line" : String(slug.prefix(50))
        return (1...).lazy.map { $0 == 1 ? first : "\(first)-\($0)" }.first { !taken.contains($0) } ?? first
    }

    private func exchange(_ body: SignupBody, _ signup: PageSettings.Signup, line: String) -> Translation {
        let asker = Asker(account: link.account, who: Frontend.Visited.onboarding(link).guest.words)
        let exchange = ExchangeBody(
            code: body.code, appID: signup.appID, app: "default", line: line, phoneNumberID: body.phoneNumberID,
            wabaID: body.wabaID)
        return .perform { (front, call) throws(APIError) in
            front.exchanging[call] = asker
            front.connecting[link.id]?.exchange = call
            do throws(APIError) {
                // The page says which number it is; the token says whether that is true.
                try front.parts.onboarding.run(call, .exchange(exchange, proves: true), account: asker.account)
            } catch {
                front.exchanging[call] = nil
                throw error
            }
        } then: { response in
            guard response.isDone else { return end(response) }
            return subscribe(line, asker)
        }
    }

    /// Without it nothing is heard of the number; what it lacks is told by `outboxctl line verify`.
    private func subscribe(_ line: String, _ asker: Asker) -> Translation {
        .ask(OwnCall(.subscribeLine(line), "/v1/lines/\(percentEncoded(line))/subscribe")) { _ in
            let text = front.madeKey(.organization)
            return .perform { (front, exchange) throws(APIError) in
                front.linkKeysMade[exchange] = text
                let wish = LinkWish.complete(link.id, line: line, keyHash: sha256(Array(text.utf8)))
                front.post(asker, .link(exchange, wish))
            } then: {
                end($0)
            }
        }
    }
}

/// A number that is being connected by a link, and the line it will be, whose name nobody else is given.
struct ConnectingNumber {
    var account: Int64
    var line: String?
    /// While its code is exchanged.
    var exchange: Exchange?
}
