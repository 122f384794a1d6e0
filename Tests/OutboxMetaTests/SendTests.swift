import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem
import Testing

@Suite struct SendTests {
    private let parser = JSONParser()

    @Test func theRequestIsWhatMetaWants() throws {
        let endpoint = GraphEndpoint(baseURL: "https://graph.example", version: "v25.0")
        let request = endpoint.send(
            phoneNumberID: "106", token: "T", to: "14155552671", type: "text",
            content: Array(#"{"body":"hé \"q\""}"#.utf8), opaque: "id.3", timeout: .seconds(30))
        #expect(request.method == "POST" && request.url == "https://graph.example/v25.0/106/messages")
        #expect(request.headers == ["Authorization: Bearer T", "Content-Type: application/json"])
        let body = try parser.parse(request.body)
        // Without the + Meta would prepend the business's own country code.
        #expect(body["to"]?.string == "+14155552671")
        #expect(body["messaging_product"]?.string == "whatsapp" && body["type"]?.string == "text")
        #expect(body["text"]?["body"]?.string == "hé \"q\"" && body["biz_opaque_callback_data"]?.string == "id.3")
    }

    private func answer(_ status: Int, _ body: String, _ headers: [HTTPHeader] = []) -> Outcome {
        outcome(of: .answered(status: status, headers: headers, body: Array(body.utf8)), parser: parser)
    }

    private func isUnknown(_ outcome: Outcome) -> Bool { if case .unknown = outcome { true } else { false } }

    @Test func onlyAMessageIdMeansAccepted() {
        #expect(answer(200, #"{"messages":[{"id":"wamid.1"}]}"#) == .accepted(wamid: "wamid.1"))
        for body in [
            "", "{}", "<html>", #"{"messages":[]}"#, #"{"messages":[{"id":""}]}"#, #"{"messages":[{"id":7}]}"#,
        ] {
            #expect(isUnknown(answer(200, body)), "\(body)")
        }
    }

    @Test func whatLeavesItOpenIsUnknown() {
        for status in [408, 500, 502, 503, 504] { #expect(isUnknown(answer(status, "<html>")), "\(status)") }
        #expect(isUnknown(answer(500, #"{"error":{"message":"new","code":999999}}"#)))
        #expect(isUnknown(outcome(of: .broken("reset"), parser: parser)))
    }

    @Test func whatCertainlyDidNotArriveIsTriedAgainWithoutCounting() {
        guard case .refused(let failure, .lineLater) = outcome(of: .notSent("refused"), parser: parser) else {
            Issue.record("not held")
            return
        }
        #expect(failure.code == "NOT_CONNECTED")
        #expect(
            answer(429, "slow down", [HTTPHeader("retry-after", "7")])
                == .refused(
                    Failure(code: "HTTP_429", message: "HTTP 429 without a word of Meta's"),
                    .lineLater(askedFor: .seconds(7))))
    }

    /// Every code of the table, with the HTTP status that would say something else.
    @Test func theCodeDecidesNotTheStatus() {
        for (code, known) in MetaError.table {
            for status in [200, 400, 429, 500, 503] {
                let body = #"{"error":{"message":"(#\#(code)) x","code":\#(code),"is_transient":true}}"#
                guard case .refused(let failure, let refused) = answer(status, body) else {
                    Issue.record("\(code) with \(status) is not refused")
                    continue
                }
                #expect(failure.code == String(code))
                switch (known.errorClass, refused) {
                case (.messageForGood, .forGood), (.messageLater, .forNow), (.recipientLater, .throttled),
                    (.templateLater, .throttled), (.lineLater, .lineLater), (.businessLater, .lineLater),
                    (.lineConfiguration, .lineLater):
                    break
                default: Issue.record("\(code) is \(known.errorClass), and \(refused)")
                }
            }
        }
    }

    @Test func unknownCodesHaveASafeDefault() {
        func of(_ status: Int, _ more: String) -> Outcome {
            answer(status, #"{"error":{"message":"m","code":999999\#(more)}}"#)
        }
        let failure = Failure(code: "999999", message: "m")
        #expect(of(400, "") == .refused(failure, .forGood))
        #expect(of(400, #","is_transient":true"#) == .refused(failure, .forNow(askedFor: nil)))
        #expect(of(429, "") == .refused(failure, .lineLater(askedFor: .seconds(5))))
    }

    @Test func aNumberThatDoesNotExistHoldsTheLineAndFailsNoMessage() {
        let body = #"{"error":{"message":"Unsupported post request","code":100,"error_subcode":33}}"#
        guard case .refused(_, .lineLater) = answer(400, body) else {
            Issue.record("not held")
            return
        }
        guard case .refused(_, .forGood) = answer(400, #"{"error":{"message":"x","code":100}}"#) else {
            Issue.record("not failed")
            return
        }
    }

    @Test func metasDetailsAreKept() {
        let body = #"{"error":{"message":"(#131009) Wrong","code":131009,"error_data":{"details":"text.body"}}}"#
        #expect(
            answer(400, body) == .refused(Failure(code: "131009", message: "(#131009) Wrong: text.body"), .forGood))
    }

    @Test func theTableIsWholeAndSaysWhatToDo() {
        #expect(MetaError.table.count >= 60)
        for (code, error) in MetaError.table {
            #expect(error.code == code && !error.title.isEmpty && !error.meaning.isEmpty && !error.remedy.isEmpty)
        }
        #expect(MetaError.of(299)?.errorClass == .lineConfiguration)
        #expect(MetaError.of(300) == nil && MetaError.of(-1) == nil)
    }
}

@Suite struct WebhookTests {
    private func content(_ text: String) throws -> WebhookContent? { webhookContent(try JSONParser().parse(text.utf8)) }

    @Test func everyStatusOfEveryEntryIsRead() throws {
        let status = #"{"id":"wamid.1","status":"delivered","timestamp":"1800000000","biz_opaque_callback_data":"o.1"}"#
        let failed =
            #"{"id":"wamid.2","status":"failed","timestamp":1800000001,"errors":[{"code":131026,"title":"T","error_data":{"details":"D"}}]}"#
        let change =
            #"{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"statuses":[\#(status),\#(failed)]}}"#
        let read = try #require(try content(#"{"entry":[{"changes":[\#(change)]},{"changes":[\#(change)]}]}"#))
        #expect(read.statuses.count == 4 && read.others.isEmpty)
        #expect(
            read.statuses[0]
                == StatusReport(
                    phoneNumberID: "106", wamid: "wamid.1", opaque: "o.1", report: .delivered,
                    at: Timestamp(milliseconds: 1_800_000_000_000), failure: nil))
        #expect(read.statuses[1].failure == Failure(code: "131026", message: "T: D"))
    }

    @Test func whatIsNotKnownIsCounted() throws {
        let read = try content(
            #"{"entry":[{"changes":[{"field":"account_alerts","value":{}},{"field":"messages","value":{"messages":[{},{}],"statuses":[{"id":"w","status":"played","timestamp":"1"},7,{"status":"sent"}]}},{}]},{},5]}"#
        )
        #expect(
            read?.others == ["account_alerts": 1, "messages.status": 3, "messages.unknown": 2, "none": 1])
        #expect(read?.statuses.isEmpty == true && read.map { counts($0.inbound) } == ["": 2])
    }

