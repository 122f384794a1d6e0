import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// Templates that are to be made, compared with Meta's documented limits.
@Suite struct TemplateDraftTests {
    private let parser = JSONParser()

    /// Each problem as `field: message`.
    private func problems(_ json: String, _ kind: TemplateDraftKind = .new) throws -> [String] {
        templateDraftProblems(try parser.parse(json.utf8), kind).map { "\($0.field): \($0.message)" }
    }

    private func draft(
        _ components: String, category: String = "UTILITY", more: String = ""
    ) -> String {
        #"{"name":"a_1","language":"en_US","category":"\#(category)"\#(more),"components":[\#(components)]}"#
    }

    /// The fields that are wrong.
    private func fields(_ components: String, category: String = "UTILITY", more: String = "") throws -> [String] {
        try problems(draft(components, category: category, more: more)).map { String($0.prefix { $0 != ":" }) }
    }

    private let body = #"{"type":"BODY","text":"Hi"}"#
    private let named = #","parameter_format":"NAMED""#

    @Test func whatFitsPasses() throws {
        let rights = [
            draft(body),
            draft(#"{"type":"body","text":"Dear {{1}}, {{2}} left.","example":{"body_text":[["Ann","it"]]}}"#),
            draft(
                #"{"type":"BODY","text":"Dear {{first_name}}!","example":{"body_text_named_params":[{"param_name":"first_name","example":"Ann"}]}}"#,
                more: named),
            draft(
                #"{"type":"HEADER","format":"TEXT","text":"Order {{1}}","example":{"header_text":["7"]}},\#(body),{"type":"FOOTER","text":"Bye"}"#
            ),
            draft(#"{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::aW"]}},\#(body)"#),
            draft(#"{"type":"HEADER","format":"LOCATION"},\#(body)"#),
            draft(
                #"\#(body),{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"},{"type":"QUICK_REPLY","text":"No"},{"type":"URL","text":"See","url":"https://a.example/{{1}}","example":["https://a.example/7"]},{"type":"PHONE_NUMBER","text":"Call","phone_number":"+14155550100"},{"type":"COPY_CODE","example":"SAVE20"}]}"#
            ),
            draft(
                #"{"type":"BODY","add_security_recommendation":true},{"type":"FOOTER","code_expiration_minutes":10},{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE","text":"Copy"}]}"#,
                category: "AUTHENTICATION", more: #","message_send_ttl_seconds":60"#),
            draft(
                #"{"type":"BODY"},{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"ONE_TAP","supported_apps":[{"package_name":"com.example.app","signature_hash":"K8a/AINcGX7"}]}]}"#,
                category: "AUTHENTICATION"),
            draft(
                #"{"type":"LIMITED_TIME_OFFER","limited_time_offer":{"text":"Today","has_expiration":true}},\#(body)"#,
                category: "MARKETING"),
            draft(#"\#(body),{"type":"A_KIND_OF_LATER","x":1}"#),
            #"{"name":"a","language":"fil","category":"UTILITY","library_template_name":"delivery_update_1"}"#,
        ]
        for right in rights { #expect(try problems(right).isEmpty, "\(right)") }
    }

    @Test func everyWrongFieldIsNamed() throws {
        let wrong =
            #"{"name":"Order Shipped","language":"english","category":"OTHER","parameter_format":"x","colour":1}"#
        let found = try problems(wrong)
        for field in ["name", "language", "category", "parameter_format", "colour", "components"] {
            #expect(found.contains { $0.hasPrefix("\(field): ") }, "\(field) in \(found)")
        }
        #expect(try problems("{}").count == 4)
        #expect(try problems("[]") == ["body: must be an object"])
        #expect(
            try problems(#"{"name":"a","name":"b","language":"en","category":"UTILITY","components":[\#(body)]}"#)
                == ["name: is given twice"])
        #expect(try fields("7").first == "components[0]")
        #expect(try fields(#"{"type":"HEADER","format":"LOCATION"}"#) == ["components"])
        #expect(try fields("\(body),\(body)") == ["components[1].type"])
        #expect(try fields("\(body)", more: #","message_send_ttl_seconds":10"#) == ["message_send_ttl_seconds"])
    }

    @Test(arguments: [(1024, true), (1025, false)]) func aBodyHasItsLength(count: Int, fits: Bool) throws {
        let text = String(repeating: "ü", count: count)
        #expect(try fields(#"{"type":"BODY","text":"\#(text)"}"#).isEmpty == fits)
    }

    @Test func textsAreChecked() throws {
        let long = String(repeating: "x", count: 61)
        #expect(try fields(#"{"type":"FOOTER","text":"\#(long)"},\#(body)"#) == ["components[0].text"])
        #expect(try fields(#"{"type":"FOOTER","text":"{{1}}!"},\#(body)"#) == ["components[0].text"])
        #expect(try fields(#"{"type":"HEADER","format":"TEXT","text":"\#(long)"},\#(body)"#) == ["components[0].text"])
        let two = #"{"type":"HEADER","format":"TEXT","text":"{{1}} {{2}}","example":{"header_text":["a","b"]}}"#
        #expect(try fields("\(two),\(body)") == ["components[0].text"])
        for text in ["{{1}} left", "It is {{1}}"] {
            let body = #"{"type":"BODY","text":"\#(text)","example":{"body_text":[["a"]]}}"#
            #expect(try fields(body) == ["components[0].text"], "\(text)")
        }
        for text in ["a {{2}} b", "a {{1}} {{3}} b", "a {{x}} b", "a {{ 1 }} b", "a {{1} b", "a {{first name}} b"] {
            let body = #"{"type":"BODY","text":"\#(text)","example":{"body_text":[["a","b"]]}}"#
            #expect(try fields(body).contains("components[0].text"), "\(text)")
        }
        let capital = #"{"type":"BODY","text":"a {{First}} b","example":{"body_text_named_params":[]}}"#
        #expect(try fields(capital, more: named) == ["components[0].text"])
    }

    @Test func everyVariableWantsAnExample() throws {
        func body(_ example: String) -> String { #"{"type":"BODY","text":"a {{1}} {{2}} b"\#(example)}"# }
        for wrong in [
            "", #","example":{"body_text":[["a"]]}"#, #","example":{"body_text":[["a",""]]}"#, #","example":7"#,
        ] {
            #expect(try fields(body(wrong)) == ["components[0].example.body_text"], "\(wrong)")
        }
        let one =
            #"{"type":"BODY","text":"a {{x}} {{y}} b","example":{"body_text_named_params":[{"param_name":"x","example":"1"}]}}"#
        let found = try problems(draft(one, more: named))
        #expect(found.count == 1 && found[0].contains("lacks {{y}}"))
        for handle in ["[]", #"["https://a.example/b.png"]"#, "7"] {
            let header = #"{"type":"HEADER","format":"IMAGE","example":{"header_handle":\#(handle)}}"#
            #expect(try fields("\(header),\(self.body)").count == 1, "\(handle)")
        }
        let url = #"{"type":"BUTTONS","buttons":[{"type":"URL","text":"See","url":"https://a.example/{{1}}"}]}"#
        #expect(try fields("\(self.body),\(url)") == ["components[1].buttons[0].example"])
    }

    @Test func buttonsAreCounted() throws {
        func buttons(_ list: [String]) -> String {
            #"\#(body),{"type":"BUTTONS","buttons":[\#(list.joined(separator: ","))]}"#
        }
        func reply(_ text: String) -> String { #"{"type":"QUICK_REPLY","text":"\#(text)"}"# }
        func url(_ text: String, _ address: String = "https://a.example/") -> String {
            #"{"type":"URL","text":"\#(text)","url":"\#(address)"}"#
        }
        #expect(try fields(buttons((0..<10).map { reply("\($0)") })).isEmpty)
        #expect(try fields(buttons((0..<11).map { reply("\($0)") })) == ["components[1].buttons"])
        #expect(try fields(buttons([])) == ["components[1].buttons"])
        #expect(try fields(buttons([url("a"), url("b"), url("c")])) == ["components[1].buttons[2]"])
        #expect(try fields(buttons([reply("a"), url("b"), reply("c")])) == ["components[1].buttons"])
        #expect(try fields(buttons([reply("a"), reply("a")])) == ["components[1].buttons[1].text"])
        #expect(try fields(buttons([reply(String(repeating: "x", count: 26))])) == ["components[1].buttons[0].text"])
        #expect(try fields(buttons([url("a", "a.example")])) == ["components[1].buttons[0].url"])
        #expect(try fields(buttons([url("a", "https://a.example/{{1}}/b")])) == ["components[1].buttons[0].url"])
        #expect(try fields(buttons([#"{"type":"COPY_CODE","example":"1234567890123456"}"#])).count == 1)
        #expect(try fields(buttons([#"{"type":"FLOW","text":"Book"}"#])) == ["components[1].buttons[0]"])
        #expect(try fields(buttons([#"{"type":"OTP","otp_type":"COPY_CODE"}"#])) == ["components[1].buttons"])
        #expect(try fields(buttons([#"{"text":"x"}"#])) == ["components[1].buttons[0].type"])
    }

    @Test func authenticationTemplatesHaveMetasText() throws {
        let button = #"{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE"}]}"#
        func fields(_ components: String) throws -> [String] {
            try self.fields(components, category: "AUTHENTICATION")
        }
        #expect(try fields(#"\#(body),\#(button)"#) == ["components[0].text"])
        #expect(try fields(#"{"type":"BODY"}"#) == ["components"])
        #expect(try fields(#"{"type":"BODY"},{"type":"FOOTER","code_expiration_minutes":91},\#(button)"#).count == 1)
        #expect(
            try fields(#"{"type":"BODY"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"x"}]}"#).count == 1)
        let tap = #"{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"ZERO_TAP","supported_apps":[{}]}]}"#
        #expect(try fields(#"{"type":"BODY"},\#(tap)"#).count == 3)
    }

    @Test func cardsAreAlike() throws {
        let header = #"{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}}"#
        let card = #"{"components":[\#(header),{"type":"BODY","text":"One"}]}"#
        func carousel(_ cards: [String]) -> String {
            #"\#(body),{"type":"CAROUSEL","cards":[\#(cards.joined(separator: ","))]}"#
        }
        #expect(try fields(carousel([card, card]), category: "MARKETING").isEmpty)
        #expect(try fields(carousel([card])) == ["components[1].cards"])
        let bare = #"{"components":[\#(header)]}"#
        #expect(try fields(carousel([card, bare])) == ["components[1].cards[1]"])
    }

    @Test func aChangeHasItsOwnFields() throws {
        let kind = TemplateDraftKind.change(category: "UTILITY", isNamed: true)
        let right =
            #"{"components":[{"type":"BODY","text":"Dear {{x}}!","example":{"body_text_named_params":[{"param_name":"x","example":"y"}]}}]}"#
        #expect(try problems(right, kind).isEmpty)
        #expect(try problems(#"{"category":"MARKETING"}"#, kind).isEmpty)
        #expect(try problems("{}", kind).count == 1)
        #expect(try problems(#"{"name":"b","components":[\#(body)]}"#, kind).count == 1)
        #expect(try problems(right, .change(category: "UTILITY", isNamed: false)).count == 1)
    }

    /// Whatever stands where, nothing is passed over silently or found wrong without a place.
    @Test func mutationsAreNamedOrTaken() throws {
        let whole = draft(
            #"{"type":"HEADER","format":"TEXT","text":"Order {{1}}","example":{"header_text":["7"]}},{"type":"BODY","text":"Dear {{1}}!","example":{"body_text":[["Ann"]]}},{"type":"BUTTONS","buttons":[{"type":"URL","text":"See","url":"https://a.example/{{1}}","example":["x"]}]}"#
        )
        var tried = 0
        for bytes in try mutations(of: whole) {
            guard let value = try? parser.parse(bytes) else { continue }
            for problem in templateDraftProblems(value, .new) {
                #expect(!problem.field.isEmpty && !problem.message.isEmpty)
            }
            tried += 1
        }
        #expect(tried > 100)
    }
}
