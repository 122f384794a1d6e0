import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Hands on files people sent to our lines, from Meta, as they come: no faster than the caller takes them, and never
/// whole in memory. Each on a thread of its own, which libcurl's blocking call needs; bounded in number.
final class MediaFetcher: Sendable {
    static let underWayMax = 8
    private static let patience = Duration.seconds(20)
    /// For the bytes, all together, and without a byte.
    private static let bytesPatience = Duration.seconds(3600)
    private static let quietMax = Duration.seconds(60)

    private final class Fetch: Sendable {
        let bell = Bell()
        let isGone = Lock(false)

        /// The caller has taken what it was given; false when it has gone.
        func waitUntilTaken() -> Bool {
            _ = bell.wait()
            bell.clear()
            return !isGone.withLock { $0 }
        }
    }

    private let target: @Sendable () -> GraphEndpoint
    private let secrets: Secrets
    private let orders: @Sendable ([StreamOrder]) -> Void
    private let fetches = Lock<[Exchange: Fetch]>([:])

    init(
        target: @escaping @Sendable () -> GraphEndpoint, secrets: Secrets,
        orders: @escaping @Sendable ([StreamOrder]) -> Void
    ) {
        self.target = target
        self.secrets = secrets
        self.orders = orders
    }

    /// Answers the exchange when the bytes come, or with why they do not. Throws when nothing is asked.
    func fetch(_ exchange: Exchange, _ id: String, _ received: ReceivedMedia) throws(APIError) {
        let line = received.line
        guard let token = secrets.value(line.settings.credential) else {
            throw APIError(
                .conflict,
                "the secret \(line.settings.credential) holds no access token: give the line one with "
                    + "outboxctl line add \(line.name) --token -")
        }
        let fetch = Fetch()
        let isTaken = fetches.withLock { fetches in
            guard fetches.count < Self.underWayMax else { return false }
            fetches[exchange] = fetch
            return true
        }
        guard isTaken else {
            throw APIError(
                .unavailable, "\(Self.underWayMax) files are being fetched: try again in a moment", retryAfter: 1)
        }
        let filename = (try? JSONParser().parse(received.body))?[received.type]?["filename"]?.string
        _ = Thread("media-fetch") { [self] in
            run(fetch, exchange, id, token, filename)
            fetches.withLock { $0[exchange] = nil }
        }
    }

    func drained(_ exchange: Exchange) { fetches.withLock { $0[exchange]?.bell.ring() } }

    func gone(_ exchange: Exchange) {
        fetches.withLock { fetches in
            fetches[exchange]?.isGone.withLock { $0 = true }
            fetches[exchange]?.bell.ring()
        }
    }

    /// What is under way is broken off.
    func stop() {
        let all = fetches.withLock { Array($0.keys) }
        for exchange in all { gone(exchange) }
    }

    private func run(_ fetch: Fetch, _ exchange: Exchange, _ id: String, _ token: String, _ filename: String?) {
        let endpoint = target()
        let parser = JSONParser()
        let node = callAndWait(endpoint.media(id, token: token, timeout: Self.patience))
        let place: MediaPlace
        switch mediaPlace(of: node, parser: parser) {
        case .read(let read): place = read
        case .failed:
            let error = callEnd(of: node, parser: parser).error("the file was not handed out")
            return orders([
                .refuse(exchange, error ?? APIError(.metaRefused, "Meta did not say where the file is"))
            ])
        }
        guard endpoint.trusts(place.url) else {
            let words = "Meta named a place for the file that is none of Meta's; the token is not given to it"
            return orders([.refuse(exchange, APIError(.metaRefused, words))])
        }
        let sum = SHA256Sum()
        var size: Int64 = 0
        var hasBegun = false
        var isGone = false
        let bytes = mediaBytes(place, token: token, timeout: Self.bytesPatience, quietMax: Self.quietMax)
        let result = callAndHear(bytes) { piece in
            if !hasBegun {
                hasBegun = true
                let head = mediaHead(type: place.mime ?? "application/octet-stream", filename: filename)
                orders([.begin(exchange, head, endless: false)])
            } else if !piece.isEmpty {
                sum.add(piece)
                size += Int64(piece.count)
                orders([.piece(exchange, piece)])
            } else {
                return true
            }
            isGone = !fetch.waitUntilTaken()
            return !isGone
        }
        if isGone { return orders([.breakOff(exchange)]) }
        guard hasBegun else {
            let error =
                callEnd(of: result, parser: parser).error("the file's bytes did not come")
                ?? APIError(.metaUnreachable, "the file's bytes did not come")
            return orders([.refuse(exchange, error)])
        }
        var isWhole = false
        if case .answered = result { isWhole = true }
        if let wanted = place.sha256, wanted != hexadecimal(sum.finish()) { isWhole = false }
        if let wanted = place.size, wanted != size { isWhole = false }
        // A broken transfer is told from a whole one by its missing end.
        orders([isWhole ? .end(exchange) : .breakOff(exchange)])
    }
}
