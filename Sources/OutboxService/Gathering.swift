/// Group commit: callers who have just been answered mostly ask again at once. Waiting for them a moment, with the
/// transaction open and each worked off as it comes, lets the next sync of the disk serve all of them; without it they
/// take turns in two halves, and everybody waits for two syncs. Where nobody comes back it soon stops waiting.
struct Gathering {
    /// Nanoseconds.
    private static let waitMax: UInt64 = 3_000_000
    private static let skipsMax = 64

    /// Callers the last turn answered.
    private var answered = 0
    /// Who stood in the inbox as they were answered: none of them.
    private var behind = 0
    private var wait: UInt64 = 0
    private var misses = 0
    private var skips = 0

    /// All who are expected: who asked while the last turn ran, and who asks again.
    private var expected: Int { behind + answered }

    /// A turn that took so many nanoseconds answered so many callers, while `behind` waited for the next.
    mutating func ended(replies: Int, behind: Int, took: UInt64) {
        answered = replies
        self.behind = behind
        wait = min(took / 2, Self.waitMax)
        if skips > 0 { skips -= 1 }
    }

    /// For how many nanoseconds there may be nothing to do while more are waited for, with so much at hand; nil: they
    /// are not waited for.
    func patience(have count: Int) -> UInt64? {
        guard answered > 0, expected > 1, skips == 0, count > 0, count < expected else { return nil }
        return wait
    }

    func isEnough(_ count: Int) -> Bool { count >= expected }

    /// It was waited, and so much came together.
    mutating func gathered(_ count: Int) {
        if (count - behind) * 2 >= answered {
            misses = 0
        } else {
            misses += 1
            skips = min(1 << min(misses, 6), Self.skipsMax)
        }
    }
}
