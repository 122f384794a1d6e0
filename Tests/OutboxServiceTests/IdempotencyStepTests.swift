import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

private func key(_ text: String = "k", _ form: IdempotencyKey.Form = .single, body: String = "b") -> IdempotencyKey {
    IdempotencyKey(caller: 1000, text: text, form: form, digest: IdempotencyKey.digest(Array(body.utf8)))
}

private struct Unexpected: Error {}

extension Desk {
    fileprivate func reply(_ input: WriterInput) throws -> WriterReply {
        try #require(turn(input).replies.first?.1)
    }

    /// Items of a stream; a line that is no number is wrong in itself.
    fileprivate func items(
        _ lines: [String], from start: Int = 0, _ form: IdempotencyKey.Form = .stream
    ) throws -> [KeyedSlice.Item] {
        try lines.enumerated().map { offset, line in
            KeyedSlice.Item(
                index: start + offset,
                digest: form == .stream ? IdempotencyKey.digest(Array(line.utf8)) : IdempotencyKey.noDigest,
                draft: try Recipient(line) == nil ? nil : draft(line))
        }
    }

    fileprivate func slice(
        _ lines: [String], _ key: IdempotencyKey, from start: Int = 0, batch: MessageID? = nil, atomic: Bool = false
    ) throws -> WriterInput {
        .keyedSlice(
            exchange,
            KeyedSlice(key: key, batch: batch, items: try items(lines, from: start, key.form), atomic: atomic))
    }

    fileprivate func stored(_ input: WriterInput) throws -> (batch: MessageID, results: [KeyedSlice.Result]) {
        guard case .keyedStored(let batch, let results, _) = try reply(input) else { throw Unexpected() }
        return (batch, results)
    }

    fileprivate func answer(_ key: IdempotencyKey, _ batch: MessageID, _ text: String) throws -> (String, Bool) {
        let input = WriterInput.endBulk(exchange, key, batch: batch, answer: Array(text.utf8))
        guard case .bulkAnswer(let bytes, let replayed) = try reply(input) else { throw Unexpected() }
        return (String(decoding: bytes, as: UTF8.self), replayed)
    }

    fileprivate func messages() throws -> Int64 {
        try QueueReader(path: folder.file("outboxd.db")).counts(account: Account.defaultID).reduce(0) { $0 + $1.count }
    }
}

private let people = (0..<6).map { "1415555000\($0)" }

@Suite struct IdempotencyDigestTests {
    private func digest(_ text: String) -> [UInt8] { IdempotencyKey.digest(ofJSON: Array(text.utf8)) }

    @Test func whiteSpaceBetweenTokensDoesNotCount() {
        let plain = digest(#"{"a":"b c","d":["\"\\",1]}"#)
        #expect(plain == digest("{ \"a\" : \"b c\",\r\n\t\"d\": [\"\\\"\\\\\", 1] }\n"))
        for other in [#"{"a":"bc","d":["\"\\",1]}"#, #"{"a":"b  c","d":["\"\\",1]}"#, #"{"a":"b c","d":["\"\\ ",1]}"#] {
            #expect(plain != digest(other))
        }
    }
}

@Suite struct IdempotencyStepTests {
    @Test func twoSubmitsOfOneTurnAreOneMessage() throws {
        let desk = try Desk()
        let draft = try desk.draft(people[0])
        let outputs = desk.turn(
            .submit(desk.exchange, draft, key()), .submit(desk.exchange, draft, key()),
            .submit(desk.exchange, draft, key(body: "other")))
        guard outputs.replies.count == 3, case .submitted(.done(let first)) = outputs.replies[0].1,
            case .replayed(let second) = outputs.replies[1].1,
            case .submitted(.refused(.keyUsed(since: desk.now))) = outputs.replies[2].1
        else { throw Unexpected() }
        #expect(first == second)
        #expect(try desk.messages() == 1)
        try desk.restart()
        desk.now = desk.now + .seconds(60)
        guard case .replayed(first) = try desk.reply(.submit(desk.exchange, draft, key())) else { throw Unexpected() }
        #expect(try desk.messages() == 1)
    }

    @Test func aRefusalLeavesTheKeyFree() throws {
        let desk = try Desk()
        let lost = try desk.draft(people[0], line: "none")
        guard case .submitted(.refused(.noSuchLine)) = try desk.reply(.submit(desk.exchange, lost, key())),
            case .submitted(.done) = try desk.reply(.submit(desk.exchange, desk.draft(people[0]), key(body: "right")))
        else { throw Unexpected() }
    }

