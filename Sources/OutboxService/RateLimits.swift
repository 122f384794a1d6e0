import OutboxHTTP

/// How many calls each caller may still make: so many at once, and as many more with every minute. Belongs to the
/// server's thread.
struct RateLimits {
    /// What a caller is told with every answer.
    struct Quota: Equatable {
        var limit: Int
        var remaining: Int
        /// Seconds until all of it is there again.
        var reset: Int
        /// Seconds until one more call may be made; nil: this one may.
        var retryAfter: Int?

        var headers: [HTTPHeader] {
            [
                HTTPHeader("x-ratelimit-limit", String(limit)), HTTPHeader("x-ratelimit-remaining", String(remaining)),
                HTTPHeader("x-ratelimit-reset", String(reset)),
            ]
        }
    }

    /// Callers remembered; whoever has all its calls is forgotten first.
    private static let callersMax = 4096

    private struct Bucket {
        var calls: Double
        var at: UInt64
        var perMinute: Int
    }
    private var buckets: [Guest.Name: Bucket] = [:]

    /// `perMinute` is 1 at least; `tick` is of the steady clock, in nanoseconds.
    mutating func take(_ name: Guest.Name, perMinute: Int, tick: UInt64) -> Quota {
        let rate = Double(perMinute) / 60
        var bucket = buckets[name] ?? Bucket(calls: Double(perMinute), at: tick, perMinute: perMinute)
        let passed = Double(tick - min(bucket.at, tick)) / 1e9
        // Who may make more from now on has them at once.
        let more = Double(max(0, perMinute - bucket.perMinute))
        bucket.calls = min(Double(perMinute), bucket.calls + passed * rate + more)
        bucket.perMinute = perMinute
        bucket.at = tick
        let isAllowed = bucket.calls >= 1
        if isAllowed { bucket.calls -= 1 }
        if buckets[name] == nil, buckets.count >= Self.callersMax { forget(perMinute, tick) }
        buckets[name] = bucket
        return Quota(
            limit: perMinute, remaining: Int(bucket.calls),
            reset: Int(((Double(perMinute) - bucket.calls) / rate).rounded(.up)),
            retryAfter: isAllowed ? nil : max(1, Int(((1 - bucket.calls) / rate).rounded(.up))))
    }

    private mutating func forget(_ perMinute: Int, _ tick: UInt64) {
        let minute: UInt64 = 60_000_000_000
        buckets = buckets.filter { tick - min($0.value.at, tick) < minute }
        // All of them called within the minute: the one that did so longest ago gets its calls back early.
        if buckets.count >= Self.callersMax, let oldest = buckets.min(by: { $0.value.at < $1.value.at }) {
            buckets[oldest.key] = nil
        }
    }
}
