/// The hours in which nobody wants to be written to, by the clock on the wall of whoever is written to.
package struct QuietHours: Equatable, Sendable {
    /// Minutes since midnight; with `from` after `to` the night lies between. Never equal.
    package let from: Int64
    package let to: Int64

    package init?(from: Int64, to: Int64) {
        guard (0..<1440).contains(from), (0..<1440).contains(to), from != to else { return nil }
        self.from = from
        self.to = to
    }

    /// `21:30`
    package static func minutes(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":"),
            [0, 1, 3, 4].allSatisfy({ (0x30...0x39).contains(bytes[$0]) })
        else { return nil }
        let hours = Int64(bytes[0] - 0x30) * 10 + Int64(bytes[1] - 0x30)
        let minutes = Int64(bytes[3] - 0x30) * 10 + Int64(bytes[4] - 0x30)
        return hours < 24 && minutes < 60 ? hours * 60 + minutes : nil
    }

    package static func text(_ minutes: Int64) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
        return "\(two(minutes / 60)):\(two(minutes % 60))"
    }

    /// By one clock.
    package func isQuiet(at moment: Timestamp, _ zone: TimeZoneRules) -> Bool {
        let minute = zone.secondOfDay(at: moment) / 60
        return from < to ? minute >= from && minute < to : minute >= from || minute < to
    }

    /// By any of some clocks.
    package func isQuiet(at moment: Timestamp, _ zones: [TimeZoneRules]) -> Bool {
        zones.contains { isQuiet(at: moment, $0) }
    }

    /// Since quiet has no hole longer than that in any place on earth, it does not end.
    private static let longest = Duration.seconds(9 * 86_400)

    /// The first moment from this one on that is quiet by none of the clocks; nil: there is none.
    package func end(after moment: Timestamp, _ zones: [TimeZoneRules]) -> Timestamp? {
        var at = moment
        while let zone = zones.first(where: { isQuiet(at: at, $0) }) {
            at = nextEnd(after: at, zone)
            if at > moment + Self.longest { return nil }
        }
        return at
    }

    /// A moment after one that is quiet, not behind the end of that quiet.
    private func nextEnd(after moment: Timestamp, _ zone: TimeZoneRules) -> Timestamp {
        let second = zone.secondOfDay(at: moment)
        let left = (to * 60 - second + 86_400) % 86_400
        let wholeSecond = moment.milliseconds - (moment.milliseconds % 1000 + 1000) % 1000
        let end = Timestamp(milliseconds: wholeSecond + left * 1000)
        // Where clocks are set meanwhile, to the minute: the end itself may be left out, or come twice.
        guard zone.offset(at: end) != zone.offset(at: moment) else { return end }
        var at = Timestamp(milliseconds: wholeSecond - second % 60 * 1000)
        repeat { at = at + .seconds(60) } while isQuiet(at: at, zone)
        return at
    }
}

/// What is known of a recipient's clock: the country of the address, and the zone, if somebody named it.
///
/// As text it is what recipients of one kind are counted by: `DE`, `US America/Denver`, or `?` where nobody knows.
package struct RecipientZone: Hashable, Sendable {
    package let text: String

    package init(text: String) { self.text = text }

    package init(_ recipient: String, timeZone: String?) {
        let country = CallingCodes.country(of: recipient)?.code ?? Self.unknown
        text = timeZone.map { "\(country) \($0)" } ?? country
    }

    package static let unknown = "?"

    /// Two letters; nil: nobody knows.
    package var country: String? {
        let code = text.prefix { $0 != " " }
        return code == Self.unknown ? nil : String(code)
    }

    /// Names of the tz database: the one that was given, or all of the country's.
    package var names: [String] {
        if let space = text.firstIndex(of: " ") { return [String(text[text.index(after: space)...])] }
        return country.flatMap { CallingCodes.country($0)?.zones } ?? []
    }

    /// `rules` knows the tz database. Where nobody knows a clock, UTC counts.
    package func clocks(_ rules: (String) -> TimeZoneRules?) -> [TimeZoneRules] {
        let known = names.compactMap(rules)
        return known.isEmpty ? [.utc] : known
    }
}
