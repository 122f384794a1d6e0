/// The local time of a place, as a file of the tz database tells it (TZif, RFC 9636).
package struct TimeZoneRules: Equatable, Sendable {
    /// Seconds since 1970 at which the offset changes, ascending, and the offset from then on.
    private var changes: [(at: Int64, offset: Int64)] = []
    /// Before the first change.
    private var first: Int64
    /// After the last change; nil: as the last says.
    private var rule: Rule?

    package static let utc = TimeZoneRules(offset: 0)

    /// A place whose clocks never change; seconds east of Greenwich.
    package init(offset: Int64) { first = offset }

    package static func == (a: TimeZoneRules, b: TimeZoneRules) -> Bool {
        a.first == b.first && a.rule == b.rule && a.changes.elementsEqual(b.changes, by: ==)
    }

    /// Seconds east of Greenwich.
    package func offset(at moment: Timestamp) -> Int64 {
        let seconds = floorDivide(moment.milliseconds, 1000)
        if let last = changes.last, seconds >= last.at, let rule { return rule.offset(at: seconds) }
        if changes.isEmpty, let rule { return rule.offset(at: seconds) }
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].at <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : changes[low - 1].offset
    }

    /// Seconds since local midnight.
    package func secondOfDay(at moment: Timestamp) -> Int64 {
        let local = floorDivide(moment.milliseconds, 1000) + offset(at: moment)
        return local - floorDivide(local, 86_400) * 86_400
    }

    // MARK: The file

    /// Nil: it is no whole file of version 2 or later, whose times have 64 bits.
    package init?(tzif bytes: [UInt8]) {
        var reader = Reader(bytes)
        // The first block is for readers of version 1.
        guard let old = reader.header(), old.version >= 2, reader.skip(old.length(timeSize: 4)),
            let header = reader.header(), header.types > 0
        else { return nil }
        guard let times = reader.numbers(header.times, size: 8), let indexes = reader.numbers(header.times, size: 1)
        else { return nil }
        var offsets: [(offset: Int64, isDaylight: Bool)] = []
        for _ in 0..<header.types {
            guard let offset = reader.number(4), let daylight = reader.number(1), reader.number(1) != nil else {
                return nil
            }
            offsets.append((offset, daylight != 0))
        }
        guard reader.skip(header.characters + header.leaps * 12 + header.standard + header.universal) else {
            return nil
        }
        for (at, index) in zip(times, indexes) {
            let index = Int(index & 0xFF)
            guard index < offsets.count, changes.last.map({ $0.at < at }) ?? true else { return nil }
            changes.append((at, offsets[index].offset))
        }
        first = (offsets.first { !$0.isDaylight } ?? offsets[0]).offset
        guard let footer = reader.footer() else { return nil }
        guard footer.isEmpty || Rule(footer) != nil else { return nil }
        rule = Rule(footer)
    }

    private struct Header {
        var version: Int
        var universal = 0
        var standard = 0
        var leaps = 0
        var times = 0
        var types = 0
        var characters = 0

        func length(timeSize: Int) -> Int {
            times * (timeSize + 1) + types * 6 + characters + leaps * (timeSize + 4) + standard + universal
        }
    }

    private struct Reader {
        private let bytes: [UInt8]
        private var at = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func skip(_ count: Int) -> Bool {
            guard count >= 0, bytes.count - at >= count else { return false }
            at += count
            return true
        }

        /// Big-endian, with a sign.
        mutating func number(_ size: Int) -> Int64? {
            guard bytes.count - at >= size else { return nil }
            defer { at += size }
            let value = bytes[at..<at + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let unused = UInt64(64 - size * 8)
            return Int64(bitPattern: value << unused) >> Int64(unused)
        }

        mutating func numbers(_ count: Int, size: Int) -> [Int64]? {
            guard count <= (bytes.count - at) / size else { return nil }
            return (0..<count).compactMap { _ in number(size) }
        }

        mutating func header() -> Header? {
            guard bytes.count - at >= 44, Array(bytes[at..<at + 4]) == Array("TZif".utf8) else { return nil }
            var header = Header(version: Int(bytes[at + 4]) - 0x30)
            at += 20
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = number(4), count >= 0 else { return nil }
                counts.append(Int(count))
            }
            (header.universal, header.standard, header.leaps) = (counts[0], counts[1], counts[2])
            (header.times, header.types, header.characters) = (counts[3], counts[4], counts[5])
            return header
        }

        /// Between two line ends.
        mutating func footer() -> String? {
            guard at < bytes.count, bytes[at] == 0x0A, let end = bytes[(at + 1)...].firstIndex(of: 0x0A) else {
                return nil
            }
            return String(validating: bytes[(at + 1)..<end], as: UTF8.self)
        }
    }

    // MARK: The rule for all years to come

    /// POSIX's TZ with the extension of RFC 9636, 3.3.1: hours up to 167, negative ones too.
    private struct Rule: Equatable, Sendable {
        private var standard: Int64
        private var daylight: Change?

        private struct Change: Equatable, Sendable {
            var offset: Int64
            var begins: Day
            var ends: Day
        }

        /// A day of each year, and seconds since its midnight.
        private struct Day: Equatable, Sendable {
            enum Kind: Equatable, Sendable {
                /// 1–365: February 29 is never counted.
                case julian(Int64)
                /// 0–365.
                case zeroBased(Int64)
                /// The n-th weekday of a month; 5 is the last one.
                case weekday(month: Int64, week: Int64, day: Int64)
            }
            var kind: Kind
            var time: Int64

            /// Seconds since 1970, by the local clock.
            func seconds(_ year: Int64) -> Int64 {
                let newYear = daysFromCivil(year, 1, 1)
                let days: Int64
                switch kind {
                case .julian(let day): days = newYear + day - 1 + (day >= 60 && daysIn(2, of: year) == 29 ? 1 : 0)
                case .zeroBased(let day): days = newYear + day
                case .weekday(let month, let week, let day):
                    let begin = daysFromCivil(year, month, 1)
                    // 1970 began on a Thursday.
                    let weekday = (begin + 4) - floorDivide(begin + 4, 7) * 7
                    var found = begin + (day - weekday + 7) % 7 + (week - 1) * 7
                    if found >= begin + daysIn(month, of: year) { found -= 7 }
                    days = found
                }
                return days * 86_400 + time
            }
        }

        init?(_ text: String) {
            var reader = Words(text)
            guard reader.name(), let west = reader.time() else { return nil }
            standard = -west
            if reader.atEnd { return }
            guard reader.name() else { return nil }
            var offset = standard + 3600
            if !reader.skip(",") {
                guard let west = reader.time(), reader.skip(",") else { return nil }
                offset = -west
            }
            guard let begins = reader.day(), reader.skip(","), let ends = reader.day(), reader.atEnd else { return nil }
            daylight = Change(offset: offset, begins: begins, ends: ends)
        }

        func offset(at seconds: Int64) -> Int64 {
            guard let daylight else { return standard }
            let year = civil(fromDays: floorDivide(seconds + standard, 86_400)).year
            // A day may lie beyond the end of its year.
            for year in [year + 1, year, year - 1] {
                let begins = daylight.begins.seconds(year) - standard
                let ends = daylight.ends.seconds(year) - daylight.offset
                let last = max(begins, ends)
                if seconds >= last { return last == begins ? daylight.offset : standard }
                if seconds >= min(begins, ends) { return begins < ends ? daylight.offset : standard }
            }
            return standard
        }

        private struct Words {
            private let bytes: [UInt8]
            private var at = 0

            init(_ text: String) { bytes = Array(text.utf8) }

            var atEnd: Bool { at == bytes.count }

            mutating func skip(_ character: Unicode.Scalar) -> Bool {
                guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
                at += 1
                return true
            }

            /// `CET` or `<+03>`
            mutating func name() -> Bool {
                let begin = at
                if skip("<") {
                    while at < bytes.count, bytes[at] != UInt8(ascii: ">") { at += 1 }
                    return skip(">") && at - begin >= 5
                }
                while at < bytes.count, (0x61...0x7A).contains(bytes[at] | 0x20) { at += 1 }
                return at - begin >= 3
            }

            mutating func number(_ range: ClosedRange<Int64>) -> Int64? {
                let begin = at
                var value: Int64 = 0
                while at < bytes.count, at - begin < 4, (0x30...0x39).contains(bytes[at]) {
                    value = value * 10 + Int64(bytes[at] - 0x30)
                    at += 1
                }
                return at > begin && range.contains(value) ? value : nil
            }

            /// `-3:30`
            mutating func time() -> Int64? {
                let sign: Int64 = skip("-") ? -1 : 1
                if sign == 1 { _ = skip("+") }
                guard let hours = number(0...167) else { return nil }
                var seconds = hours * 3600
                for unit in [Int64(60), 1] where skip(":") {
                    guard let part = number(0...59) else { return nil }
                    seconds += part * unit
                }
                return sign * seconds
            }

            mutating func day() -> Day? {
                let kind: Day.Kind
                if skip("M") {
                    guard let month = number(1...12), skip("."), let week = number(1...5), skip("."),
                        let day = number(0...6)
                    else { return nil }
                    kind = .weekday(month: month, week: week, day: day)
                } else if skip("J") {
                    guard let day = number(1...365) else { return nil }
                    kind = .julian(day)
                } else {
                    guard let day = number(0...365) else { return nil }
                    kind = .zeroBased(day)
                }
                guard skip("/") else { return Day(kind: kind, time: 7200) }
                return time().map { Day(kind: kind, time: $0) }
            }
        }
    }
}

private func floorDivide(_ number: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}
