/// The different people written to within a rolling period, each counted once from the last message to them.
struct RollingPeople {
    /// Nanoseconds.
    private let period: UInt64
    private var lastMoment: [String: UInt64] = [:]
    /// One entry for each person; it may be early for somebody written to again.
    private var ends = Agenda<String>()

    init(period: UInt64) { self.period = period }

    var count: Int { lastMoment.count }

    func contains(_ person: String) -> Bool { lastMoment[person] != nil }

    mutating func add(_ person: String, _ now: UInt64) {
        if lastMoment.updateValue(now, forKey: person) == nil { ends.add(person, at: now + period) }
    }

    /// Lets go of those whose last message is a whole period old.
    mutating func forgetOld(_ now: UInt64) {
        while let person = ends.next(due: now) {
            guard let last = lastMoment[person] else { continue }
            if last + period <= now {
                lastMoment[person] = nil
            } else {
                ends.add(person, at: last + period)
            }
        }
    }
}
