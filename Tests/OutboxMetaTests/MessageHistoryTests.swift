import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import Testing

/// Answers after Meta's page "Message history".
@Suite struct MessageHistoryTests {
    private func page(_ body: String, status: Int = 200) -> Reading<HistoryPage> {
        historyPage(of: .answered(status: status, headers: [], body: Array(body.utf8)), parser: JSONParser())
    }

    @Test func aHistoryIsReadWithItsNextPage() throws {
        let read = page(
            #"{"data":[{"id":"1","message_id":"wamid.1","events":{"data":[{"id":"2","delivery_status":"SENT","timestamp":1640995200,"webhook_update_state":"DELIVERED"},{"delivery_status":"DELIVERED","timestamp":"1640995260"},{"delivery_status":"DELETED","timestamp":1},{"delivery_status":"READ"},{"node":{"delivery_status":"FAILED","occurrence_timestamp":1640995320,"error_description":"(#131026) Message undeliverable"}}]}}],"paging":{"cursors":{"after":"MTAx","before":"M"},"next":"https://graph.facebook.com/"}}"#
        )
        let seconds: (Int64) -> Timestamp = { Timestamp(milliseconds: $0 * 1000) }
        #expect(
            read
                == .read(
                    HistoryPage(
                        events: [
                            .init(report: .sent, at: seconds(1_640_995_200)),
                            .init(report: .delivered, at: seconds(1_640_995_260)),
                            .init(
                                report: .failed, at: seconds(1_640_995_320),
                                failure: Failure(code: "131026", message: "(#131026) Message undeliverable")),
                        ], after: "MTAx")))
        #expect(page(#"{"data":[]}"#) == .read(HistoryPage(events: [], after: nil)))
        #expect(page(#"{"data":[],"paging":{"cursors":{"after":"x"}}}"#) == .read(HistoryPage(events: [], after: nil)))
        #expect(page("{}") == .failed(Failure(code: "HTTP_200", message: "HTTP 200 without what was asked for")))
    }

    @Test func theQuestionNamesTheMessage() {
        let request = GraphEndpoint(baseURL: "https://x", version: "v25.0")
            .messageHistory(phoneNumberID: "106", wamid: "wamid.A+/=", token: "t", after: "b=", timeout: .seconds(1))
        #expect(
            request.url
                == "https://x/v25.0/106/message_history?message_id=wamid.A%2B%2F%3D&fields=events%7Bdelivery_status%2Cwebhook_update_state%2Ctimestamp%2Cerror_description%7D&limit=100&after=b%3D"
        )
    }

    @Test func callsEndInOneOfThreeWays() {
        func end(_ status: Int, _ body: String) -> CallEnd {
            callEnd(of: .answered(status: status, headers: [], body: Array(body.utf8)), parser: JSONParser())
        }
        guard case .done = end(200, #"{"success":true}"#) else { return #expect(Bool(false)) }
        guard case .refused(let failure, let known) = end(400, #"{"error":{"code":131009,"message":"no"}}"#) else {
            return #expect(Bool(false))
        }
        #expect(failure.code == "131009" && known?.code == 131_009)
        guard case .refused(_, nil) = end(400, #"{"error":{"code":999999}}"#) else { return #expect(Bool(false)) }
        guard case .unreachable = end(500, #"{"error":{"code":131000}}"#) else { return #expect(Bool(false)) }
        guard case .unreachable = end(502, "<html>") else { return #expect(Bool(false)) }
        guard case .unreachable = callEnd(of: .notSent("no"), parser: JSONParser()) else {
            return #expect(Bool(false))
        }
    }
}
