import OutboxAPI
import OutboxJSON
import Testing

/// Aircall's calls: where they are, and what they bring.
@Suite struct AircallBodyTests {
    private func read(_ text: String) throws -> AircallMessage {
        try AircallMessage.read(try JSONParser().parse(Array(text.utf8)))
    }

    private func problems(_ text: String) throws -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let error as APIError {
            return error.details.map { "\($0.field): \($0.message)" }
        }
    }

    @Test func itsPathsStandBesideOurOwn() throws {
        func route(_ path: String) throws -> Route {
            try Route.of(method: "POST", path: path.split(separator: "/").map(String.init))
        }
        #expect(try route("v1/messages/whatsapp/send") == .hosted(.aircall(.send)))
        #expect(try route("v1/messages/send/whatsapp/native") == .hosted(.aircall(.sendNative)))
        // An id may be any word, and another deed remains ours.
        #expect(try route("v1/messages/whatsapp/retry") == .retry("whatsapp"))
        #expect(try route("v1/messages/send/cancel") == .cancel("send"))
        #expect(throws: APIError.self) { try route("v1/messages/0193/send") }
    }

    @Test func aLineIsNumberOrNameAndAPersonHasTwoNames() throws {
        let text = try read(#"{"lineId":123,"to":"+1","text":"Hi"}"#)
        #expect(text == AircallMessage(line: "123", to: "+1", content: .text("Hi")))
        let template = try read(
            #"{"lineId":"main","externalNumber":"1","templateParams":{"id":7,"body":[{"key":"{{ 1 }}","value":"A"}],"buttons":[{"key":"code","value":"9","index":2}]}}"#
        )
        let wanted = AircallTemplate(
            id: "7", body: [.init(key: "1", value: "A")], buttons: [.init(key: "code", value: "9", index: 2)])
        #expect(template == AircallMessage(line: "main", to: "1", content: .template(wanted)))
    }

    @Test func everyWrongFieldIsNamed() throws {
        #expect(try problems("{}").map { $0.prefix { $0 != ":" } } == ["lineId", "to", "text"])
        #expect(
            try problems(
                #"{"lineId":true,"to":1,"externalNumber":"1","templateParams":{"body":[7,{"key":"a"}],"header":"x","to":1}}"#
            )
            .map { String($0.prefix { $0 != ":" }) } == [
                "lineId", "externalNumber", "templateParams.to", "templateParams.id", "templateParams.header",
                "templateParams.body[0]", "templateParams.body[1].value",
            ])
        #expect(try problems(#"{"lineId":1,"to":"1","text":"a","templateParams":{"id":"1"}}"#).count == 1)
        #expect(try problems("[]") == ["body: must be an object"] + problems("{}"))
    }
}
