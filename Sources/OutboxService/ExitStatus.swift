/// What outboxd exits with, after sysexits.h.
package enum ExitStatus: Int32, Sendable {
    case usage = 64
    /// The database is damaged.
    case damaged = 65
    /// The database is another program's, or what stands in its place is no plain file.
    case foreign = 66
    /// A socket cannot be had.
    case unavailable = 69
    /// The disk is full.
    case full = 71
    /// The disk cannot be written to, or a file on it cannot be made or opened.
    case cannotCreate = 73
    /// Reading or writing the disk failed.
    case storage = 74
    /// Another outboxd works on the state directory.
    case inUse = 75
    /// The database was written by a later outboxd.
    case newer = 76
    /// The state directory, or a file in it, belongs to somebody else or is open to others.
    case notOurs = 77
    /// A setting is wrong.
    case settings = 78
}