    @Test func whatHasBecomeWrongSinceIsStillAnswered() throws {
        let desk = try Desk()
        let past = APIError.validation([FieldError("sendAt", "must lie in the future")])
        guard case .refused(past) = try desk.reply(.recall(desk.exchange, key(), otherwise: past)),
            case .submitted(.done(let submitted)) = try desk.reply(
                .submit(desk.exchange, desk.draft(people[0]), key())),
            case .replayed(submitted) = try desk.reply(.recall(desk.exchange, key(), otherwise: past)),
            case .submitted(.refused(.keyUsed)) = try desk.reply(
                .recall(desk.exchange, key(body: "other"), otherwise: past))
        else { throw Unexpected() }
        #expect(try desk.messages() == 1)
    }

    @Test func anArrayCutBetweenItsSlicesGoesOn() throws {
        let desk = try Desk()
        let array = key("k", .array)
        let first = try desk.stored(desk.slice(Array(people[..<2]) + ["no"], array))
        #expect(first.results == [.queued, .queued, .wrong])
        try desk.restart()
        let again = try desk.stored(desk.slice(Array(people[..<2]) + ["no"], array))
        #expect(again.batch == first.batch && again.results == first.results)
        #expect(try desk.messages() == 2)
        let rest = try desk.stored(desk.slice(Array(people[2...]), array, from: 3, batch: again.batch))
        #expect(rest.batch == first.batch && rest.results == [.queued, .queued, .queued, .queued])
        #expect(try desk.messages() == 6)
        #expect(try desk.answer(array, first.batch, "{1}") == ("{1}", false))
        try desk.restart()
        #expect(try desk.answer(array, first.batch, "{2}") == ("{1}", true))
        guard case .bulkAnswer(let bytes, replayed: true) = try desk.reply(desk.slice(people, array)) else {
            throw Unexpected()
        }
        #expect(bytes == Array("{1}".utf8))
        guard
            case .keyedRefused(.keyUsed) = try desk.reply(desk.slice(people, key("k", .array, body: "other"))),
            case .keyedRefused(.keyUsed) = try desk.reply(desk.slice(people, key("k", .stream))),
            case .submitted(.refused(.keyUsed)) = try desk.reply(
                .submit(desk.exchange, desk.draft(people[0]), key("k")))
        else { throw Unexpected() }
        #expect(try desk.messages() == 6)
    }

    @Test func twoCallsAtOnceStoreNoItemTwice() throws {
        let desk = try Desk()
        let array = key("k", .array)
        // Both begin in one turn, and take turns from then on.
        let begun = desk.turn(try desk.slice(Array(people[..<2]), array), try desk.slice(Array(people[..<3]), array))
        let batches = begun.replies.compactMap { reply -> MessageID? in
            if case .keyedStored(let batch, _, _) = reply.1 { batch } else { nil }
        }
        #expect(batches.count == 2 && batches[0] == batches[1])
        let batch = batches[0]
        _ = desk.turn(
            try desk.slice(Array(people[2...]), array, from: 2, batch: batch),
            try desk.slice(Array(people[3...]), array, from: 3, batch: batch))
        #expect(try desk.messages() == 6)
        #expect(try desk.answer(array, batch, "{1}") == ("{1}", false))
        #expect(try desk.answer(array, batch, "{2}") == ("{1}", true))
    }

    @Test func anAtomicArrayIsKeptWholeOrLeavesTheKeyFree() throws {
        let desk = try Desk()
        guard
            case .sliceRefused(let refusals) = try desk.reply(
                desk.slice([people[0], "no"], key("k", .array), atomic: true))
        else { throw Unexpected() }
        #expect(refusals == [nil, nil])
        #expect(try desk.messages() == 0)
        let right = key("k", .array, body: "right")
        let stored = try desk.stored(desk.slice(people, right, atomic: true))
        try desk.restart()
        // Since then one of them has become wrong: its time has passed.
        let again = try desk.stored(desk.slice(Array(people[..<5]) + ["past"], right, atomic: true))
        #expect(again.batch == stored.batch && again.results == Array(repeating: .queued, count: 6))
        #expect(try desk.messages() == 6)
    }

