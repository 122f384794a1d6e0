/// syslog's levels, as far as they are used here.
package enum LogLevel: Int, Comparable, Sendable {
    /// A person must act.
    case error = 3
    /// outboxd does something else than it should, and says what.
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

    package init?(name: String) {
        switch name {
        case "error": self = .error
        case "warning": self = .warning
        case "notice": self = .notice
        case "info": self = .info
        case "debug": self = .debug
        default: return nil
        }
    }
}
