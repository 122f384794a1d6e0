import OutboxJSON
import Testing

@Suite struct JSONTests {
    @Test func valuesKeepTheirBytes() throws {
        let text = #" {"a": [1.10, "x\u00e9\ud83d\ude00" , true,null], "b" :{"c":-7}, "a":2 } "#
        let value = try JSONParser().parse(text.utf8)
        #expect(value.kind == .object)
        #expect(value.members.map(\.name) == ["a", "b", "a"])
        let a = try #require(value["a"])
        #expect(String(decoding: a.raw, as: UTF8.self) == #"[1.10, "x\u00e9\ud83d\ude00" , true,null]"#)
        let items = Array(a.elements)
        #expect(items.map(\.kind) == [.number, .string, .bool, .null])
        #expect(items[0].number == 1.1)
        #expect(items[1].string == "xé😀")
        #expect(items[2].bool == true)
        #expect(value["b"]?["c"]?.integer == -7)
        #expect(value["b"]?["d"] == nil)
    }

    @Test(arguments: [
        "", " ", "{", "}", "{]", "[1,]", "[1 2]", #"{"a"}"#, #"{"a":}"#, #"{a:1}"#, "01", "1.", "+1", "nul", "truex",
        "\"",
        "\"\\x\"", "\"\\ud800\"", "\"a\nb\"", "[1]x", "\u{FEFF}1x", "1e999", "[\"\\u12\"]", "'a'", "// c\n1", "NaN",
        "123456789012345678901234567890",
    ])
    func brokenTextIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSONParser().parse(text.utf8) }
    }

    @Test func brokenUTF8IsRefused() {
        #expect(throws: JSONError.self) { try JSONParser().parse([0x22, 0xC3, 0x22]) }
        #expect(throws: JSONError.self) { try JSONParser().parse([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func halfACharacterIsNoString() throws {
        // simdjson lets a lone second half through; it must not reach Meta as broken text.
        let value = try? JSONParser().parse(#""\udc00""#.utf8)
        #expect(value?.string == nil)
    }

    @Test func depthIsBounded() throws {
        let parser = JSONParser()
        func nested(_ depth: Int) -> [UInt8] {
            Array(repeating: UInt8(ascii: "["), count: depth) + Array(repeating: UInt8(ascii: "]"), count: depth)
        }
        _ = try parser.parse(nested(JSONParser.depthMax - 1))
        #expect(throws: JSONError.self) { try parser.parse(nested(JSONParser.depthMax + 1)) }
        #expect(throws: JSONError.self) { try parser.parse(nested(100_000)) }
    }

    @Test(arguments: [
        ("{ \"a\" :\n[ 1 ,\t2 ] }\r\n", #"{"a":[1,2]}"#), (#"{"a b":"c  d\n"}"#, #"{"a b":"c  d\n"}"#),
        (#"["\\" , "\" ," , "\\\" " ]"#, #"["\\","\" ,","\\\" "]"#), (#" "x y" "#, #""x y""#), (" 7 ", "7"),
    ])
    func compactLeavesOutWhatSaysNothing(_ text: String, _ compact: String) throws {
        #expect(String(decoding: try JSONParser().parse(text.utf8).compact, as: UTF8.self) == compact)
    }

    @Test func namesAreFoundByTheirBytes() throws {
        let long = "aNameLongerThanTheUsualOnes"
        let names = JSONNames(["to", "template", long, "priority", "é"])
        let keys = ["to", "te", "templatf", "template", long, long.dropLast() + "S", "t\\u006f", "é", "", "priority"]
        let text = "{" + keys.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        let value = try JSONParser().parse(text.utf8)
        let places = value.entries.map { names.place(of: $0.key) }
        #expect(places == [0, nil, nil, 1, 2, nil, 0, 4, nil, 3])
        #expect(value.entries.allSatisfy { entry in entry.key.string.map { value[$0] != nil } ?? false })
    }

    @Test func writerSeparatesAndQuotes() throws {
        var json = JSONWriter()
        json.object {
            $0.field("a", "q\"\\\n\u{1}é")
            $0.field("n", Int64(-3))
            $0.field("none", nil as String?)
            $0.array("list") {
                $0.value("x")
                $0.object { $0.field("t", true) }
                $0.value(raw: "[1]".utf8)
            }
            $0.object("empty") { _ in }
            $0.field("raw", raw: "{}".utf8)
        }
        let text = String(decoding: json.bytes, as: UTF8.self)
        #expect(
            text == #"{"a":"q\"\\\n\u0001é","n":-3,"none":null,"list":["x",{"t":true},[1]],"empty":{},"raw":{}}"#)
        #expect(try JSONParser().parse(json.bytes)["a"]?.string == "q\"\\\n\u{1}é")
    }
}
