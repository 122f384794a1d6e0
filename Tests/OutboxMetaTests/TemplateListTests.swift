import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

@Suite struct TemplateListTests {
    private let parser = JSONParser()

    private func page(_ body: String) -> Reading<TemplatePage> {
        templatePage(of: .answered(status: 200, headers: [], body: Array(body.utf8)), parser: parser)
    }

    private func needs(_ components: String, _ more: String = "") throws -> [TemplateNeed]? {
        let text = #"{"name":"n","language":"en","status":"APPROVED"\#(more),"components":\#(components)}"#
        return template(from: try parser.parse(text.utf8))?.needs
    }

    private let shipped = """
        {"id":"7","name":"order_shipped","language":"en_US","status":"APPROVED","category":"UTILITY",
        "parameter_format":"POSITIONAL","components":[{"type":"HEADER","format":"DOCUMENT"},
        {"type":"BODY","text":"{{1}}, your order {{2}} is on its way, {{1}}."},{"type":"FOOTER","text":"Bakery {{x}}"},
        {"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Stop"},
        {"type":"URL","text":"Track","url":"https://a.example/{{1}}"},{"type":"PHONE_NUMBER","phone_number":"+1"}]}]}
        """

    @Test func theRequestAsksForAPage() {
        let endpoint = GraphEndpoint(baseURL: "https://graph.example", version: "v25.0")
        let first = endpoint.templates(wabaID: "102", token: "T", timeout: .seconds(9))
        #expect(first.method == "GET" && first.headers == ["Authorization: Bearer T"])
        #expect(
            first.url.hasPrefix("https://graph.example/v25.0/102/message_templates?fields=id,name,language,status,"))
        #expect(first.url.hasSuffix("&limit=100") && first.url.contains(",components,"))
        let next = endpoint.templates(wabaID: "102", token: "T", after: "a+b/c=é", limit: 5, timeout: .seconds(9))
        #expect(next.url.hasSuffix("&limit=5&after=a%2Bb%2Fc%3D%C3%A9"))
    }

    @Test func aTemplateIsReadAndReadAgain() throws {
        let read = try #require(template(from: try parser.parse(shipped.utf8)))
        #expect(read.id == "7" && read.name == "order_shipped" && read.language == "en_US")
        #expect(read.category == .utility && read.status == .approved && read.parameterFormat == .positional)
        #expect(
            read.needs == [
                .headerMedia(.document), .body(.positional(2)), .button(index: 0, .quickReply),
                .button(index: 1, .url(variables: 1)), .button(index: 2, .fixed("PHONE_NUMBER")),
            ])
        #expect(read.raw == Array(shipped.utf8))
        #expect(template(from: try parser.parse(read.raw)) == read)
    }

    @Test func pagesFollowEachOther() {
        let cursors = #""cursors":{"before":"b","after":"c"}"#
        let next = #"{"data":[\#(shipped)],"paging":{\#(cursors),"next":"https://graph.example/…"}}"#
        guard case .read(let first) = page(next) else {
            Issue.record("not read")
            return
        }
        #expect(first.after == "c" && first.templates.map(\.name) == ["order_shipped"])
        for last in [
            #"{"data":[],"paging":{\#(cursors)}}"#, #"{"data":[]}"#, #"{"data":[],"paging":{"next":"x"}}"#,
            #"{"data":[],"paging":{"next":"","cursors":{"after":"c"}}}"#,
            #"{"data":[7,{},{"name":"n"},{"name":"","language":"en","status":"APPROVED"},null]}"#,
        ] {
            #expect(page(last) == .read(TemplatePage(templates: [], after: nil)), "\(last)")
        }
    }

    @Test func whatFailsSaysWhy() {
        #expect(
            page(#"{"error":{"message":"Invalid cursor","code":131059}}"#)
                == .failed(Failure(code: "131059", message: "Invalid cursor")))
        for body in ["", "<html>", "{}", #"{"data":{}}"#, "[]"] {
            #expect(page(body) == .failed(Failure(code: "HTTP_200", message: "HTTP 200 without what was asked for")))
        }
        #expect(
            templatePage(of: .broken("reset"), parser: parser) == .failed(Failure(code: "NO_ANSWER", message: "reset")))
    }

    @Test(
        arguments: [
            (#"[]"#, []),
            (#"[{"type":"BODY","text":"Hello"}]"#, []),
            (#"[{"type":"HEADER","format":"TEXT","text":"Hi {{1}}"}]"#, [.headerText(.positional(1))]),
            (#"[{"type":"HEADER","text":"Hi"},{"type":"BODY","text":"{{1}}"}]"#, [.body(.positional(1))]),
            (#"[{"type":"header","format":"image"}]"#, [.headerMedia(.image)]),
            (#"[{"type":"HEADER","format":"LOCATION"}]"#, [.headerMedia(.location)]),
            (#"[{"type":"HEADER","format":"PRODUCT"}]"#, [.headerMedia(.product)]),
            (#"[{"type":"HEADER","format":"GIF"}]"#, [.unchecked("header")]),
            (#"[{"type":"BODY","add_security_recommendation":true}]"#, [.unchecked("body")]),
            (
                #"[{"type":"CAROUSEL","cards":[]},{"type":"LIMITED_TIME_OFFER"}]"#,
                [.unchecked("carousel"), .unchecked("limited_time_offer")]
            ),
            (
                #"[{"type":"BUTTONS","buttons":[{"type":"COPY_CODE"},{"type":"FLOW"},{"type":"CATALOG"},{"type":"MPM"},{"type":"OTP"},{"type":"URL","url":"https://a.example"},{"type":"VOICE_CALL"},{},7]}]"#,
                [
                    .button(index: 0, .copyCode), .button(index: 1, .flow), .button(index: 2, .catalog),
                    .button(index: 3, .multiProduct), .button(index: 4, .oneTimePassword),
                    .button(index: 5, .fixed("URL")),
                    .button(index: 6, .unchecked("VOICE_CALL")), .button(index: 7, .unchecked("")),
                    .button(index: 8, .unchecked("")),
                ]
            ),
            (
                #"{}"#, ["header", "body", "button", "carousel", "limited_time_offer"].map(TemplateNeed.unchecked)
            ),
            (#"[7,{}]"#, [.unchecked(""), .unchecked("")]),
        ] as [(String, [TemplateNeed])])
    func needsAreFound(_ components: String, _ expected: [TemplateNeed]) throws {
        #expect(try needs(components) == expected)
    }

    @Test func namesOrNumbersAreToldApart() throws {
        let body = #"[{"type":"BODY","text":"{{first_name}}: {{2}}"}]"#
        #expect(try needs(body, #","parameter_format":"NAMED""#) == [.body(.named(["first_name", "2"]))])
        #expect(try needs(body) == [.body(.named(["first_name", "2"]))])
        #expect(try needs(body, #","parameter_format":"POSITIONAL""#) == [.body(.positional(2))])
        #expect(try needs(#"[{"type":"BODY","text":"{{1}}"}]"#) == [.body(.positional(1))])
    }

    /// As it is made, and as Meta lists it.
    @Test(arguments: [
        #"{"type":"OTP","otp_type":"COPY_CODE"}"#, #"{"type":"URL","otp_type":"ONE_TAP"}"#,
        #"{"type":"URL","url":"https://www.whatsapp.com/otp/code/?code=otp{{1}}"}"#, #"{"type":"COPY_CODE"}"#,
    ])
    func aLoginCodesButtonIsKnown(_ button: String) throws {
        #expect(
            try needs(#"[{"type":"BUTTONS","buttons":[\#(button)]}]"#, #","category":"AUTHENTICATION""#)
                == [.button(index: 0, .oneTimePassword)])
    }

    @Test func nothingStrangeIsFatal() throws {
        for text in try mutations(of: #"{"data":[\#(shipped)],"paging":{"cursors":{"after":"c"},"next":"n"}}"#) {
            _ = templatePage(of: .answered(status: 200, headers: [], body: text), parser: parser)
        }
    }
}