    @Test(arguments: ["{}", "[]", "7", #"{"entry":{}}"#])
    func whatIsNoWebhookIsToldApart(_ text: String) throws {
        #expect(try content(text) == nil)
    }

    @Test func aKeySignsAgainAndAgain() {
        // RFC 4231, 4.3; whatever was signed before, and in however many pieces.
        let key = HMACSHA256(key: Array("Jefe".utf8))
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        #expect(hexadecimal(key.sign(Array("what do ya want for nothing?".utf8))) == right)
        #expect(hexadecimal(key.sign(Array("something else".utf8))) != right)
        #expect(hexadecimal(key.sign(Array("what do ya ".utf8), [], Array("want for nothing?".utf8))) == right)
        // No key and no bytes, by Python's hmac module.
        let empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(hexadecimal(HMACSHA256(key: []).sign()) == empty)
    }

    @Test func theSignatureIsOverTheRawBytes() {
        // Made with Python's hmac module.
        let body = Array(#"{"entry":[{"id":"é"}]}"#.utf8)
        let right = "sha256=e995543ccc8232e716e16c72725e8bf8def4d54ab687db94fafd2f8380d0875f"
        #expect(isSigned(body, header: right, secret: "app secret"))
        #expect(isSigned(body, header: right.uppercased().replacing("SHA256", with: "sha256"), secret: "app secret"))
        #expect(!isSigned(body + [0x20], header: right, secret: "app secret"))
        #expect(!isSigned(body, header: right, secret: "App secret"))
        #expect(!isSigned(body, header: String(right.dropLast()), secret: "app secret"))
        #expect(!isSigned(body, header: String(right.dropFirst(7)), secret: "app secret"))
        #expect(!isSigned(body, header: nil, secret: "app secret"))
    }
}
