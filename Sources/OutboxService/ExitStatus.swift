import OutboxHTTP
import OutboxStore

/// What outboxd exits with, after sysexits.h.
package enum ExitStatus: Int32, Sendable {
    case usage = 64
    /// The database is damaged, another program's, or of a later outboxd.
    case data = 65
    /// A socket cannot be had.
    case unavailable = 69
    /// The database cannot be opened or written.
    case cannotCreate = 73
    /// Reading or writing the disk failed.
    case storage = 74
    /// Another outboxd works on the state directory.
    case inUse = 75
    /// A setting is wrong.
    case settings = 78

    package init(_ error: any Error) {
        switch error {
        case is InUse: self = .inUse
        case is OpenRefusal: self = .data
        case is ListenError: self = .unavailable
        case let error as StoreError: self = error.isDamaged ? .data : error.isUnopenable ? .cannotCreate : .storage
        default: self = .settings
        }
    }
}
