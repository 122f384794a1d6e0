import OutboxAPI
import OutboxCore
import OutboxJSON
import Testing

private let now = Timestamp(milliseconds: 1_800_000_000_000)  // 2027-01-15T08:00:00Z

private func read(_ text: String) throws -> MessageBody.Reading {
    MessageBody.read(try JSONParser().parse(text.utf8), now: now)
}

private func wrongFields(_ text: String) throws -> [String] {
    if case .wrong(let errors) = try read(text) { return errors.map(\.field) }
    return []
}

@Suite struct MessageBodyTests {
    @Test func aFullMessageIsRead() throws {
        let text =
            #"{"line":"main","to":"+1 415 555 2671","message":"h\u00e9","previewUrl":true,"sendAt":"2027-01-15T10:00:00+01:00","expiresAt":"2027-02-01T00:00:00Z","priority":"high","metadata":{"a":[1.50]},"dryRun":true}"#
        guard case .complete(let message) = try read(text) else {
            Issue.record("refused")
            return
        }
        #expect(message.dryRun && message.draft.line == "main" && message.draft.to.text == "14155552671")
        #expect(message.draft.priority == .high && message.draft.sendAt?.rfc3339 == "2027-01-15T09:00:00.000Z")
        #expect(String(decoding: message.draft.content, as: UTF8.self) == #"{"body":"h\u00e9","preview_url":true}"#)
        #expect(message.draft.metadata == Array(#"{"a":[1.50]}"#.utf8))
    }

