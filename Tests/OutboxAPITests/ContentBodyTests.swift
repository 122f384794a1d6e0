import OutboxAPI
import OutboxCore
import OutboxJSON
import Testing

private let now = Timestamp(milliseconds: 1_800_000_000_000)

/// What a body may hold besides a text and a template.
@Suite struct ContentBodyTests {
    private func read(_ members: String, path: String = "") throws -> MessageBody.Reading {
        MessageBody.read(
            try JSONParser().parse(#"{"to":"14155552671",\#(members)}"#.utf8), path: path, now: now)
    }

    private func draft(_ members: String) throws -> Draft {
        switch try read(members) {
        case .complete(let message): return message.draft
        case .wrong(let errors):
            Issue.record("\(members): \(errors)")
            throw APIError.validation(errors)
        }
    }

    private func wrong(_ members: String, path: String = "") throws -> [String] {
        if case .wrong(let errors) = try read(members, path: path) { return errors.map(\.field) }
        return []
    }

    @Test(arguments: [
        (#""image":{"link":"https://a.example/b.png"}"#, "image", #"{"link":"https://a.example/b.png"}"#),
        (#""type":"image","image":{ "id" : "1" }"#, "image", #"{ "id" : "1" }"#),
        (#""text":{"body":"h\u00e9"}"#, "text", #"{"body":"h\u00e9"}"#),
        (#""type":"text","message":"x","previewUrl":true"#, "text", #"{"body":"x","preview_url":true}"#),
        (#""voice":{"id":"1"}"#, "audio", #"{"voice":true,"id":"1"}"#),
        (#""voice":{"id":"1","voice":false}"#, "audio", #"{"voice":true,"id":"1"}"#),
        (#""contacts":[{"name":{"formatted_name":"A"}}]"#, "contacts", #"[{"name":{"formatted_name":"A"}}]"#),
        (
            #""type":"template","template":{"name":"a","language":"en"}"#, "template",
            #"{"name":"a","language":{"code":"en"}}"#
        ),
    ]) func aContentIsKeptAsItIsGiven(_ members: String, _ type: String, _ content: String) throws {
        let draft = try draft(members)
        #expect(draft.type == type && draft.isChecked)
        #expect(String(decoding: draft.keptContent, as: UTF8.self) == content)
    }

    @Test func whatIsNotKnownGoesUnchecked() throws {
        let poll = try draft(#""type":"poll","poll":{"question":"?","options":["a","b"]}"#)
        #expect(poll.type == "poll" && !poll.isChecked)
        #expect(String(decoding: poll.content, as: UTF8.self) == #"{"question":"?","options":["a","b"]}"#)
        #expect(try !draft(#""interactive":{"type":"address_message"}"#).isChecked)
        let forced = try draft(#""image":{"id":"1","crop":true},"check":false"#)
        #expect(!forced.isChecked && forced.type == "image")
        #expect(try draft(#""image":{"id":"1"},"check":true"#).isChecked)
    }

    @Test(arguments: [
        (#""priority":"high""#, ["message"]), (#""type":"image""#, ["image"]), (#""type":"poll""#, ["poll"]),
        (#""type":"text""#, ["message"]), (#""type":"Poll","Poll":{}"#, ["Poll", "type"]),
        (#""type":"metadata","metadata":{"a":1}"#, ["type"]), (#""type":7,"message":"x""#, ["type"]),
        (#""type":"poll","poll":{}"#, ["poll"]), (#""type":"poll","poll":"x""#, ["poll"]),
        (#""type":"video","image":{"id":"1"}"#, ["type"]), (#""poll":{"a":1}"#, ["poll", "message"]),
        (#""image":{"id":"1"},"video":{"id":"1"},"message":"x""#, ["image", "video"]),
        (#""template":{"name":"a","language":"en"},"message":"x""#, ["template"]),
        (#""image":{"id":"1"},"previewUrl":true"#, ["previewUrl"]),
        (#""image":{},"replyTo":"x","fallback":{}"#, ["replyTo", "image.id", "fallback.template"]),
        (#""reaction":{"message_id":"wamid.1","emoji":"👍"},"replyTo":"wamid.2""#, ["replyTo"]),
        (#""reaction":{"message_id":"nobody","emoji":"👍"}"#, ["reaction.message_id"]),
        (#""message":"x","replyTo":"wamid.\u0022""#, ["replyTo"]), (#""image":{"id":"1"},"check":"no""#, ["check"]),
        (#""voice":{"id":"1","caption":"x"}"#, ["voice.caption"]),
    ]) func everyWrongFieldIsNamed(_ members: String, _ fields: [String]) throws {
        #expect(try wrong(members).sorted() == fields.sorted(), "\(members)")
    }

    @Test func inABulkTheItemStandsBeforeTheField() throws {
        #expect(
            try wrong(#""interactive":{"type":"button","action":{"buttons":[]}}"#, path: "messages[3].").sorted()
                == ["messages[3].interactive.action.buttons", "messages[3].interactive.body"])
        #expect(
            try wrong(#""reaction":{"message_id":"x","emoji":""}"#, path: "messages[0].")
                == ["messages[0].reaction.message_id"])
    }

    @Test func anAnswerNamesItsMessageBehindTheContent() throws {
        let answer = try draft(#""image":{"id":"1"},"replyTo":"wamid.HBg=""#)
        #expect(
            String(decoding: answer.keptContent, as: UTF8.self)
                == #"{"id":"1"},"context":{"message_id":"wamid.HBg="}"#)
        let id = "01a1fde1-218e-7000-82f6-e07a0b91ee61"
        #expect(try draft(#""message":"x","replyTo":"\#(id)""#).mention == Mention(.answer, .ours(id)))
    }

    @Test func aReactionNamesItsMessageInTheContent() throws {
        let reaction = try draft(#""reaction":{"message_id":"wamid.A","emoji":"👍"}"#)
        #expect(
            String(decoding: reaction.keptContent, as: UTF8.self) == #"{"message_id":"wamid.A","emoji":"👍"}"#)
        let id = "01a1fde1-218e-7000-82f6-e07a0b91ee61"
        let ours = try draft(#""reaction":{"emoji":"","message_id":"\#(id)"}"#)
        #expect(ours.mention == Mention(.reaction, .ours(id)))
        #expect(ours.type == "reaction" && ours.isChecked)
    }
}
