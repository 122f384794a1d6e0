import OutboxCore
import Testing

@Suite struct PricingTests {
    @Test func whatIsMissingIsTakenFromTheRest() throws {
        let whole = try #require(Pricing(category: "MARKETING", type: "regular", isBillable: true))
        #expect(whole.category == "marketing" && whole.type == "regular" && whole.isBillable)
        #expect(Pricing(category: "utility", type: "free_customer_service", isBillable: nil)?.isBillable == false)
        #expect(Pricing(category: "utility", type: "regular", isBillable: nil)?.isBillable == true)
        #expect(Pricing(category: "service", type: nil, isBillable: false)?.type == "free")
        #expect(Pricing(category: nil, type: "regular", isBillable: true) == nil)
    }

    @Test func wordsThatAreNoneAreNotTaken() {
        for wrong in ["", "two words", "é", String(repeating: "a", count: 65)] {
            #expect(Pricing(category: wrong, type: nil, isBillable: nil) == nil)
        }
    }

    @Test func theColumnIsReadBack() throws {
        for isBillable in [true, false] {
            let pricing = try #require(
                Pricing(category: "authentication", type: "free_entry_point", isBillable: isBillable))
            #expect(Pricing(text: pricing.text) == pricing)
        }
        #expect(Pricing(text: "x") == nil)
    }
}
