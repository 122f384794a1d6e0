import OutboxCore
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

@Suite struct TemplateCheckTests {
    private let parser = JSONParser()

    /// Each problem as `field: message`.
    private func problems(_ needs: [TemplateNeed], _ components: String?) throws -> [String] {
        let template = Template(
            id: "7", name: "n", language: "en", category: .utility, status: .approved, parameterFormat: .positional,
            needs: needs, raw: [])
        let json = try components.map { try parser.parse($0.utf8) }
        return OutboxMeta.problems(of: json, for: template).map { "\($0.field): \($0.message)" }
    }

    private func body(_ parameters: String) -> String { #"[{"type":"body","parameters":[\#(parameters)]}]"# }

    private func button(_ parameters: String, sub: String = "url", index: String = "0") -> String {
        #"[{"type":"button","sub_type":"\#(sub)","index":\#(index),"parameters":[\#(parameters)]}]"#
    }

    private let text = #"{"type":"text","text":"a"}"#

    // MARK: Body and header texts

    @Test func whatFitsPasses() throws {
        #expect(try problems([], nil).isEmpty && problems([], "[]").isEmpty && problems([], "null").isEmpty)
        #expect(try problems([], #"[{"type":"body"},{"type":"header","parameters":[]}]"#).isEmpty)
        #expect(try problems([.body(.positional(2))], body("\(text),\(text)")).isEmpty)
        #expect(try problems([.body(.positional(1))], body(#"{"type":"currency","currency":{}}"#)).isEmpty)
        #expect(try problems([.body(.positional(1))], body(#"{"type":"TEXT","text":7}"#)).isEmpty)
        #expect(try problems([.body(.positional(1))], #"[{"type":"BODY","parameters":[\#(text)]}]"#).isEmpty)
        #expect(
            try problems(
                [.headerText(.positional(1)), .body(.positional(1))],
                #"[{"type":"body","parameters":[\#(text)]},{"type":"header","parameters":[\#(text)]}]"#
            ).isEmpty)
    }

