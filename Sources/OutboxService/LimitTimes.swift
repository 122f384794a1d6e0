import OutboxCore
import OutboxSystem

extension LimitClock {
    /// Now, by this clock.
    var now: Timestamp { moment(tick: steadyNanoseconds()) }

    /// A moment of this clock as the wall clock will show it, if nobody sets that.
    func wall(_ moment: Timestamp) -> Timestamp {
        moment.onClock(showing: Timestamp(milliseconds: wallClockMilliseconds()), insteadOf: now)
    }
}
