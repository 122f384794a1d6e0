import OutboxJSON
import OutboxMeta
import Testing

/// Templates with their variables filled in.
@Suite struct TemplatePreviewTests {
    private let parser = JSONParser()

    private func preview(_ components: String, _ given: String? = nil) throws -> TemplatePreview {
        TemplatePreview(
            try parser.parse(#"{"components":[\#(components)]}"#.utf8),
            components: try given.map { try parser.parse($0.utf8) })
    }

    private func text(_ words: String...) -> String {
        words.map { #"{"type":"text","text":"\#($0)"}"# }.joined(separator: ",")
    }

    @Test func variablesAreFilledInByNumber() throws {
        let template =
            #"{"type":"HEADER","format":"TEXT","text":"Order {{1}}"},{"type":"BODY","text":"{{2}}, {{1}} and {{2}}: {{3}}"},{"type":"FOOTER","text":"Bye"}"#
        let shown = try preview(
            template,
            #"[{"type":"header","parameters":[\#(text("7"))]},{"type":"BODY","parameters":[\#(text("{{2}}", "Ann"))]}]"#
        )
        #expect(shown.header?.format == "TEXT" && shown.header?.text == "Order 7" && shown.header?.media == nil)
        // What was filled in is text, whatever it looks like.
        #expect(shown.body == "Ann, {{2}} and Ann: {{3}}")
        #expect(shown.footer == "Bye")
        #expect(try preview(template).body == "{{2}}, {{1}} and {{2}}: {{3}}")
    }

    @Test func variablesAreFilledInByName() throws {
        let shown = try preview(
            #"{"type":"BODY","text":"{{first}} and {{last}}"}"#,
            #"[{"type":"body","parameters":[{"type":"text","parameter_name":"last","text":"Lee"},{"type":"text","parameter_name":"first","text":"Ann"}]}]"#
        )
        #expect(shown.body == "Ann and Lee")
    }

    @Test func amountsAndDatesShowTheirFallback() throws {
        let shown = try preview(
            #"{"type":"BODY","text":"a {{1}} on {{2}}"}"#,
            #"[{"type":"body","parameters":[{"type":"currency","currency":{"fallback_value":"7 EUR"}},{"type":"date_time","date_time":{"fallback_value":"Monday"}}]}]"#
        )
        #expect(shown.body == "a 7 EUR on Monday")
    }

    @Test func buttonsAndMediaAreFilledIn() throws {
        let shown = try preview(
            #"{"type":"HEADER","format":"IMAGE"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"},{"type":"URL","text":"See","url":"https://a.example/{{1}}"},{"type":"PHONE_NUMBER","text":"Call","phone_number":"+1"},{"type":"COPY_CODE","text":"Copy"}]}"#,
            #"[{"type":"header","parameters":[{"type":"image","image":{"id":"7"}}]},{"type":"button","sub_type":"url","index":"1","parameters":[\#(text("9"))]},{"type":"button","sub_type":"copy_code","index":3,"parameters":[{"type":"coupon_code","coupon_code":"SAVE"}]}]"#
        )
        #expect(shown.header?.media.map { String(decoding: $0, as: UTF8.self) } == #"{"id":"7"}"#)
        #expect(shown.buttons.map(\.url) == [nil, "https://a.example/9", nil, nil])
        #expect(shown.buttons.map(\.phoneNumber) == [nil, nil, "+1", nil])
        #expect(shown.buttons.map(\.code) == [nil, nil, nil, "SAVE"])
    }

    @Test func cardsAreFilledInByTheirPlace() throws {
        let card = #"{"components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"For {{1}}"}]}"#
        let shown = try preview(
            #"{"type":"BODY","text":"x"},{"type":"CAROUSEL","cards":[\#(card),\#(card)]}"#,
            #"[{"type":"carousel","cards":[{"card_index":1,"components":[{"type":"body","parameters":[\#(text("Ann"))]}]}]}]"#
        )
        #expect(shown.cards.map(\.body) == ["For {{1}}", "For Ann"])
        var json = JSONWriter()
        json.object { shown.write(to: &$0) }
        let written = try parser.parse(json.bytes)
        #expect(written["cards"]?.elements.map { $0 }.count == 2 && written["header"]?.isNull == true)
    }
}
