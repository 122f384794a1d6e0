/// What Meta charges for a delivered message, by the recipient's country and the message's category.
///
/// Meta publishes its rates by market, for each currency, and changes them every quarter at most (Meta's page "Pricing
/// on the WhatsApp Business Platform"): an operator puts those that hold into a file. As CSV, with the columns in any
/// order:
///
///     country,category,price,currency
///     DE,marketing,0.1365,USD
///     *,marketing,0.0604,USD
///
/// As JSON the same fields, as an array of objects or as `{"currency": "USD", "rates": [...]}`, where the prices may
/// be strings or numbers. `country` is two letters of ISO 3166-1, or `*` for every one that is not named.
package struct RateCard: Equatable, Sendable {
    /// A line of the file, as it stands there.
    package struct Row: Equatable, Sendable {
        package var country: String
        package var category: String
        package var price: String
        package var currency: String

        package init(country: String, category: String, price: String, currency: String) {
            self.country = country
            self.category = category
            self.price = price
            self.currency = currency
        }
    }

    package struct Problem: Error, Equatable, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    /// Of ISO 4217: `USD`. One for all rates.
    package let currency: String
    /// By country, or `*`, and category in lower case; millionths of the currency's unit.
    private let rates: [String: [String: Int64]]

    /// Categories with prices of their own; others that Meta may add are taken as they are written.
    package static let categories = ["marketing", "utility", "authentication", "service"]

    private static let rowsMax = 10_000

    package init(_ rows: [Row]) throws(Problem) {
        guard let first = rows.first else { throw Problem(description: "holds no rate") }
        guard rows.count <= Self.rowsMax else { throw Problem(description: "holds more than \(Self.rowsMax) rates") }
        var rates: [String: [String: Int64]] = [:]
        for (index, row) in rows.enumerated() {
            func wrong(_ words: String) -> Problem { Problem(description: "rate \(index + 1): \(words)") }
            let country = row.country.uppercased()
            guard country == "*" || Self.isLetters(country, 2) else {
                throw wrong("country must be two letters, such as DE, or *")
            }
            guard Self.isLetters(row.currency, 3) else { throw wrong("currency must be three letters, such as USD") }
            guard row.currency == first.currency else {
                throw wrong("currency is \(row.currency), and \(first.currency) before: give all in one")
            }
            let category = row.category.lowercased()
            guard (1...64).contains(category.utf8.count) else {
                throw wrong("category must be one of Meta's, such as marketing")
            }
            guard let price = Self.millionths(row.price) else {
                throw wrong("price must be a decimal number such as 0.1365, with 6 places at most")
            }
            guard rates[country, default: [:]].updateValue(price, forKey: category) == nil else {
                throw wrong("\(country) has two prices for \(category)")
            }
        }
        currency = first.currency
        self.rates = rates
    }

    /// Millionths of the currency's unit; nil: the file names none. An unknown country has the price of `*`.
    package func price(country: String?, category: String) -> Int64? {
        let category = category.lowercased()
        return country.flatMap { rates[$0]?[category] } ?? rates["*"]?[category]
    }

    /// The rows of a CSV file.
    package static func rows(csv text: String) throws(Problem) -> [Row] {
        var lines = text.split(whereSeparator: \.isNewline).map { line in
            line.split(separator: ",", omittingEmptySubsequences: false).map { unquoted($0) }
        }
        guard !lines.isEmpty else { throw Problem(description: "is empty") }
        var header = lines.removeFirst().map { $0.lowercased() }
        if let first = header.first, first.hasPrefix("\u{FEFF}") { header[0] = String(first.dropFirst()) }
        func column(_ name: String) throws(Problem) -> Int {
            guard let index = header.firstIndex(of: name) else {
                throw Problem(description: "has no column \(name); the first line names the columns")
            }
            return index
        }
        let columns = [
            try column("country"), try column("category"), try column("price"), try column("currency"),
        ]
        var rows: [Row] = []
        for (index, line) in lines.enumerated() where line != [""] {
            guard line.count == header.count else {
                throw Problem(description: "line \(index + 2) has \(line.count) cells, the first has \(header.count)")
            }
            rows.append(
                Row(
                    country: line[columns[0]], category: line[columns[1]], price: line[columns[2]],
                    currency: line[columns[3]]))
        }
        return rows
    }

    private static func unquoted(_ cell: Substring) -> String {
        var text = cell.drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
        return String(text)
    }

    private static func isLetters(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { (0x41...0x5A).contains($0) }
    }

    /// `0.1365` is 136500.
    private static func millionths(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...9).contains(parts[0].utf8.count),
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }), let whole = Int64(parts[0])
        else { return nil }
        guard parts.count == 2 else { return whole * 1_000_000 }
        guard (1...6).contains(parts[1].utf8.count), let fraction = Int64(parts[1]) else { return nil }
        return (parts[1].utf8.count..<6).reduce(fraction) { value, _ in value * 10 } + whole * 1_000_000
    }

    /// An amount in millionths as people write it: `1234.5` is a thousand and more.
    package static func text(_ millionths: Int64) -> String {
        let (whole, fraction) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
        let digits = String(fraction)
        var places = String(repeating: "0", count: 6 - digits.utf8.count) + digits
        while places.utf8.count > 2, places.hasSuffix("0") { places.removeLast() }
        return "\(whole).\(places)"
    }
}
