import Foundation
import OutboxCore
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// Two readings of Meta's pages, made apart: what outboxd takes the sandbox takes, too.
@Suite struct KindAgreementTests {
    @Test(arguments: [1, 2, 3]) func whatPassesHerePassesThere(_ seed: UInt64) throws {
        let lab = try SandboxLab()
        var maker = ContentMaker(dice: Dice(seed: seed))
        var taken = 0
        for _ in 0..<1500 {
            let (type, content) = maker.next()
            guard verdict(on: try JSONParser().parse(content.utf8), of: type) == .fits else { continue }
            taken += 1
            let answer = try lab.send("14155550100", content: #""type":"\#(type)","\#(type)":\#(content)"#)
            let details = answer.json?[path: "error", "error_data", "details"]?.string ?? ""
            #expect(answer.status == 200, "seed \(seed): \(type) \(content.prefix(500)): \(details)")
        }
        #expect(taken > 300)
    }
}

/// Makes contents that are right, and contents with something changed.
private struct ContentMaker {
    var dice: Dice

    private mutating func below(_ number: Int) -> Int { Int(dice.next() % UInt64(number)) }
    private mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    private mutating func text(_ max: Int) -> String {
        let length = pick([0, 1, 1, max / 2, max - 1, max, max, max + 1])
        return String(repeating: pick(["a", "é", "語", "😀", " "]), count: length)
    }

    private mutating func string(_ max: Int) -> String { "\"\(text(max))\"" }

    /// Some members of an object; each but those that are needed may be missing.
    private mutating func object(_ members: [(String, String)]) -> String {
        let kept = members.filter { _ in below(12) > 0 }
        let more = below(60) == 0 ? [("extra", "1")] : []
        return "{" + (kept + more).map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    private mutating func list(_ max: Int, _ item: (inout ContentMaker) -> String) -> String {
        let count = pick([1, 1, 1, 2, 3, max, max + 1])
        return "[" + (0..<count).map { _ in item(&self) }.joined(separator: ",") + "]"
    }

    private mutating func medium(_ more: [(String, String)] = []) -> String {
        let place =
            below(2) == 0
            ? ("id", pick([#""12""#, #""""#, "7"]))
            : (
                "link",
                pick([#""https://a.example/b?c=d#e""#, #""https://ü.example""#, #""http://a""#, #""https://a:1/""#])
            )
        return object([place] + more.filter { _ in below(3) > 0 })
    }

    mutating func next() -> (type: String, content: String) {
        switch below(9) {
        case 0: ("text", object([("body", string(4096)), ("preview_url", pick(["true", "false", "1"]))]))
        case 1: (pick(["image", "video"]), medium([("caption", string(1024))]))
        case 2: ("document", medium([("caption", string(1024)), ("filename", string(60))]))
        case 3: ("audio", medium([("voice", "true")]))
        case 4:
            (
                "location",
                object([
                    ("latitude", pick(["90", "-90.0", "1e1", #""12.5""#, "91"])),
                    ("longitude", pick(["180", "-1.5e2", #""-12""#, "181"])), ("name", string(30)),
                ])
            )
        case 5:
            (
                "contacts",
                list(5) { maker in
                    maker.object([
                        ("name", maker.object([("formatted_name", maker.string(20)), ("suffix", maker.string(5))])),
                        ("phones", maker.list(2) { $0.object([("phone", $0.string(15)), ("wa_id", #""1""#)]) }),
                        ("birthday", maker.pick([#""1999-12-31""#, #""2000-02-29""#, #""99-1-1""#])),
                        ("org", maker.object([("company", maker.string(10)), ("title", maker.string(10))])),
                    ])
                }
            )
        case 6:
            (
                "reaction",
                object([
                    ("message_id", #""wamid.A""#),
                    ("emoji", "\"\(pick(["", "👍", "Ⓜ️", "🇨🇭", "❤️", "1️⃣", "ℹ", "©", "a"]))\""),
                ])
            )
        default: ("interactive", interactive())
        }
    }

    private mutating func interactive() -> String {
        let type = pick([
            "button", "list", "cta_url", "flow", "location_request_message", "product", "product_list",
            "catalog_message",
        ])
        let kind = pick(["text", "text", "image", "video", "document"])
        let content = kind == "text" ? string(60) : medium()
        let header = object([("type", "\"\(kind)\""), (kind, content)])
        let parts = [
            ("type", "\"\(type)\""), ("body", object([("text", string(type == "list" ? 4096 : 1024))])),
            ("action", action(type)),
        ]
        let optional = [("header", header), ("footer", object([("text", string(60))]))].filter {
            below(2) == 0 || (type == "product_list" && $0.0 == "header")
        }
        return object(parts + optional)
    }

    private mutating func action(_ type: String) -> String {
        switch type {
        case "button":
            object([
                (
                    "buttons",
                    list(3) { maker in
                        maker.object([
                            ("type", #""reply""#),
                            ("reply", maker.object([("id", "\"\(maker.below(1000))\""), ("title", maker.string(20))])),
                        ])
                    }
                )
            ])
        case "list":
            object([
                ("button", string(20)),
                (
                    "sections",
                    list(3) { maker in
                        maker.object([
                            ("title", maker.string(24)),
                            (
                                "rows",
                                maker.list(4) {
                                    $0.object([
                                        ("id", "\"\($0.below(10_000))\""), ("title", $0.string(24)),
                                        ("description", $0.string(72)),
                                    ])
                                }
                            ),
                        ])
                    }
                ),
            ])
        case "cta_url":
            object([
                ("name", #""cta_url""#),
                (
                    "parameters",
                    object([
                        ("display_text", string(20)),
                        ("url", pick([#""http://a""#, #""HTTPS://a.b/c d""#, #""https://a/?b""#])),
                    ])
                ),
            ])
        case "flow":
            object([
                ("name", #""flow""#),
                (
                    "parameters",
                    object([
                        ("flow_message_version", #""3""#), ("flow_cta", string(30)),
                        (pick(["flow_id", "flow_name"]), string(9)),
                        ("mode", pick([#""draft""#, #""x""#])), ("flow_token", string(9)),
                        (
                            "flow_action_payload",
                            object([("screen", string(9)), ("data", pick(["{}", #"{"a":[1]}"#, "1"]))])
                        ),
                    ])
                ),
            ])
        case "location_request_message": object([("name", #""send_location""#)])
        case "product": object([("catalog_id", string(9)), ("product_retailer_id", string(9))])
        case "product_list":
            object([
                ("catalog_id", string(9)),
                (
                    "sections",
                    list(3) { maker in
                        maker.object([
                            ("title", maker.string(24)),
                            ("product_items", maker.list(30) { $0.object([("product_retailer_id", $0.string(9))]) }),
                        ])
                    }
                ),
            ])
        default:
            object([
                ("name", #""catalog_message""#), ("parameters", object([("thumbnail_product_retailer_id", string(9))])),
            ])
        }
    }
}
