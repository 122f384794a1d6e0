/// When a message that could not be sent is tried again.
package struct RetrySchedule: Equatable, Sendable {
    /// Tries that count, the first one included; a throttled one does not count.
    package var attemptsMax: Int64 = 10
    /// The bound of the first wait; it doubles from try to try.
    package var firstWait: Duration = .seconds(2)
    package var waitMax: Duration = .seconds(600)

    package init() {}

    /// Exponential backoff with full jitter: anywhere between nothing and the bound, so that many messages
    /// refused together do not come back together.
    ///
    /// `failures` counts from 1. `askedFor` is what Meta asked us to wait, and the least we do.
    package func wait(afterFailures failures: Int64, askedFor: Duration?, chance: inout some RandomNumberGenerator)
        -> Duration
    {
        let doublings = min(max(failures - 1, 0), 30)
        let bound = min(firstWait.wholeMilliseconds << doublings, waitMax.wholeMilliseconds)
        let jitter = Duration.milliseconds(Int64.random(in: 0...bound, using: &chance))
        return (askedFor ?? .zero) + jitter
    }
}
