/// Which class of a line's messages goes next: `high` 16 times as often as `low`, `normal` 4 times, so that none
/// starves, and a class that was idle goes first.
///
/// Start-time fair queuing with weights; a tie goes to the higher class.
package struct ClassShare: Equatable, Sendable {
    private var tags: [Int64] = [0, 0, 0]
    private var current: Int64 = 0
    /// What one message costs its class.
    private static let costs: [Int64] = [1, 4, 16]

    package init() {}

    /// The class whose message goes next, of those that have one.
    package func next(of ready: [Priority]) -> Priority? {
        ready.min { a, b in
            let (first, second) = (tag(a), tag(b))
            return first != second ? first < second : a.rawValue < b.rawValue
        }
    }

    private func tag(_ priority: Priority) -> Int64 { max(tags[Int(priority.rawValue)], current) }

    /// How many messages of one class leave at most while so many of another do.
    package static func served(_ priority: Priority, while count: Int64, of other: Priority) -> Int64 {
        count * costs[Int(other.rawValue)] / costs[Int(priority.rawValue)] + 1
    }

    package mutating func served(_ priority: Priority) {
        current = tag(priority)
        tags[Int(priority.rawValue)] = current + Self.costs[Int(priority.rawValue)]
    }
}
