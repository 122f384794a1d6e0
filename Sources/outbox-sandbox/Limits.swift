/// A rule of Meta's that a sender can break.
enum Violation: String, CaseIterable {
    /// More different people than the messaging limit within its period, outside open windows.
    case tier
    /// More messages of one number in a second than its throughput.
    case throughput
    /// Messages to one person too fast.
    case pair
    /// Anything but a template outside an open customer service window.
    case window
    /// The callback data of an accepted message came again: somebody posted one attempt twice.
    case duplicate

    /// What Meta answers. No code of its own is documented for the messaging limit; its spam limit holds a number
    /// back too. The window's comes as a failed status; a duplicate is not noticed.
    var code: Int64? {
        switch self {
        case .tier: 131_048
        case .throughput: 130_429
        case .pair: 131_056
        case .window: 131_047
        case .duplicate: nil
        }
    }
}

/// Which limits are enforced; peaks and duplicates are always counted.
struct LimitSettings: Sendable {
    /// People in a period; nil: any number.
    var people: Int?
    var peoplePerNumber = false
    /// Nanoseconds.
    var peoplePeriod: UInt64 = 86_400_000_000_000
    var messagesPerSecond: Int?
    /// Nanoseconds from one message of a pair to the next; nil: no pair limit.
    var pairInterval: UInt64?
    var windowNeeded = false
}

/// Meta's limits by a simple count of their own, so that they can judge any sender. Moments are nanoseconds of the
/// steady clock, at which the sandbox got to the request.
struct Limits {
    /// Meta's customer service window: 24 hours from a person's last message.
    private static let windowLength: UInt64 = 86_400_000_000_000
    /// At least so many accepted callback data are remembered, at most twice as many.
    private static let opaqueMin = 1_000_000

    private let settings: LimitSettings
    private var seconds: [String: SlidingSecond] = [:]
    private var people: [String: RollingPeople] = [:]
    private var pairs: PairBuckets?
    private var windowEnds: [Pair: UInt64] = [:]
    private var opaque: Set<String> = []
    private var olderOpaque: Set<String> = []
    private var counts: [Violation: Int] = [:]
    private(set) var peakPerSecond = 0
    private(set) var peakPeople = 0

    init(_ settings: LimitSettings) {
        self.settings = settings
        pairs = settings.pairInterval.map { PairBuckets(interval: $0) }
    }

    func count(_ violation: Violation) -> Int { counts[violation] ?? 0 }

    private mutating func broken(_ violation: Violation) -> Violation {
        counts[violation, default: 0] += 1
        return violation
    }

    // MARK: What happens

    /// A request to send came in, whatever becomes of it.
    mutating func sendArrived(_ phoneNumberID: String, opaque: String?, _ now: UInt64) -> Violation? {
        if let opaque, self.opaque.contains(opaque) || olderOpaque.contains(opaque) { _ = broken(.duplicate) }
        let inSecond = countMessage(phoneNumberID, now)
        guard let most = settings.messagesPerSecond, inSecond > most else { return nil }
        return broken(.throughput)
    }

    /// A person wrote, so long before now: a window opens or stays open. Counts in the throughput and breaks nothing,
    /// for no sender can help it.
    mutating func inboundArrived(_ pair: Pair, age: UInt64, _ now: UInt64) {
        _ = countMessage(pair.phoneNumberID, now)
        guard age < Self.windowLength else { return }
        windowEnds[pair] = max(windowEnds[pair] ?? 0, now + Self.windowLength - age)
    }

    /// Whether a message, right in itself, is refused by a limit. Nothing is used up when it is.
    mutating func refusal(_ pair: Pair, _ now: UInt64) -> Violation? {
        if let pairs, !pairs.allows(pair, now) { return broken(.pair) }
        let pool = pool(pair)
        people[pool]?.forgetOld(now)
        guard let most = settings.people, !isOpen(pair, now) else { return nil }
        let written = people[pool]
        if written?.contains(pair.person) == true || (written?.count ?? 0) < most { return nil }
        return broken(.tier)
    }

    /// A message was accepted. It counts whatever follows it, a failed status too. Answers the window it missed.
    mutating func accepted(_ pair: Pair, isTemplate: Bool, opaque: String?, _ now: UInt64) -> Violation? {
        if let opaque { remember(opaque) }
        pairs?.take(pair, now)
        if isOpen(pair, now) { return nil }
        let pool = pool(pair)
        people[pool, default: RollingPeople(period: settings.peoplePeriod)].add(pair.person, now)
        peakPeople = max(peakPeople, people[pool]?.count ?? 0)
        return settings.windowNeeded && !isTemplate ? broken(.window) : nil
    }

    // MARK: Counting

    private func isOpen(_ pair: Pair, _ now: UInt64) -> Bool { windowEnds[pair].map { now < $0 } ?? false }

    /// Which set of people a number's messages count in.
    private func pool(_ pair: Pair) -> String { settings.peoplePerNumber ? pair.phoneNumberID : "" }

    private mutating func countMessage(_ phoneNumberID: String, _ now: UInt64) -> Int {
        let inSecond = seconds[phoneNumberID, default: SlidingSecond()].add(now)
        peakPerSecond = max(peakPerSecond, inSecond)
        return inSecond
    }

    private mutating func remember(_ text: String) {
        if opaque.count >= Self.opaqueMin {
            olderOpaque = opaque
            opaque = []
        }
        opaque.insert(text)
    }
}
