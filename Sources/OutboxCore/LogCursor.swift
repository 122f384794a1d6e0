/// How far a follower of the log has got, by its own word; survives a restart.
package struct LogCursor: Equatable, Sendable {
    package var name: String
    /// The last event it is done with; 0: none.
    package var position: Int64
    package var updatedAt: Timestamp

    package init(name: String, position: Int64, updatedAt: Timestamp) {
        self.name = name
        self.position = position
        self.updatedAt = updatedAt
    }

    /// 1 to 64 letters, digits, `.`, `_` and `-`.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// What came of moving a cursor.
package enum CursorMove: Equatable, Sendable {
    /// Where it stands now: a step back that was not asked for as such is not made.
    case done(LogCursor, isNew: Bool)
    /// The log ends before that.
    case beyond(end: Int64)
    /// There are as many cursors as may be.
    case tooMany
}
