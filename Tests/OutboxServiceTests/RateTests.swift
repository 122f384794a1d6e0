import Foundation
import OutboxCore
import TestKit
import Testing

@testable import OutboxService

@Suite struct RateTests {
    private static let csv = """
        country,category,price,currency
        DE,marketing,0.1365,USD
        *,marketing,"0.0604",USD
        IN,utility,12,USD

        """

    private func card(_ text: String) throws -> RateCard { try RateCard(try RateFile.rows(Array(text.utf8))) }

    @Test func aCountryHasItsOwnPriceOrThatOfTheRest() throws {
        let card = try card(Self.csv)
        #expect(card.currency == "USD")
        #expect(card.price(country: "DE", category: "MARKETING") == 136_500)
        #expect(card.price(country: "FR", category: "marketing") == 60_400)
        #expect(card.price(country: nil, category: "marketing") == 60_400)
        #expect(card.price(country: "IN", category: "utility") == 12_000_000)
        #expect(card.price(country: "DE", category: "utility") == nil)
    }

    @Test func jsonSaysTheSame() throws {
        let rows = #"[{"country":"DE","category":"marketing","price":"0.1365","currency":"USD"}]"#
        let whole = #"{"currency":"USD","rates":[{"country":"de","category":"marketing","price":0.1365}]}"#
        #expect(try card(rows) == card(whole))
        #expect(try card(rows).price(country: "DE", category: "marketing") == 136_500)
    }

    @Test(arguments: [
        ("", "is empty"), ("country,category,price\n", "no column currency"),
        ("country,category,price,currency\n", "no rate"),
        ("country,category,price,currency\nDE,marketing,1\n", "line 2 has 3 cells"),
        ("country,category,price,currency\nGermany,marketing,1,USD\n", "two letters"),
        ("country,category,price,currency\nDE,marketing,1.1234567,USD\n", "decimal number"),
        ("country,category,price,currency\nDE,marketing,-1,USD\n", "decimal number"),
        ("country,category,price,currency\nDE,marketing,1,USD\nFR,marketing,1,EUR\n", "EUR"),
        ("country,category,price,currency\nDE,marketing,1,USD\nDE,Marketing,1,USD\n", "two prices"),
        (#"{"rates":[{"country":"DE"}]}"#, "currency"), ("{", "is "),
    ])
    func whatIsWrongIsNamed(_ text: String, _ words: String) {
        do {
            _ = try card(text)
            Issue.record("taken: \(text)")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }

    @Test func aFileThatCannotBeReadIsASettingThatIsWrong() throws {
        let folder = TemporaryFolder()
        #expect(throws: Settings.Problem.self) { try Rates(folder.file("none")) }
        try Self.csv.write(toFile: folder.file("rates.csv"), atomically: true, encoding: .utf8)
        #expect(try Rates(folder.file("rates.csv")).card?.currency == "USD")
        #expect(try Rates(nil).card == nil)
    }

    @Test func amountsAreWrittenWithTwoPlacesOrMore() {
        #expect(RateCard.text(136_500) == "0.1365")
        #expect(RateCard.text(12_000_000) == "12.00")
        #expect(RateCard.text(1_234_567_891) == "1234.567891")
    }
}
