/// When an event that a subscription's endpoint did not take is given to it again: ten tries over a little more than
/// three days.
package enum CallbackSchedule {
    /// The waits between the tries, before chance.
    private static let waits: [Duration] = [
        .seconds(5), .seconds(300), .seconds(1800), .seconds(7200), .seconds(5 * 3600), .seconds(10 * 3600),
        .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
    ]
    package static let waitMax = Duration.seconds(24 * 3600)
    package static let triesMax = Int64(waits.count) + 1

    /// The wait after that many failed tries, from 1; nil: the event is given up.
    ///
    /// Up to a fifth longer than planned, so that many that failed together do not come back together; never so much
    /// shorter that all of them together are less than three days.
    package static func wait(afterTries tries: Int64, chance: inout some RandomNumberGenerator) -> Duration? {
        guard tries >= 1, tries <= Int64(waits.count) else { return nil }
        let planned = waits[Int(tries) - 1].wholeMilliseconds
        let wait = Int64.random(in: planned * 24 / 25...planned * 6 / 5, using: &chance)
        return .milliseconds(min(wait, waitMax.wholeMilliseconds))
    }
}
