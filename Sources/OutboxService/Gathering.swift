/// Group commit: callers who have just been answered mostly ask again at once. Waiting for them a moment, with the
/// transaction open and each worked off as it comes, lets the next sync of the disk serve all of them; without it they
/// take turns in two halves, and everybody waits for two syncs. Where nobody comes back it soon stops waiting.
struct Gathering {
    /// Nanoseconds.
    private static let waitMax: UInt64 = 3_000_000
    private static let skipsMax = 64

    private var expected = 0
    private var wait: UInt64 = 0
    private var misses = 0
    private var skips = 0

    /// A turn that took so many nanoseconds answered so many callers.
    mutating func ended(replies: Int, took: UInt64) {
        expected = replies
        wait = min(took / 2, Self.waitMax)
        if skips > 0 { skips -= 1 }
    }

    /// Up to which tick to wait for more, with so much at hand; nil: not at all.
    func deadline(have count: Int, now: UInt64) -> UInt64? {
        guard expected > 1, skips == 0, count > 0, count < expected else { return nil }
        return now + wait
    }

    func isEnough(_ count: Int) -> Bool { count >= expected }

    /// It was waited, and so much came together.
    mutating func gathered(_ count: Int) {
        if count * 2 >= expected {
            misses = 0
        } else {
            misses += 1
            skips = min(1 << min(misses, 6), Self.skipsMax)
        }
    }
}
