/// A message's number in the store: the time of its acceptance in milliseconds and a count, so that ids grow.
///
/// On the wire it is a UUIDv7 (RFC 9562) whose time and counter bits are this number; see the store's `IDCodec`.
package struct MessageID: Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package static func < (a: MessageID, b: MessageID) -> Bool { a.rawValue < b.rawValue }

    /// Bits of the count within a millisecond.
    package static let countBits = 16

    /// The least id of that time; times no id can have are brought to the nearest one.
    package static func first(at moment: Timestamp) -> MessageID {
        MessageID(rawValue: min(max(moment.milliseconds, 0), Int64.max >> countBits) << countBits)
    }

    /// The next id after `last` at `now`. More than 65,536 in a millisecond borrow from the next one.
    package static func next(after last: MessageID?, now: Timestamp) -> MessageID {
        MessageID(rawValue: max(first(at: now).rawValue, (last?.rawValue ?? 0) + 1))
    }
}
