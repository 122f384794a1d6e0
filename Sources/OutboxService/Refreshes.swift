import OutboxCore

/// When Meta is to be asked again how a line does.
struct Refreshes {
    private var askedAt: [Int64: Timestamp] = [:]
    private(set) var next: Timestamp?

    /// Nothing special; something waits for Meta's word; somebody just looked.
    private static let often = Duration.seconds(900)
    private static let oftenWhileWaiting = Duration.seconds(60)
    private static let oldAtALook = Duration.seconds(60)
    /// Asked for by name: Meta counts its calls.
    private static let oldWhenAsked = Duration.seconds(1)

    mutating func forget(_ line: Int64) { askedAt[line] = nil }
    mutating func forgetAll() { askedAt = [:] }

    mutating func lookedAt(_ line: Int64, anew: Bool, _ now: Timestamp) {
        if let at = askedAt[line], at + (anew ? Self.oldWhenAsked : Self.oldAtALook) <= now { askedAt[line] = nil }
    }

    /// The lines to be asked about now; they count as asked.
    mutating func due(of lines: [Int64], now: Timestamp, waiting: (Int64) -> Bool) -> [Int64] {
        var due: [Int64] = []
        next = nil
        for line in lines {
            let span = waiting(line) ? Self.oftenWhileWaiting : Self.often
            // A clock that was set back asks at once.
            if let at = askedAt[line], at <= now, now < at + span {
                next = min(next ?? at + span, at + span)
                continue
            }
            askedAt[line] = now
            next = min(next ?? now + span, now + span)
            due.append(line)
        }
        return due
    }
}

extension Refresher.Subject {
    init(_ line: Line) {
        self.init(
            line: line.id, phoneNumberID: line.settings.phoneNumberID, wabaID: line.settings.wabaID,
            credential: line.settings.credential)
    }
}
