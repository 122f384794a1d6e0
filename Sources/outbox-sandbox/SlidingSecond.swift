/// Counts what happened within the last second, at any moment; nanoseconds of the steady clock.
struct SlidingSecond {
    private static let second: UInt64 = 1_000_000_000

    /// Oldest first; those before `first` are more than a second old.
    private var moments: [UInt64] = []
    private var first = 0

    /// Adds one and answers how many there are in the second that ends now; what is a whole second old is out.
    mutating func add(_ now: UInt64) -> Int {
        moments.append(now)
        while moments[first] + Self.second <= now { first += 1 }
        if first > moments.count / 2 {
            moments.removeFirst(first)
            first = 0
        }
        return moments.count - first
    }
}
