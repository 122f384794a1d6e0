import CLinux
import Glibc

/// Milliseconds since 1970 by the wall clock.
package func wallClockMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}

/// Nanoseconds since this boot, sleep included; never set back.
package func steadyNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// From now until a moment of that clock as `poll` takes it: whole milliseconds, rounded up; 0 when it has passed.
package func pollTimeout(untilTick tick: UInt64) -> Int32 {
    let now = steadyNanoseconds()
    return Int32(clamping: (max(tick, now) - now + 999_999) / 1_000_000)
}

/// A word that names this boot of the machine; nil when nobody tells.
///
/// A sandboxed unit cannot see the kernel's own; it gives `OUTBOXD_BOOT` (systemd's `%b`).
package func bootName() -> String? {
    if let given = getenv("OUTBOXD_BOOT"), given.pointee != 0 { return String(cString: given) }
    let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    let name = String(decoding: bytes.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
    return name.isEmpty ? nil : name
}

/// Whether somebody keeps the wall clock right: as the kernel knows from NTP, or where a sandbox does not let us ask
/// it, as systemd-timesyncd leaves word.
package func wallClockIsSynchronised() -> Bool {
    var state = timex()
    let answer = adjtimex(&state)
    if answer >= 0 { return answer != TIME_ERROR && state.status & STA_UNSYNC == 0 }
    return access("/run/systemd/timesync/synchronized", F_OK) == 0
}

/// A timer on the wall clock that also goes off when somebody sets the clock.
package final class WallTimer: Sendable {
    package let descriptor: Int32

    package init() {
        descriptor = timerfd_create(CLOCK_REALTIME, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
        precondition(descriptor >= 0, "no timerfd: errno \(errno)")
    }

    deinit { close(descriptor) }

    /// Goes off at that moment, in milliseconds since 1970; at once when it has passed; nil: never.
    package func set(_ milliseconds: Int64?) {
        var value = itimerspec()
        if let milliseconds {
            // An all-zero time would disarm the timer.
            let at = max(milliseconds, 1)
            value.it_value.tv_sec = Int(at / 1000)
            value.it_value.tv_nsec = Int(at % 1000) * 1_000_000
        }
        let flags = Int32(TFD_TIMER_ABSTIME) | Int32(TFD_TIMER_CANCEL_ON_SET)
        timerfd_settime(descriptor, flags, &value, nil)
    }

    package func clear() {
        var count: UInt64 = 0
        // Not gone off yet, or cancelled by a set clock: either way the owner looks again.
        _ = read(descriptor, &count, 8)
    }
}
