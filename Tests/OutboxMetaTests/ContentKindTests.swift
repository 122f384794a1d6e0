import OutboxJSON
import OutboxMeta
import Testing

/// Meta's limits, each at its edge and beyond, and what is said of it.
@Suite struct ContentKindTests {
    private func judged(_ type: String, _ content: String) throws -> ContentVerdict {
        verdict(on: try JSONParser().parse(content.utf8), of: type)
    }

    private func wrong(_ type: String, _ content: String) throws -> [String] {
        if case .wrong(let problems) = try judged(type, content) { return problems.map(\.field) }
        return []
    }

    private static func x(_ count: Int) -> String { String(repeating: "é", count: count) }

    /// Contents with one text in it, its place, and its limit.
    static let lengths: [(type: String, content: @Sendable (String) -> String, field: String, max: Int)] = [
        ("text", { #"{"body":"\#($0)"}"# }, "text.body", 4096),
        ("image", { #"{"id":"1","caption":"\#($0)"}"# }, "image.caption", 1024),
        ("video", { #"{"id":"1","caption":"\#($0)"}"# }, "video.caption", 1024),
        ("document", { #"{"id":"1","filename":"a","caption":"\#($0)"}"# }, "document.caption", 1024),
        ("interactive", { buttons(body: $0) }, "interactive.body.text", 1024),
        ("interactive", { buttons(header: #"{"type":"text","text":"\#($0)"}"#) }, "interactive.header.text", 60),
        ("interactive", { buttons(footer: $0) }, "interactive.footer.text", 60),
        ("interactive", { buttons([("a", $0)]) }, "interactive.action.buttons[0].reply.title", 20),
        ("interactive", { buttons([("b", "x"), ($0, "y")]) }, "interactive.action.buttons[1].reply.id", 256),
        ("interactive", { list(body: $0) }, "interactive.body.text", 4096),
        ("interactive", { list(button: $0) }, "interactive.action.button", 20),
        ("interactive", { list(rows: row("1", title: $0)) }, "interactive.action.sections[0].rows[0].title", 24),
        ("interactive", { list(rows: row($0)) }, "interactive.action.sections[0].rows[0].id", 200),
        (
            "interactive", { list(rows: row("1", description: $0)) },
            "interactive.action.sections[0].rows[0].description", 72
        ),
        ("interactive", { list(title: $0) }, "interactive.action.sections[0].title", 24),
        ("interactive", { callToAction(title: $0) }, "interactive.action.parameters.display_text", 20),
        ("interactive", { flow(#""flow_id":"1","flow_cta":"\#($0)""#) }, "interactive.action.parameters.flow_cta", 30),
        ("interactive", { product(body: $0) }, "interactive.body.text", 1024),
        ("interactive", { products(title: $0) }, "interactive.action.sections[0].title", 24),
        ("interactive", { catalog(body: $0) }, "interactive.body.text", 1024),
        (
            "interactive",
            { #"{"type":"location_request_message","body":{"text":"\#($0)"},"action":{"name":"send_location"}}"# },
            "interactive.body.text", 1024
        ),
    ]

    @Test(arguments: Self.lengths.indices) func aTextMayBeAsLongAsMetaAllowsAndNoLonger(_ index: Int) throws {
        let (type, content, field, max) = Self.lengths[index]
        #expect(try judged(type, content(Self.x(max))) == .fits)
        let expected = ContentProblem(field, "\(max + 1) characters; Meta allows \(max). Shorten it.")
        #expect(try judged(type, content(Self.x(max + 1))) == .wrong([expected]))
    }

    /// Contents with a number of items, and the most there may be.
    static let counts: [(content: @Sendable (Int) -> String, type: String, field: String, max: Int)] = [
        ({ buttons((0..<$0).map { ("id\($0)", "title\($0)") }) }, "interactive", "interactive.action.buttons", 3),
        (
            { list(rows: (0..<$0).map { row("\($0)") }.joined(separator: ",")) }, "interactive",
            "interactive.action.sections[0].rows", 10
        ),
        (
            { sections($0, rows: 1) }, "interactive", "interactive.action.sections", 10
        ),
        ({ products(count: $0) }, "interactive", "interactive.action.sections[0].product_items", 30),
        (
            { "[" + Array(repeating: #"{"name":{"formatted_name":"A"}}"#, count: $0).joined(separator: ",") + "]" },
            "contacts", "contacts", 257
        ),
    ]

    @Test(arguments: Self.counts.indices) func thereMayBeAsManyAsMetaAllowsAndNoMore(_ index: Int) throws {
        let (content, type, field, max) = Self.counts[index]
        #expect(try judged(type, content(1)) == .fits)
        #expect(try judged(type, content(max)) == .fits)
        #expect(try wrong(type, content(max + 1)).contains(field))
        #expect(try wrong(type, content(0)) == [field])
    }

    @Test func allSectionsTogetherHaveAsManyRowsAsOne() throws {
        #expect(try judged("interactive", Self.sections(5, rows: 2)) == .fits)
        #expect(try wrong("interactive", Self.sections(4, rows: 3)) == ["interactive.action.sections"])
        #expect(try judged("interactive", Self.products(sections: 10, count: 3)) == .fits)
        #expect(try wrong("interactive", Self.products(sections: 4, count: 8)) == ["interactive.action.sections"])
    }

    static let right: [(String, String)] = [
        ("text", #"{"body":"x","preview_url":false}"#),
        ("image", #"{"link":"https://a.example/b.png"}"#), ("image", #"{"id":"1479537139650973","caption":""}"#),
        ("image", #"{"id":null,"link":"https://a.example","caption":null}"#),
        ("audio", #"{"id":"1","voice":true}"#), ("sticker", #"{"id":"1"}"#),
        ("document", #"{"link":"HTTPS://a.example:8443/b?c#d","filename":"e.pdf"}"#),
        ("location", #"{"latitude":-90,"longitude":180.0}"#),
        ("location", #"{"latitude":"37.44216251868683","longitude":"-122.16","name":"","address":"A"}"#),
        ("contacts", contact), ("contacts", #"[{"name":{"formatted_name":"A"},"birthday":"2012-02-29"}]"#),
        ("reaction", #"{"message_id":"wamid.1","emoji":""}"#),
        ("reaction", #"{"message_id":"wamid.1","emoji":"\uD83D\uDE00"}"#),
        ("reaction", #"{"message_id":"wamid.1","emoji":"👩🏽‍🚒"}"#), ("reaction", #"{"message_id":"w","emoji":"❤"}"#),
        ("reaction", #"{"message_id":"w","emoji":"1️⃣"}"#), ("reaction", #"{"message_id":"w","emoji":"🇨🇭"}"#),
        ("interactive", buttons(header: #"{"type":"image","image":{"id":"1"}}"#)),
        ("interactive", buttons(header: #"{"type":"document","document":{"link":"https://a.b/c","filename":"d"}}"#)),
        ("interactive", callToAction()), ("interactive", flow(#""flow_name":"f","flow_cta":"Go""#)),
        (
            "interactive",
            flow(
                #""flow_id":"1","flow_cta":"Go","mode":"draft","flow_token":"t","flow_action":"navigate","flow_action_payload":{"screen":"S","data":{"a":1}}"#
            )
        ),
        ("interactive", product()), ("interactive", products()), ("interactive", catalog()),
        ("interactive", #"{"type":"catalog_message","body":{"text":"x"},"action":{"name":"catalog_message"}}"#),
    ]

    @Test(arguments: Self.right.indices) func whatMetaTakesFits(_ index: Int) throws {
        #expect(try judged(Self.right[index].0, Self.right[index].1) == .fits)
    }

    static let wrongs: [(String, String, [String])] = [
        ("text", "{}", ["text.body"]), ("text", #"{"body":""}"#, ["text.body"]),
        ("text", #"{"body":7}"#, ["text.body"]),
        ("text", #"{"body":"x\u0000"}"#, ["text.body"]), ("text", #"{"body":null}"#, ["text.body"]),
        ("text", #"{"body":"x","preview_url":"yes","size":1}"#, ["text.preview_url", "text.size"]),
        ("text", #"{"body":"x","body":"y"}"#, ["text.body"]), ("text", "[]", ["text"]),
        ("image", "{}", ["image.id"]), ("image", #"{"id":"1","link":"https://a.example/b"}"#, ["image.link"]),
        ("image", #"{"id":1}"#, ["image.id"]), ("image", #"{"id":""}"#, ["image.id"]),
        ("image", #"{"link":"http://a.example/b"}"#, ["image.link"]),
        ("image", #"{"link":"https://"}"#, ["image.link"]),
        ("image", #"{"link":"https://a b"}"#, ["image.link"]), ("image", #"{"link":"file:///etc"}"#, ["image.link"]),
        ("image", #"{"link":"https://u:p@a.example/"}"#, ["image.link"]),
        ("image", #"{"id":"1","filename":"x"}"#, ["image.filename"]),
        ("audio", #"{"id":"1","caption":"x"}"#, ["audio.caption"]),
        ("audio", #"{"id":"1","voice":1}"#, ["audio.voice"]),
        ("sticker", #"{"id":"1","caption":"x"}"#, ["sticker.caption"]),
        ("document", #"{"id":"1","filename":""}"#, ["document.filename"]),
        ("location", "{}", ["location.latitude", "location.longitude"]),
        (
            "location", #"{"latitude":90.01,"longitude":-180.01,"name":1}"#,
            ["location.latitude", "location.longitude", "location.name"]
        ),
        ("location", #"{"latitude":"x","longitude":"0x1p3"}"#, ["location.latitude", "location.longitude"]),
        ("contacts", "{}", ["contacts"]), ("contacts", "[7]", ["contacts[0]"]),
        (
            "contacts", #"[{"name":{"first_name":"A"}},{"phones":[{"phone":1}],"birthday":"1999-02-30","x":1}]"#,
            [
                "contacts[0].name.formatted_name", "contacts[1].phones[0].phone", "contacts[1].birthday",
                "contacts[1].x", "contacts[1].name",
            ]
        ),
        ("reaction", "{}", ["reaction.message_id", "reaction.emoji"]),
        ("reaction", #"{"message_id":"w","emoji":"ok"}"#, ["reaction.emoji"]),
        ("reaction", #"{"message_id":"w","emoji":"👍👍"}"#, ["reaction.emoji"]),
        ("reaction", #"{"message_id":"w","emoji":"7"}"#, ["reaction.emoji"]),
        ("interactive", "{}", ["interactive.type"]), ("interactive", "[]", ["interactive"]),
        ("interactive", #"{"type":"button"}"#, ["interactive.body", "interactive.action"]),
        (
            "interactive", buttons([("a", "x"), ("a", "x")]),
            ["interactive.action.buttons[1].reply.id", "interactive.action.buttons[1].reply.title"]
        ),
        ("interactive", buttons(header: #"{"type":"audio"}"#), ["interactive.header.type"]),
        ("interactive", buttons(header: #"{"type":"image"}"#), ["interactive.header.image"]),
        (
            "interactive", buttons(header: #"{"type":"text","text":"a","image":{"id":"1"}}"#),
            ["interactive.header.image"]
        ),
        ("interactive", buttons(header: #"{"type":"image","image":{}}"#), ["interactive.header.image.id"]),
        (
            "interactive", #"{"type":"button","body":{"text":"x"},"action":{"buttons":[{"type":"url"}]}}"#,
            ["interactive.action.buttons[0].type", "interactive.action.buttons[0].reply"]
        ),
        (
            "interactive", list(header: #"{"type":"image","image":{"id":"1"}}"#),
            ["interactive.header.image", "interactive.header.type"]
        ),
        ("interactive", list(rows: row("1") + "," + row("1")), ["interactive.action.sections[0].rows[1].id"]),
        ("interactive", callToAction(url: "ftp://a"), ["interactive.action.parameters.url"]),
        ("interactive", flow(#""flow_cta":"Go""#), ["interactive.action.parameters.flow_id"]),
        (
            "interactive", flow(#""flow_id":"1","flow_name":"f","flow_cta":"Go""#),
            ["interactive.action.parameters.flow_name"]
        ),
        (
            "interactive",
            #"{"type":"product","header":{"type":"text","text":"x"},"action":{"catalog_id":"1","product_retailer_id":"2"}}"#,
            ["interactive.header"]
        ),
        (
            "interactive",
            #"{"type":"product_list","body":{"text":"x"},"action":{"catalog_id":"1","sections":[{"product_items":[{"product_retailer_id":"1"}]}]}}"#,
            ["interactive.header"]
        ),
        (
            "interactive",
            #"{"type":"list","body":{"text":"x"},"action":{"button":"b","sections":[{"rows":[\#(row("1"))]},{"title":"t","rows":[\#(row("2"))]}]}}"#,
            ["interactive.action.sections[0].title"]
        ),
    ]

    @Test(arguments: Self.wrongs.indices) func everyWrongFieldIsNamed(_ index: Int) throws {
        let (type, content, fields) = Self.wrongs[index]
        #expect(try wrong(type, content).sorted() == fields.sorted(), "\(content)")
    }

    @Test func whatHasNoRulesIsUnknown() throws {
        #expect(try judged("poll", #"{"question":"?"}"#) == .unknown)
        #expect(try judged("interactive", #"{"type":"address_message","anything":1}"#) == .unknown)
        for word in ["poll", "a1_b"] { #expect(isContentType(word)) }
        for word in ["", "to", "context", "Poll", "a-b", "1a", "a\"", String(repeating: "a", count: 65)] {
            #expect(!isContentType(word))
        }
    }

    @Test func problemsAreNotWithoutEnd() throws {
        let rows = Array(repeating: "7", count: 300).joined(separator: ",")
        #expect(try wrong("contacts", "[\(rows)]").count == 50)
    }

    // MARK: Contents

    static let contact = """
        [{"addresses":[{"street":"1 Way","city":"A","state":"CA","zip":"94025","country":"United States",
        "country_code":"US","type":"Home"}],"birthday":"1999-01-23","emails":[{"email":"a@b.example","type":"Work"}],
        "name":{"formatted_name":"Dr. B. Johnson Esq.","first_name":"B","last_name":"Johnson","middle_name":"J",
        "suffix":"Esq.","prefix":"Dr."},"org":{"company":"C","department":"D","title":"T"},
        "phones":[{"phone":"+16505559999","type":"Home","wa_id":"16505559999"}],
        "urls":[{"url":"https://c.example","type":"Company"}]}]
        """

    static func buttons(
        _ buttons: [(id: String, title: String)] = [("a", "A")], header: String? = nil, body: String = "x",
        footer: String? = nil
    ) -> String {
        let list = buttons.map { #"{"type":"reply","reply":{"id":"\#($0.id)","title":"\#($0.title)"}}"# }
        let header = header.map { #""header":\#($0),"# } ?? ""
        let footer = footer.map { #""footer":{"text":"\#($0)"},"# } ?? ""
        return
            #"{"type":"button",\#(header)\#(footer)"body":{"text":"\#(body)"},"action":{"buttons":[\#(list.joined(separator: ","))]}}"#
    }

    static func row(_ id: String, title: String = "T", description: String = "D") -> String {
        #"{"id":"\#(id)","title":"\#(title)","description":"\#(description)"}"#
    }

    static func list(
        rows: String? = nil, title: String = "S", button: String = "B", body: String = "x", header: String? = nil
    ) -> String {
        let header = header.map { #""header":\#($0),"# } ?? ""
        return
            #"{"type":"list",\#(header)"body":{"text":"\#(body)"},"action":{"button":"\#(button)","sections":[{"title":"\#(title)","rows":[\#(rows ?? row("1"))]}]}}"#
    }

    static func sections(_ count: Int, rows: Int) -> String {
        let sections = (0..<count).map { section in
            #"{"title":"\#(section)","rows":[\#((0..<rows).map { row("\(section)-\($0)") }.joined(separator: ","))]}"#
        }
        return
            #"{"type":"list","body":{"text":"x"},"action":{"button":"b","sections":[\#(sections.joined(separator: ","))]}}"#
    }

    static func callToAction(title: String = "See", url: String = "https://a.example/?b=c") -> String {
        #"{"type":"cta_url","body":{"text":"x"},"action":{"name":"cta_url","parameters":{"display_text":"\#(title)","url":"\#(url)"}}}"#
    }

    static func flow(_ parameters: String) -> String {
        #"{"type":"flow","body":{"text":"x"},"action":{"name":"flow","parameters":{"flow_message_version":"3",\#(parameters)}}}"#
    }

    static func product(body: String = "x") -> String {
        #"{"type":"product","body":{"text":"\#(body)"},"footer":{"text":"f"},"action":{"catalog_id":"1","product_retailer_id":"2"}}"#
    }

    static func products(title: String = "S", sections: Int = 1, count: Int = 1) -> String {
        let items = Array(repeating: #"{"product_retailer_id":"1"}"#, count: count).joined(separator: ",")
        let section = #"{"title":"\#(title)","product_items":[\#(items)]}"#
        let list = Array(repeating: section, count: sections).joined(separator: ",")
        return
            #"{"type":"product_list","header":{"type":"text","text":"h"},"body":{"text":"x"},"action":{"catalog_id":"1","sections":[\#(list)]}}"#
    }

    static func catalog(body: String = "x") -> String {
        #"{"type":"catalog_message","body":{"text":"\#(body)"},"action":{"name":"catalog_message","parameters":{"thumbnail_product_retailer_id":"1"}}}"#
    }
}
