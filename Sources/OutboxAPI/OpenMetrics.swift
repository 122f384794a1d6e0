/// Writes the text format of OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec).
///
/// A family's samples follow its own head at once; the order of families is the order of the calls:
///
///     var metrics = OpenMetrics()
///     metrics.family("outboxd_connections", .gauge, "Open connections.") { $0.sample(4) }
///     metrics.end()
package struct OpenMetrics: Sendable {
    package static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    package enum Kind: String, Sendable { case gauge, counter, histogram, info }

    package private(set) var text = ""

    package init() { text.reserveCapacity(16 << 10) }

    /// `name` is without the `_total` of a counter. One that ends in `_seconds` or `_bytes` has that as its unit.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String, _ body: (inout Family) -> Void) {
        text += "# TYPE \(name) \(kind.rawValue)\n"
        if let unit = ["seconds", "bytes"].first(where: { name.hasSuffix("_\($0)") }) {
            text += "# UNIT \(name) \(unit)\n"
        }
        text += "# HELP \(name) \(Self.escaped(help))\n"
        var family = Family(name: name, kind: kind)
        body(&family)
        text += family.text
    }

    /// Nothing may follow.
    package mutating func end() { text += "# EOF\n" }

    /// One family's samples.
    package struct Family: Sendable {
        fileprivate let name: String
        fileprivate let kind: Kind
        fileprivate var text = ""

        /// Labels are names and values, in the order in which they are shown. An empty value is as good as no label.
        package mutating func sample(_ value: Int64, _ labels: KeyValuePairs<String, String> = [:]) {
            line(kind == .counter ? "_total" : kind == .info ? "_info" : "", labels.map { $0 }, String(value))
        }

        package mutating func sample(real value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
            line(kind == .counter ? "_total" : "", labels.map { $0 }, OpenMetrics.number(value))
        }

        package mutating func histogram(_ histogram: Histogram) {
            var cumulative: Int64 = 0
            for (bound, count) in zip(histogram.bounds + [.infinity], histogram.counts) {
                cumulative += count
                line("_bucket", [("le", OpenMetrics.number(bound))], String(cumulative))
            }
            line("_count", [], String(cumulative))
            line("_sum", [], OpenMetrics.number(histogram.sum))
        }

        private mutating func line(_ suffix: String, _ labels: [(key: String, value: String)], _ value: String) {
            text += name + suffix
            if !labels.isEmpty {
                text +=
                    "{" + labels.map { "\($0.key)=\"\(OpenMetrics.escaped($0.value))\"" }.joined(separator: ",") + "}"
            }
            text += " \(value)\n"
        }
    }

    fileprivate static func number(_ value: Double) -> String { value == .infinity ? "+Inf" : "\(value)" }

    fileprivate static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// How many of what was measured lay up to each bound.
package struct Histogram: Equatable, Sendable {
    /// Ascending; what lies above the last is counted, too.
    package let bounds: [Double]
    /// Of each bound those above the one before; the last are above all.
    package private(set) var counts: [Int64]
    package private(set) var sum = 0.0

    package init(_ bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    package mutating func add(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}
