/// The clock Meta's limits are kept by: never faster than time itself.
///
/// Within one boot of the machine it runs with the boot clock, which nobody sets and which counts sleep; across boots
/// it goes on by the wall clock, if that is synchronised, and else only by the time since the boot. A wall clock that
/// jumps moves it not at all, so that no slot of a limit is given out early; a wrong one makes it late at worst. What
/// a late clock would make too good, an open window for example, counts only if it began after `sureFrom`.
/// It began at the wall clock's time and reads like one.
package struct LimitClock: Equatable, Sendable {
    /// What the machine's clocks say at one moment.
    package struct Reading: Equatable, Sendable {
        /// Names this boot of the machine; nil: nobody tells.
        package var boot: String?
        /// Nanoseconds of the boot clock.
        package var tick: UInt64
        package var wall: Timestamp
        /// Somebody, NTP for example, keeps the wall clock right.
        package var isSynchronised: Bool

        package init(boot: String?, tick: UInt64, wall: Timestamp, isSynchronised: Bool) {
            self.boot = boot
            self.tick = tick
            self.wall = wall
            self.isSynchronised = isSynchronised
        }
    }

    /// What is stored of it.
    package struct Mark: Equatable, Sendable {
        package var boot: String
        /// Milliseconds between the boot clock and this one.
        package var offset: Int64
        /// The last moment anything was kept by it, and the wall clock then.
        package var seen: Timestamp
        /// Nil: it was not synchronised.
        package var seenWall: Timestamp?
        /// Since then no time can have been lost.
        package var sureFrom: Timestamp

        package init(boot: String, offset: Int64, seen: Timestamp, seenWall: Timestamp?, sureFrom: Timestamp) {
            self.sureFrom = sureFrom
            self.boot = boot
            self.offset = offset
            self.seen = seen
            self.seenWall = seenWall
        }
    }

    package let boot: String
    package let offset: Int64
    package let sureFrom: Timestamp

    /// Goes on where the mark ended.
    package init(after mark: Mark?, _ reading: Reading) {
        boot = reading.boot ?? ""
        let sinceBoot = Int64(reading.tick / 1_000_000)
        guard let mark else {
            offset = reading.wall.milliseconds - sinceBoot
            sureFrom = Timestamp(milliseconds: 0)
            return
        }
        if let boot = reading.boot, mark.boot == boot {
            offset = max(mark.offset, mark.seen.milliseconds - sinceBoot)
            sureFrom = mark.sureFrom
            return
        }
        // The mark is older than this boot: at least the time since then has passed. That much is not known either when
        // nobody names the boot.
        let least = reading.boot == nil ? 0 : sinceBoot
        let byWall = mark.seenWall.flatMap { seenWall in
            reading.isSynchronised ? reading.wall.milliseconds - seenWall.milliseconds : nil
        }
        offset = mark.seen.milliseconds + max(byWall ?? 0, least) - sinceBoot
        sureFrom = byWall == nil ? Timestamp(milliseconds: offset + sinceBoot) : mark.sureFrom
    }

    package func moment(tick: UInt64) -> Timestamp { Timestamp(milliseconds: Int64(tick / 1_000_000) + offset) }

    /// `wall` is nil when nobody keeps the wall clock right.
    package func mark(at moment: Timestamp, wall: Timestamp?) -> Mark {
        Mark(boot: boot, offset: offset, seen: moment, seenWall: wall, sureFrom: sureFrom)
    }
}
