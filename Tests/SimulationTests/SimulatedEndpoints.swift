import OutboxCore
import OutboxHTTP

/// The web servers of subscribers as the daemon meets them: they take, refuse, stall, lose answers, and are gone for
/// days. Some events they cannot digest.
struct SimulatedEndpoints {
    /// What comes of one call.
    struct Reaction {
        var result: HTTPResult
        var after: Int64
        /// It got there.
        var isHeard = true
        /// A 2xx was said, whether or not anybody heard it.
        var isTaken = false
    }

    static let hosts = 4
    /// The daemon waits no longer.
    static let patience: Int64 = 10_000
    private static let stubbornness: Int64 = 499

    private var dice: Dice
    private var awayUntil = [Int64](repeating: 0, count: hosts)
    /// Nothing strange happens any more.
    var isKind = false

    init(seed: UInt64) { dice = Dice(seed: seed) }

    private mutating func happens(_ share: Double) -> Bool {
        !isKind && Double.random(in: 0..<1, using: &dice) < share
    }

    private mutating func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &dice) }

    mutating func goAway(_ host: Int, until moment: Int64) { awayUntil[host] = moment }

    mutating func comeBack() { awayUntil = [Int64](repeating: 0, count: Self.hosts) }

    /// A call with these events. `isSigned`: by a secret the endpoint knows.
    mutating func receive(_ host: Int, _ sequences: [Int64], isSigned: Bool, at moment: Int64) -> Reaction {
        if moment < awayUntil[host] { return awayReaction() }
        guard isSigned else { return status(401) }
        // For good, so that it is given up.
        if !isKind, sequences.contains(where: { $0 % Self.stubbornness == Int64(host) }) { return status(422) }
        guard happens(0.04) else { return taken(after: random(5...200)) }
        switch random(0...9) {
        case 0: return status(500)
        case 1: return status(429, asking: random(1...600))
        case 2: return status(503, asking: random(1...10_000))
        case 3: return status(301)
        case 4: return Reaction(result: .notSent("Connection refused"), after: 5, isHeard: false)
        case 5: return Reaction(result: .broken("connection reset"), after: random(5...5000), isTaken: happens(0.5))
        case 6: return taken(after: Self.patience + random(1...20_000))
        case 7: return taken(after: random(1000...9_999))
        case 8: return happens(0.2) ? status(410) : status(404)
        default: return Reaction(result: .broken("timeout"), after: Self.patience)
        }
    }

    private mutating func awayReaction() -> Reaction {
        switch random(0...3) {
        case 0: Reaction(result: .notSent("Connection refused"), after: 5, isHeard: false)
        case 1: status(502)
        case 2: status(500)
        default: Reaction(result: .broken("timeout"), after: Self.patience)
        }
    }

    private mutating func status(_ number: Int, asking seconds: Int64? = nil) -> Reaction {
        let headers = seconds.map { [HTTPHeader("retry-after", String($0))] } ?? []
        return Reaction(
            result: .answered(status: number, headers: headers, body: []), after: random(5...300),
            isTaken: (200...299).contains(number))
    }

    private mutating func taken(after: Int64) -> Reaction {
        var reaction = status(random(0...1) == 0 ? 200 : 204)
        reaction.after = min(after, Self.patience)
        if after > Self.patience { reaction.result = .broken("timeout") }
        return reaction
    }
}
