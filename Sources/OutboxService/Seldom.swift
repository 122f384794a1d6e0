import OutboxSystem

/// Lines that anybody can cause: a few of a kind at a time, and then how many were left out, so that nobody drives the
/// others out of the journal.
struct Seldom {
    private static let linesMax = 10
    /// Nanoseconds.
    private static let span: UInt64 = 60_000_000_000

    private struct Count {
        var since: UInt64
        var written = 0
        var leftOut = 0
    }
    private var counts: [LogKind: Count] = [:]

    /// The line as it is to be written; nil: not now. `tick` is of the steady clock.
    mutating func line(_ line: LogLine, tick: UInt64) -> LogLine? {
        var line = line
        var count = counts[line.kind] ?? Count(since: tick)
        defer { counts[line.kind] = count }
        if tick - min(count.since, tick) >= Self.span {
            if count.leftOut > 0 { line.text += " (\(count.leftOut) more like it since the last of these lines)" }
            count = Count(since: tick)
        }
        guard count.written < Self.linesMax else {
            count.leftOut += 1
            return nil
        }
        count.written += 1
        return line
    }
}