    @Test func numbersOfParametersAreCompared() throws {
        let two = [TemplateNeed.body(.positional(2))]
        #expect(
            try problems(two, body(text)) == [
                "components[0].parameters: the body needs 2 parameters ({{1}}, {{2}}); 1 is given"
            ])
        #expect(
            try problems(two, body("\(text),\(text),\(text)")) == [
                "components[0].parameters: the body needs 2 parameters ({{1}}, {{2}}); 3 are given"
            ])
        for missing in [nil, "[]", "null"] {
            #expect(
                try problems(two, missing) == [
                    "components: lack a body: the body needs 2 parameters ({{1}}, {{2}}); none is given"
                ])
        }
        #expect(
            try problems(two, #"[{"type":"body"}]"#) == [
                "components[0].parameters: the body needs 2 parameters ({{1}}, {{2}}); none is given"
            ])
        #expect(
            try problems([], body(text)) == [
                "components[0].parameters: the body takes no parameters; 1 is given: leave the component out"
            ])
        #expect(
            try problems([.headerText(.positional(1))], nil) == [
                "components: lack a header: the header needs 1 parameter ({{1}}); none is given"
            ])
        #expect(
            try problems([], #"[{"type":"header","parameters":[{"type":"image","image":{"id":"7"}}]}]"#) == [
                "components[0].parameters: the header takes no parameters; 1 is given: leave the component out"
            ])
    }

    @Test func namesAreCompared() throws {
        func named(_ name: String) -> String { #"{"type":"text","text":"a","parameter_name":"\#(name)"}"# }
        let need = [TemplateNeed.body(.named(["day", "time"]))]
        #expect(try problems(need, body("\(named("time")),\(named("day"))")).isEmpty)
        #expect(
            try problems(need, body("\(named("day")),\(named("hour"))")) == [
                "components[0].parameters[1].parameter_name: names no variable of the body: it has {{day}}, {{time}}",
                "components[0].parameters: the body needs 2 parameters ({{day}}, {{time}}); not given: {{time}}",
            ])
        #expect(
            try problems(need, body("\(named("day")),\(named("day")),\(named("time"))")) == [
                "components[0].parameters[1].parameter_name: is given twice"
            ])
        #expect(
            try problems([.body(.named(["day"]))], body(text)) == [
                "components[0].parameters[0].parameter_name: is missing: the body's variables have names ({{day}})",
                "components[0].parameters: the body needs 1 parameter ({{day}}); not given: {{day}}",
            ])
    }

    @Test(arguments: [
        (#"{"type":"text","text":""}"#, "[0].text: is missing or empty; Meta refuses an empty text"),
        (#"{"type":"text"}"#, "[0].text: is missing or empty; Meta refuses an empty text"),
        (#"{"text":null}"#, "[0].text: is missing or empty; Meta refuses an empty text"),
        (#"{"type":"image","image":{"id":"7"}}"#, "[0].type: is \"image\"; the body needs \"text\""),
        (#""Ann""#, "[0]: must be an object such as {\"type\":\"text\",\"text\":\"Ann\"}"),
    ])
    func aTextIsAText(_ parameter: String, _ problem: String) throws {
        #expect(try problems([.body(.positional(1))], body(parameter)) == ["components[0].parameters" + problem])
    }

    // MARK: Media headers

    @Test(arguments: [
        (HeaderMedia.image, #"{"type":"image","image":{"id":"7"}}"#), (.image, #"{"type":"image","image":{"id":7}}"#),
        (.video, #"{"type":"VIDEO","video":{"link":"https://a.example/v.mp4"}}"#),
        (.document, #"{"type":"document","document":{"id":"7","filename":"a.pdf"}}"#),
        (.location, #"{"type":"location","location":{"latitude":1,"longitude":"2"}}"#),
        (.product, #"{"type":"product","product":{"product_retailer_id":"a","catalog_id":"1"}}"#),
    ])
    func mediaOfTheRightKindPass(_ media: HeaderMedia, _ parameter: String) throws {
        let header = #"[{"type":"header","parameters":[\#(parameter)]}]"#
        #expect(try problems([.headerMedia(media)], header).isEmpty)
        for other in HeaderMedia.allCases where other != media {
            #expect(try problems([.headerMedia(other)], header).count == 1)
        }
    }

    @Test(arguments: [
        (#"{"type":"image","image":{"id":"7"}}"#, "[0].type: is \"image\"; the header needs a document"),
        (#"{"type":"text","text":"a"}"#, "[0].type: is \"text\"; the header needs a document"),
        (#"{"type":"document"}"#, "[0].document: is missing: give an object with id or link"),
        (
            #"{"type":"document","document":{"link":""}}"#,
            "[0].document: has neither id nor link nor media: give one of them"
        ),
        (#"7"#, "[0]: must be an object of type \"document\""),
        (#""#, ": the header needs 1 parameter (a document); none is given"),
        (#"7,7"#, ": the header needs 1 parameter (a document); 2 are given"),
    ])
    func otherMediaAreRefused(_ parameters: String, _ problem: String) throws {
        #expect(
            try problems([.headerMedia(.document)], #"[{"type":"header","parameters":[\#(parameters)]}]"#)
                == ["components[0].parameters" + problem])
    }

    @Test func aMissingHeaderIsNamed() throws {
        #expect(
            try problems([.headerMedia(.image)], "[]") == [
                "components: lack a header: it needs an image; none is given"
            ])
    }

    // MARK: Buttons

    @Test func buttonsThatFitPass() throws {
        let url = [TemplateNeed.button(index: 0, .url(variables: 1))]
        #expect(
            try problems(url, button(text)).isEmpty && problems(url, button(text, sub: "URL", index: "\"0\"")).isEmpty)
        #expect(try problems([.button(index: 0, .oneTimePassword)], button(text)).isEmpty)
        let coupon = #"{"type":"coupon_code","coupon_code":"25OFF"}"#
        #expect(try problems([.button(index: 0, .copyCode)], button(coupon, sub: "COPY_CODE")).isEmpty)
        let products = #"{"type":"action","action":{"sections":[]}}"#
        #expect(try problems([.button(index: 0, .multiProduct)], button(products, sub: "mpm")).isEmpty)
        let optional: [(ButtonNeed, String)] = [(.quickReply, "quick_reply"), (.flow, "flow"), (.catalog, "CATALOG")]
        for (need, sub) in optional {
            #expect(try problems([.button(index: 0, need)], nil).isEmpty)
            #expect(try problems([.button(index: 0, need)], button("", sub: sub)).isEmpty)
            #expect(try problems([.button(index: 0, need)], button(#"{"type":"payload"}"#, sub: sub)).isEmpty)
        }
        #expect(try problems([.button(index: 0, .fixed("URL"))], button("")).isEmpty)
        #expect(try problems([.button(index: 0, .unchecked("NEW"))], button("7,7", sub: "new")).isEmpty)
        #expect(try problems([.unchecked("button")], button("7,7", sub: "new", index: "9")).isEmpty)
    }

    @Test(arguments: [
        (
            ButtonNeed.url(variables: 1),
            "lack a button of sub_type \"url\" and index 3: it needs 1 text parameter, the end of its address"
        ),
        (.oneTimePassword, "lack a button of sub_type \"url\" and index 3: it needs 1 text parameter, the code"),
        (.copyCode, "lack a button of sub_type \"copy_code\" and index 3: it needs 1 coupon_code parameter"),
        (.multiProduct, "lack a button of sub_type \"mpm\" and index 3: it needs 1 action parameter, the products"),
    ])
    func missingButtonsAreNamed(_ need: ButtonNeed, _ problem: String) throws {
        #expect(try problems([.button(index: 3, need)], nil) == ["components: \(problem); none is given"])
    }

    @Test func buttonsThatDoNotFitAreRefused() throws {
        let url = [TemplateNeed.button(index: 0, .url(variables: 1))]
        let rest =
            "components: lack a button of sub_type \"url\" and index 0: "
            + "it needs 1 text parameter, the end of its address; none is given"
        #expect(
            try problems(url, button("")) == [
                "components[0].parameters: button 0 needs 1 text parameter, the end of its address; none is given"
            ])
        #expect(
            try problems(url, button(text, sub: "quick_reply")) == [
                "components[0].sub_type: is \"quick_reply\"; button 0 is \"url\""
            ])
        #expect(
            try problems(url, button(text, index: "1")) == ["components[0].index: is 1; its only button is 0", rest])
        #expect(
            try problems(url, button(text, index: "-1")) == ["components[0].index: is -1; its only button is 0", rest])
        #expect(
            try problems(url, #"[{"type":"button","sub_type":"url","parameters":[\#(text)]}]"#) == [
                "components[0].index: is missing: give the button's place, counted from 0", rest,
            ])
        #expect(
            try problems(url, #"[{"type":"button","index":0,"parameters":[\#(text)]}]"#) == [
                "components[0].sub_type: is missing: button 0 needs \"url\""
            ])
        #expect(
            try problems(url, button(#"{"type":"text"}"#)) == [
                "components[0].parameters[0].text: is missing or empty; Meta refuses an empty text"
            ])
        #expect(
            try problems([], button(text)) == [
                "components[0].index: is 0; the template has no buttons: leave this component out"
            ])
        #expect(
            try problems([.button(index: 0, .fixed("URL"))], button(text)) == [
                "components[0].parameters: button 0 (URL) takes no parameters; 1 is given: leave the component out"
            ])
        #expect(
            try problems([.button(index: 0, .copyCode)], button(#"{"type":"coupon_code"}"#, sub: "copy_code")) == [
                "components[0].parameters[0].coupon_code: is missing or empty"
            ])
        #expect(try problems([.button(index: 0, .multiProduct)], button(text, sub: "mpm")).count == 1)
    }

    // MARK: The rest

    @Test func kindsTheTemplateDoesNotHaveAreRefused() throws {
        let carousel = #"[{"type":"carousel","cards":[]}]"#
        #expect(
            try problems([], carousel) == ["components[0]: the template has no carousel: leave this component out"])
        #expect(try problems([.unchecked("carousel")], carousel).isEmpty)
        #expect(try problems([], #"[{"type":"tap_target_configuration","parameters":[7]}]"#).isEmpty)
        #expect(try problems([.unchecked("header")], #"[{"type":"header","parameters":[7,7]}]"#).isEmpty)
        #expect(try problems([.unchecked("body")], body("7,7")).isEmpty)
    }

    @Test func wrongShapesAreRefused() throws {
        #expect(try problems([], "{}") == ["components: must be an array"])
        for item in ["7", "null", "{}", #"{"type":""}"#, #"{"type":7}"#] {
            #expect(
                try problems([], "[\(item)]") == [
                    "components[0]: must be an object with the type \"header\", \"body\" or \"button\""
                ], "\(item)")
        }
        #expect(
            try problems([], #"[{"type":"body","parameters":{}}]"#) == ["components[0].parameters: must be an array"])
        let many = "[" + Array(repeating: "7", count: 1000).joined(separator: ",") + "]"
        #expect(try problems([], many).count == templateProblemsMax)
    }

    @Test func nothingStrangeIsFatal() throws {
        let whole =
            #"[{"type":"header","parameters":[{"type":"image","image":{"id":"7"}}]},{"type":"body","parameters":[{"type":"text","text":"a","parameter_name":"day"}]},{"type":"button","sub_type":"url","index":"0","parameters":[\#(text)]},{"type":"button","sub_type":"copy_code","index":1,"parameters":[{"type":"coupon_code","coupon_code":"C"}]}]"#
        let needs: [TemplateNeed] = [
            .headerMedia(.image), .body(.named(["day"])), .button(index: 0, .url(variables: 1)),
            .button(index: 1, .copyCode),
        ]
        #expect(try problems(needs, whole).isEmpty)
        for text in try mutations(of: whole) {
            let text = String(decoding: text, as: UTF8.self)
            _ = try problems(needs, text)
            _ = try problems([], text)
        }
    }
}