    @Test func aStreamIsKeptLineByLine() throws {
        let desk = try Desk()
        var stream = key("k", .stream)
        stream.digest = IdempotencyKey.noDigest
        let first = try desk.stored(desk.slice([people[0], "no", people[1]], stream))
        #expect(first.results == [.queued, .wrong, .queued])
        try desk.restart()
        // The last line changed, the wrong one was mended.
        let since = desk.now
        desk.now = desk.now + .seconds(60)
        let again = try desk.stored(desk.slice([people[0], people[2], people[3], people[4]], stream))
        #expect(again.batch == first.batch)
        #expect(again.results == [.queued, .queued, .refused(.keyUsed(since: since)), .queued])
        #expect(try desk.messages() == 4)
        var ended = stream
        ended.digest = IdempotencyKey.digest([1])
        #expect(try desk.answer(ended, first.batch, "{1}") == ("{1}", false))
        #expect(try desk.answer(ended, first.batch, "{2}") == ("{1}", true))
        // Fewer lines, nothing new: an answer of their own, and the first one stays.
        _ = try desk.stored(desk.slice([people[0]], stream))
        var fewer = stream
        fewer.digest = IdempotencyKey.digest([2])
        #expect(try desk.answer(fewer, first.batch, "{3}") == ("{3}", false))
        #expect(try desk.answer(ended, first.batch, "{4}") == ("{1}", true))
        // One line more: the stream goes on, and has a new answer.
        #expect(try desk.stored(desk.slice([people[5]], stream, from: 4)).results == [.queued])
        var more = stream
        more.digest = IdempotencyKey.digest([3])
        #expect(try desk.answer(more, first.batch, "{5}") == ("{5}", false))
        #expect(try desk.answer(more, first.batch, "{6}") == ("{5}", true))
        #expect(try desk.messages() == 5)
    }

    @Test func whatAnAnsweredStreamRefusedStaysRefused() throws {
        let desk = try Desk()
        var stream = key("k", .stream)
        stream.digest = IdempotencyKey.noDigest
        func slice(_ line: String) throws -> WriterInput {
            var items = try desk.items([people[0], people[1]])
            items[1].draft?.line = line
            return .keyedSlice(desk.exchange, KeyedSlice(key: stream, batch: nil, items: items, atomic: false))
        }
        let first = try desk.stored(slice("late"))
        #expect(first.results == [.queued, .refused(.noSuchLine("late"))])
        #expect(try desk.stored(slice("late")).results == first.results)
        _ = try desk.answer(stream, first.batch, "{}")
        // The same bytes would be taken now, but it was said that they were not.
        #expect(try desk.stored(slice("main")).results == [.queued, .refused(.refusedBefore(desk.now))])
        #expect(try desk.messages() == 1)
    }

    @Test func aBulkLongerThanItsKeyIsKeptGoesOn() throws {
        let desk = try Desk()
        var stream = key("k", .stream)
        stream.digest = IdempotencyKey.noDigest
        let first = try desk.stored(desk.slice([people[0]], stream))
        desk.now = desk.now + .seconds(2 * 86_400)
        let second = try desk.stored(desk.slice([people[1]], stream, from: 1, batch: first.batch))
        #expect(second.batch == first.batch && second.results == [.queued])
        // Had another call taken the key, this one could not go on.
        guard
            case .keyedRefused(.keyUsed(since: desk.now)) = try desk.reply(
                desk.slice([people[2]], stream, from: 2, batch: MessageID(rawValue: 7)))
        else { throw Unexpected() }
        #expect(try desk.messages() == 2)
    }
}

@Suite struct IdempotencyHeaderTests {
    @Test(arguments: ["", "a b", "tab\t", "umläut", String(repeating: "k", count: 256)])
    func wrongKeysAreRefusedByName(_ text: String) throws {
        do {
            _ = try IdempotencyKey.read([text])
            Issue.record("taken: \(text)")
        } catch {
            #expect(error.status == 400 && error.details.first?.field == "Idempotency-Key")
        }
    }

    @Test func visibleCharactersAreAKey() throws {
        for text in ["!", "~", String(repeating: "k", count: 255), "01a1fde1-218e-7000-82f6-e07a0b91ee61"] {
            #expect(try IdempotencyKey.read([text]) == text)
        }
        #expect(throws: APIError.self) { try IdempotencyKey.read(["a", "a"]) }
    }
}
