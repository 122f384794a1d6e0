import OutboxJSON
import OutboxMeta
import TestKit
import Testing

@Suite struct AcceptanceTests {
    private func read(_ text: String) throws -> Acceptance? { acceptance(in: try JSONParser().parse(text.utf8)) }

    private let whole =
        #"{"contacts":[{"input":"+5511987654321","wa_id":"551187654321","user_id":"BR.1"}],"messages":[{"id":"wamid.1","message_status":"held_for_quality_assessment"}]}"#

    @Test func whoGotItIsTold() throws {
        #expect(
            try read(whole)
                == Acceptance(
                    wamid: "wamid.1", waID: "551187654321", userID: "BR.1", input: "+5511987654321", held: true))
        #expect(
            try read(
                #"{"contacts":[{"input":"BR.1","user_id":"BR.1"}],"messages":[{"id":"w","message_status":"accepted"}]}"#
            )
                == Acceptance(wamid: "w", userID: "BR.1", input: "BR.1"))
        #expect(try read(#"{"messages":[{"id":"w"}]}"#) == Acceptance(wamid: "w"))
        #expect(try read(#"{"messages":[{"id":"w"}],"contacts":[{"wa_id":""}]}"#) == Acceptance(wamid: "w"))
    }

    @Test(arguments: [
        "{}", "[]", "7", #"{"messages":[]}"#, #"{"messages":{}}"#, #"{"messages":[7]}"#, #"{"messages":[{"id":""}]}"#,
        #"{"messages":[{"id":7}]}"#, #"{"contacts":[{"wa_id":"14155550100"}]}"#,
    ])
    func withoutAnIdNothingIsAccepted(_ text: String) throws {
        #expect(try read(text) == nil)
    }

    @Test func nothingStrangeIsFatal() throws {
        let parser = JSONParser()
        for text in try mutations(of: whole) { _ = acceptance(in: try parser.parse(text)) }
    }
}
