import CLinux
import Glibc

/// An eventfd: wakes one thread that polls it.
package final class Bell: Sendable {
    package let descriptor: Int32

    package init() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        precondition(descriptor >= 0, "no eventfd: errno \(errno)")
    }

    deinit { close(descriptor) }

    package func ring() {
        var one: UInt64 = 1
        // Full means rung already.
        _ = write(descriptor, &one, 8)
    }

    /// Sleeps until it rings; false when it did not within that time.
    package func wait(milliseconds: Int32 = -1) -> Bool {
        let deadline = steadyNanoseconds() + UInt64(max(milliseconds, 0)) * 1_000_000
        while true {
            let left = milliseconds < 0 ? -1 : pollTimeout(untilTick: deadline)
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&wait, 1, left)
            if count > 0 { return true }
            if count == 0 { return false }
        }
    }

    /// Sleeps until it rings, for so many nanoseconds at most, which are less than a second.
    package func wait(nanoseconds: UInt64) {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var time = timespec(tv_sec: 0, tv_nsec: Int(min(nanoseconds, 999_999_999)))
        _ = ppoll(&wait, 1, &time, nil)
    }

    /// Forgets the rings so far.
    package func clear() {
        var count: UInt64 = 0
        // Empty means not rung.
        _ = read(descriptor, &count, 8)
    }
}

/// Values on their way to one thread. Any thread posts; the owner takes everything at once.
///
/// The bell rings only for the first value after the owner took the last ones.
package final class Mailbox<Value: Sendable>: Sendable {
    private let values = Lock<[Value]>([])
    private let ring: @Sendable () -> Void

    package init(ring: @escaping @Sendable () -> Void) { self.ring = ring }

    package convenience init(bell: Bell) { self.init { bell.ring() } }

    package func post(_ value: Value) {
        let first = values.withLock { values in
            values.append(value)
            return values.count == 1
        }
        if first { ring() }
    }

    package func post(_ batch: [Value]) {
        guard !batch.isEmpty else { return }
        let first = values.withLock { values in
            let empty = values.isEmpty
            values.append(contentsOf: batch)
            return empty
        }
        if first { ring() }
    }

    package var isEmpty: Bool { values.withLock { $0.isEmpty } }

    package func take() -> [Value] {
        values.withLock { values in
            let taken = values
            values = []
            return taken
        }
    }
}
