/// One business number and one person.
struct Pair: Hashable {
    var phoneNumberID: String
    var person: String
}

/// Meta's pair limit: a bucket of 45 messages to one person, filled up again by one every 6 seconds.
///
/// Page: developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform. A burst borrows from
/// what comes after it: after 20 at once the bucket is full again two minutes later.
struct PairBuckets {
    private static let capacity: UInt64 = 45

    /// Nanoseconds until a full bucket has one more.
    private let interval: UInt64
    /// When each bucket is full again; one that is not named is full.
    private var fullAt: [Pair: UInt64] = [:]
    /// Full buckets are thrown away when there are this many.
    private var sweepAt = 100_000

    init(interval: UInt64) { self.interval = interval }

    func allows(_ pair: Pair, _ now: UInt64) -> Bool {
        guard let full = fullAt[pair], full > now else { return true }
        return full - now <= (Self.capacity - 1) * interval
    }

    mutating func take(_ pair: Pair, _ now: UInt64) {
        fullAt[pair] = max(fullAt[pair] ?? 0, now) + interval
        guard fullAt.count >= sweepAt else { return }
        fullAt = fullAt.filter { $0.value > now }
        sweepAt = max(100_000, 2 * fullAt.count)
    }
}
