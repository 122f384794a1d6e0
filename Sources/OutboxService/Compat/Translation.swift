import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// How a hosted system's call is answered: by calls of our own, one after another, and a word at the end.
indirect enum Translation {
    case ask(OwnCall, then: (HTTPResponse) -> Translation)
    /// Something that is no call of `/v1` and answers as one does.
    case perform((Frontend, Exchange) throws(APIError) -> Void, then: (HTTPResponse) -> Translation)
    case answer(HTTPResponse)
}

/// A call of `/v1`.
struct OwnCall {
    var route: Route
    var target: String
    var body: [UInt8] = []
    /// Acts in this account; nil: in the caller's.
    var account: String?

    init(_ route: Route, _ target: String, body: [UInt8] = []) {
        self.route = route
        self.target = target
        self.body = body
    }

    init(_ route: Route, _ target: String, _ body: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        json.object(nil, body)
        self.init(route, target, body: json.bytes)
    }
}

extension OwnCall {
    /// `PUT /v1/lines/{line}` with everything as it is but for the fields of these names, which `write` may write.
    static func change(_ line: JSONValue, _ names: String..., write: (inout JSONWriter) -> Void) -> OwnCall {
        let name = line["line"]?.string ?? ""
        let told = ["line", "createdAt", "updatedAt"] + names
        return OwnCall(.putLine(name), "/v1/lines/\(percentEncoded(name))") { json in
            for (name, value) in line.members where !told.contains(name) && !value.isNull {
                json.field(name, raw: value.raw)
            }
            write(&json)
        }
    }
}

/// What a hosted system's API is like.
protocol Dialect {
    var front: Frontend { get }
    /// Its own words for a refusal of ours.
    static func refusal(_ error: APIError) -> HTTPResponse
    /// The headers that tell of a rate limit.
    static func headers(_ quota: RateLimits.Quota, now: Timestamp) -> [HTTPHeader]
    /// A key may come as the password of a Basic login.
    static var takesLogin: Bool { get }
}

extension Dialect {
    static func headers(_ quota: RateLimits.Quota, now: Timestamp) -> [HTTPHeader] { quota.headers }

    static var takesLogin: Bool { false }

    var parser: JSONParser { front.parser }

    static func refuse(_ error: APIError) -> Translation { .answer(refusal(error)) }

    /// Goes on with what a call of ours answers. What refuses is said in the dialect, if `refused` does not know better;
    /// `names` are its names of fields that have others here.
    func ask(
        _ call: OwnCall, names: [String: String] = [:], refused: @escaping (APIError) -> Translation = Self.refuse,
        _ then: @escaping (JSONValue, HTTPResponse) -> Translation
    ) -> Translation {
        .ask(call) { response in
            if var error = response.refusal(parser) {
                error.details = error.details.map { FieldError(names[$0.field] ?? $0.field, $0.message) }
                return refused(error)
            }
            let body = response.body.isEmpty ? Array("{}".utf8) : response.body
            guard let answer = try? parser.parse(body) else {
                return Self.refuse(APIError(.internalError, "outboxd's own answer could not be read"))
            }
            return then(answer, response)
        }
    }
}

/// A translated call whose next answer is awaited.
struct Translating {
    var request: HTTPRequest
    var guest: Guest
    var then: (HTTPResponse) -> Translation
}

extension HostedCall {
    var dialect: any Dialect.Type {
        switch self {
        case .whatsAPI: WhatsAPI.self
        case .aircall: Aircall.self
        case .callMissed: CallMissed.self
        case .organization: Organization.self
        case .links: Links.self
        }
    }
}

extension Route {
    /// Nil: it is one of our own.
    var dialect: (any Dialect.Type)? {
        if case .hosted(let call) = self { return call.dialect }
        return nil
    }
}

extension Frontend {
    /// Answers a hosted system's call.
    func handle(
        _ call: HostedCall, _ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest
    ) throws(APIError) {
        let translation =
            switch call {
            case .whatsAPI(let call): try WhatsAPI(front: self, guest: guest).translate(call, request)
            case .aircall(let call): try Aircall(front: self, guest: guest).translate(call, request)
            case .callMissed(let call): try CallMissed(front: self, guest: guest).translate(call, request)
            case .organization(let call): try Organization(front: self, guest: guest).translate(call, request)
            case .links(let call): try Links(front: self, guest: guest).translate(call, request)
            }
        carryOn(translation, request, exchange, guest)
    }

    /// Every answer goes out here: that of a translated call goes on from it.
    func respond(_ exchange: Exchange, _ response: HTTPResponse) {
        guard let translating = translations.take(exchange) else {
            return server.respond(exchange, response)
        }
        carryOn(translating.then(response), translating.request, exchange, translating.guest)
    }

    func carryOn(
        _ translation: Translation, _ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest
    ) {
        switch translation {
        case .answer(let response): server.respond(exchange, response)
        case .perform(let deed, let then):
            translations[exchange] = Translating(request: request, guest: guest, then: then)
            perform(deed, exchange)
        case .ask(let call, let then):
            var guest = guest
            if let name = call.account {
                guard let account = parts.door.directory.accounts.first(where: { $0.name == name }) else {
                    let gone = HTTPResponse.error(APIError(.notFound, "there is no account \(name)"))
                    return carryOn(then(gone), request, exchange, guest)
                }
                guest.account = account.id
            }
            translations[exchange] = Translating(request: request, guest: guest, then: then)
            var own = request
            own.head.target = call.target
            own.body = call.body
            do throws(APIError) {
                try handle(call.route, own, exchange, guest)
            } catch {
                respond(exchange, .error(error))
            }
        }
    }

    private func perform(_ deed: (Frontend, Exchange) throws(APIError) -> Void, _ exchange: Exchange) {
        do throws(APIError) {
            try deed(self, exchange)
        } catch {
            respond(exchange, .error(error))
        }
    }

    /// An error in the words of whoever was called.
    func refusal(_ error: APIError, _ route: Route?) -> HTTPResponse {
        route?.dialect?.refusal(error) ?? .error(error)
    }
}

extension HTTPResponse {
    /// Whether it brings what was asked for.
    var isDone: Bool { (200...299).contains(status) }

    /// The headers that are not about the form of the body.
    var passedHeaders: [HTTPHeader] {
        headers.filter { !["content-type", "content-length"].contains($0.name) }
    }

    /// What an answer of ours that refuses says; nil: it does not.
    func refusal(_ parser: JSONParser) -> APIError? {
        guard !isDone else { return nil }
        let error = (try? parser.parse(body))?["error"]
        let details = error?["details"]?.elements.map {
            FieldError($0["field"]?.string ?? "", $0["message"]?.string ?? "")
        }
        let seconds = headers.first { $0.name == "retry-after" }.flatMap { Int64($0.value) }
        return APIError(
            error?["code"]?.string.flatMap(APIError.Code.init(rawValue:)) ?? .internalError,
            error?["message"]?.string ?? "outboxd could not answer", details ?? [], status: status,
            allow: headers.first { $0.name == "allow" }?.value, retryAfter: seconds)
    }
}

/// `Your Name` is `your-name`: lower-case letters and digits, everything else as one `-`.
func slugged(_ label: String) -> String {
    var slug = ""
    for byte in label.lowercased().utf8 {
        let isWord = (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        if isWord { slug.unicodeScalars.append(Unicode.Scalar(byte)) } else if slug.last != "-" { slug += "-" }
    }
    return String(slug.drop { $0 == "-" }.reversed().drop { $0 == "-" }.reversed())
}
