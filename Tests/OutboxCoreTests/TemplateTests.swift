import OutboxCore
import Testing

@Suite struct TemplateTests {
    @Test(arguments: [
        ("Hi {{1}}, order {{2}}.", ["1", "2"]), ("{{2}} {{1}} {{2}}", ["2", "1"]), ("{{first_name}}!", ["first_name"]),
        ("{{{1}}}", ["1"]), ("{{ 1 }} {{}} {{a-b}} { {1} } {1}", []), ("{{1} }{{2", []), ("{{é}} {{1}}", ["1"]),
        ("{{1}}{{1}}{{10}}", ["1", "10"]), ("", []), ("{", []), ("{{", []), ("{{{{{{", []), ("{{1}", []),
        ("{{{{a}}", ["a"]),
    ])
    func variablesAreFound(_ text: String, _ names: [String]) {
        #expect(variableNames(in: text) == names)
    }

    @Test func variablesCountOnce() {
        let text = "{{b}} {{a}} {{b}}"
        #expect(TemplateVariables(in: text, .named) == .named(["b", "a"]))
        #expect(TemplateVariables(in: text, .positional) == .positional(2))
        #expect(TemplateVariables(in: text, .named).count == 2 && TemplateVariables(in: "", .positional).count == 0)
    }

    @Test func manyBracesTakeNoTime() {
        #expect(variableNames(in: String(repeating: "{{", count: 200_000) + "a").isEmpty)
        #expect(variableNames(in: String(repeating: "{{a", count: 200_000)).isEmpty)
    }

    @Test func everyWordOfMetasComesBack() {
        for word in [
            "APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "LIMIT_EXCEEDED", "ARCHIVED",
            "PENDING_DELETION", "DELETED",
        ] {
            let status = Template.Status(name: word)
            #expect(status.name == word)
            if case .unknown = status { Issue.record("\(word) is not known") }
        }
        #expect(
            Template.Status(name: "LOCKED") == .unknown("LOCKED") && Template.Status(name: "LOCKED").name == "LOCKED")
        for word in ["MARKETING", "UTILITY", "AUTHENTICATION", "NEW", ""] {
            #expect(Template.Category(name: word).name == word)
        }
        #expect(Template.Category(name: "UTILITY") == .utility && Template.Category(name: "NEW") == .other("NEW"))
    }
}
