/// Group commit: callers who have just been answered mostly ask again at once. Waiting for them a moment, with the
/// transaction open and each worked off as it comes, lets the next sync of the disk serve all of them; without it they
/// take turns in two halves, and everybody waits for two syncs. Where they do not come back it soon stops waiting.
final class Gathering {
    /// Nanoseconds without anything to do, at most half a turn.
    private static let waitMax: UInt64 = 3_000_000
    /// From the beginning of a turn: what waits for its end shall not wait long for those who are still to come.
    static let turnMax: UInt64 = 5_000_000
    /// Whoever has not asked again after that was not in a hurry.
    private static let comesBackWithin: UInt64 = 10_000_000
    private static let skipsMax = 64

    /// The turn that answered a connection last, by its descriptor; 0: it has asked again.
    private var turns: [UInt64] = []
    private var turn: UInt64 = 0
    private var endedAt: UInt64 = 0
    /// How many the last turn answered, and how many of them have asked again.
    private var answered = 0
    private var back = 0
    private var wait: UInt64 = 0
    private var misses = 0
    private var skips = 0

    var isComplete: Bool { back >= answered }

    /// A turn that took so many nanoseconds answered callers on these connections.
    func ended(_ connections: some Sequence<Int32>, at now: UInt64, took: UInt64) {
        turn += 1
        (answered, back, endedAt) = (0, 0, now)
        for connection in connections.map(Int.init) {
            if connection >= turns.count { turns += Array(repeating: 0, count: connection + 64 - turns.count) }
            if turns[connection] != turn { answered += 1 }
            turns[connection] = turn
        }
        wait = min(took / 2, Self.waitMax)
        if skips > 0 { skips -= 1 }
    }

    /// Somebody asks on this connection.
    func came(_ connection: Int32) {
        let connection = Int(connection)
        guard connection < turns.count, turns[connection] == turn else { return }
        turns[connection] = 0
        back += 1
    }

    /// For how many nanoseconds there may be nothing to do while the others are waited for; nil: they are not.
    func patience(at now: UInt64) -> UInt64? {
        isComplete || skips > 0 || now > endedAt + Self.comesBackWithin ? nil : wait
    }

    /// They were waited for, and are there or not.
    func gathered() {
        if back * 2 >= answered {
            misses = 0
        } else {
            misses += 1
            skips = min(1 << min(misses, 6), Self.skipsMax)
        }
    }
}