    @Test(arguments: [
        (#"{"message":"x"}"#, ["to"]), (#"{"to":null,"message":"x"}"#, ["to"]),
        (#"{"to":14155552671,"message":"x"}"#, ["to"]),
        (#"{"to":"14155552671"}"#, ["message"]), (#"{"to":"14155552671","message":""}"#, ["message"]),
        (#"{"to":"14155552671","message":7}"#, ["message"]),
        (#"{"to":"14155552671","message":"a\u0000b"}"#, ["message"]),
        (#"{"to":"14155552671","message":"x","template":{"name":"a","language":"en"}}"#, ["template"]),
        (#"{"to":"14155552671","template":{"name":"a","language":"en"},"previewUrl":true}"#, ["previewUrl"]),
        (
            #"{"to":"14155552671","template":{"name":"A b","language":"english please","x":1}}"#,
            ["template.x", "template.name", "template.language"]
        ),
        (#"{"to":"14155552671","template":{"name":"a","language":"en","components":{}}}"#, ["template.components"]),
        (
            #"{"to":"14155552671","template":{"name":"a","language":"en","components":[{},{"type":"body","parameters":1},3]}}"#,
            ["template.components[0].type", "template.components[1].parameters", "template.components[2]"]
        ),
        (#"{"to":"14155552671","message":"x","sendAt":"2027-01-15T08:00:00Z"}"#, ["sendAt"]),
        (#"{"to":"14155552671","message":"x","sendAt":"2027-01-15T08:00:01"}"#, ["sendAt"]),
        (
            #"{"to":"14155552671","message":"x","sendAt":"2027-03-01T00:00:00Z","expiresAt":"2027-02-01T00:00:00Z"}"#,
            ["expiresAt"]
        ),
        (#"{"to":"14155552671","message":"x","message":"y"}"#, ["message"]),
        (#"{"to":"14155552671","message":"x","metadata":"m"}"#, ["metadata"]), ("[]", ["body"]), ("7", ["body"]),
    ])
    func eachWrongFieldIsNamed(_ text: String, _ fields: [String]) throws {
        #expect(try wrongFields(text) == fields, "\(text)")
    }

    @Test func lengthsAreCountedInCharacters() throws {
        func message(_ count: Int) -> String {
            #"{"to":"14155552671","message":"\#(String(repeating: "é", count: count))"}"#
        }
        #expect(try wrongFields(message(4096)).isEmpty)
        #expect(try wrongFields(message(4097)) == ["message"])
        func metadata(_ count: Int) -> String {
            #"{"to":"14155552671","message":"x","metadata":{"a":"\#(String(repeating: "x", count: count - 8))"}}"#
        }
        #expect(try wrongFields(metadata(4096)).isEmpty)
        #expect(try wrongFields(metadata(4097)) == ["metadata"])
    }
}

@Suite struct OtherBodyTests {
    @Test(arguments: ["", "a/b", "..", "a b", "é", String(repeating: "a", count: 65)])
    func lineNamesAreWords(_ name: String) throws {
        let value = try JSONParser().parse(#"{"phoneNumberId":"1","token":"t"}"#.utf8)
        guard case .wrong(let errors) = LineBody.read(value, name: name) else {
            Issue.record("taken")
            return
        }
        #expect(errors.map(\.field) == ["line"])
    }

    @Test(arguments: [
        (#"{}"#, ["phoneNumberId", "token"]), (#"{"phoneNumberId":"1"}"#, ["token"]),
        (#"{"phoneNumberId":"1","token":"a","tokenSecret":"b"}"#, ["tokenSecret"]),
        (#"{"phoneNumberId":"1","tokenSecret":"../../etc/shadow"}"#, ["tokenSecret"]),
        (#"{"phoneNumberId":"1","tokenSecret":".hidden"}"#, ["tokenSecret"]),
        (#"{"phoneNumberId":"a/b","token":"with space"}"#, ["phoneNumberId", "token"]),
        (#"{"phoneNumberId":"1","token":"t","unknownGraceSeconds":0}"#, ["unknownGraceSeconds"]),
        (#"{"phoneNumberId":"1","token":"t","unknownGraceSeconds":1.5}"#, ["unknownGraceSeconds"]),
        (#"{"phoneNumberId":"1","token":"t","bot":0,"autoReplySeconds":0}"#, ["bot", "autoReplySeconds"]),
        (#"{"phoneNumberId":"1","token":"t","autoReply":"Hello"}"#, ["autoReply"]),
        (
            #"{"phoneNumberId":"1","token":"t","autoReply":{"enabled":1,"text":""}}"#,
            ["autoReply.enabled", "autoReply.text"]
        ),
        (#"{"phoneNumberId":"1","token":"t","autoReply":{"words":"x"}}"#, ["autoReply.words"]),
    ])
    func linesAreChecked(_ text: String, _ fields: [String]) throws {
        guard case .wrong(let errors) = LineBody.read(try JSONParser().parse(text.utf8), name: "main") else {
            Issue.record("taken: \(text)")
            return
        }
        #expect(errors.map(\.field) == fields)
    }

    @Test func whatALineAnswersByItselfIsRead() throws {
        func settings(_ fields: String) throws -> LineSettings? {
            let value = try JSONParser().parse(#"{"phoneNumberId":"1","token":"t"\#(fields)}"#.utf8)
            guard case .complete(let body) = LineBody.read(value, name: "main") else { return nil }
            return body.settings
        }
        let plain = try #require(try settings(""))
        #expect(plain.bot == nil && plain.autoReply == AutoReply())
        #expect(plain.autoReply.isEnabled && plain.autoReply.interval == .seconds(86_400))
        let given = try settings(
            #","bot":7,"autoReply":{"enabled":false,"text":"Gone"},"autoReplySeconds":60"#)
        #expect(given?.bot == 7 && given?.autoReply.text == "Gone" && given?.autoReply.isEnabled == false)
        #expect(given?.autoReply.interval == .seconds(60))
        #expect(try settings(#","bot":null,"autoReply":null"#) == plain)
    }

    @Test func routesAreFoundOrTheirAbsenceExplained() throws {
        #expect(try Route.of(method: "POST", path: ["v1", "messages"]) == .submit)
        #expect(try Route.of(method: "HEAD", path: ["v1", "messages", "x"]) == .message("x"))
        #expect(try Route.of(method: "POST", path: ["v1", "messages", "bulk"]) == .submitBulk)
        #expect(try Route.of(method: "POST", path: ["v1", "messages", "x", "retry"]) == .retry("x"))
        #expect(throws: APIError.self) { try Route.of(method: "POST", path: ["v1", "messages", ""]) }
        do {
            _ = try Route.of(method: "PATCH", path: ["v1", "lines", "x"])
            Issue.record("taken")
        } catch {
            #expect(error.status == 405 && error.message.contains("GET, PUT, DELETE"))
        }
    }

    @Test func listsOfPeopleTakeTheirFiltersAndNothingElse() throws {
        let query = try PageQuery.read([("line", "main"), ("limit", "200"), ("cursor", "x")], filters: ["line"])
        #expect(query.filters == ["line": "main"] && query.limit == 200 && query.cursor == "x")
        for wrong in [("limit", "0"), ("limit", "201"), ("page", "2"), ("Line", "main")] {
            #expect(throws: APIError.self) { try PageQuery.read([wrong], filters: ["line"]) }
        }
        #expect(try Route.of(method: "GET", path: ["v1", "conversations", "x", "messages"]).takesParameters)
        #expect(try Route.of(method: "POST", path: ["v1", "messages", "x", "read"]).role == .send)
        #expect(try Route.of(method: "POST", path: ["v1", "lines", "x", "catch-up"]).role == .admin)
    }

    @Test func catchingUpReachesThirtyDays() throws {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        func since(_ text: String) throws -> Timestamp {
            try CatchUpBody.read(try JSONParser().parse(text.utf8), now: now).since
        }
        #expect(try since("{}") == now - .seconds(7 * 86_400))
        let days = (now - .seconds(30 * 86_400)).rfc3339
        #expect(try since(#"{"since":"\#(days)"}"#).rfc3339 == days)
        for wrong in [(now - .seconds(30 * 86_400 + 1)).rfc3339, now.rfc3339, "2h"] {
            #expect(throws: APIError.self) { try since(#"{"since":"\#(wrong)"}"#) }
        }
    }

    @Test func pagesReachTenThousandMessages() throws {
        #expect(try ListQuery.read([("limit", "200"), ("page", "51")]).page == 51)
        #expect(throws: APIError.self) { try ListQuery.read([("limit", "200"), ("page", "52")]) }
        #expect(throws: APIError.self) { try ListQuery.read([("page", "9223372036854775807")]) }
        #expect(throws: APIError.self) { try ListQuery.read([("limit", "-1")]) }
    }

    @Test func anAnswerDoesNotGrowWithTheNamesItRefuses() throws {
        let accents = String(repeating: "\u{0301}", count: 50_000)
        for text in [
            "{" + Array(repeating: #""to":"0""#, count: 5000).joined(separator: ",") + "}",
            "{" + (0..<5000).map { "\"k\($0)\":0" }.joined(separator: ",") + "}", "{\"a\(accents)\":0}",
        ] {
            let value = try JSONParser().parse(text.utf8)
            guard case .wrong(let errors) = MessageBody.read(value, now: Timestamp(milliseconds: 0)) else {
                Issue.record("not refused")
                continue
            }
            #expect(APIError.validation(errors).body.count < 8192)
        }
    }

    @Test(arguments: [1, 2, 5, 100]) func linesAreTheSameHoweverTheyAreCut(_ step: Int) throws {
        func lines(_ text: String, bytesMax: Int = 10) throws -> [String] {
            var splitter = LineSplitter(bytesMax: bytesMax)
            var lines: [String] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: step) {
                try splitter.take(Array(bytes[start..<min(start + step, bytes.count)])) {
                    lines.append(String(decoding: $0, as: UTF8.self))
                }
            }
            return lines + [String(decoding: splitter.end(), as: UTF8.self)]
        }
        #expect(try lines("ab\n\r\ncd") == ["ab", "\r", "cd"])
        #expect(try lines("1234567890\n") == ["1234567890", ""])
        #expect(throws: LineSplitter.TooLong.self) { try lines("a\n12345678901\nb\n") }
        #expect(throws: LineSplitter.TooLong.self) { try lines("12345678901") }
    }
}
