import Foundation
import OutboxCore
import OutboxStore
import TestKit
import Testing

/// Everything about one person goes, from free pages and the log too; nobody else's does.
@Suite struct ErasureTests {
    private static let number = "14155550177"
    private static let word = "unmistakable"

    private func draft(_ bench: Bench, _ to: String, sendAt: Timestamp? = nil) throws -> Draft {
        var draft = try bench.draft(to, sendAt: sendAt)
        let word = to == Self.number ? Self.word : "another"
        draft.content = Array(#"{"body":"\#(word) \#(String(repeating: "x", count: 9000))"}"#.utf8)
        draft.metadata = Array(#"{"name":"\#(word)"}"#.utf8)
        return draft
    }

    private func submit(_ bench: Bench, _ to: String, sendAt: Timestamp? = nil) throws -> MessageID {
        guard case .done(let submitted) = try bench.submitted(try draft(bench, to, sendAt: sendAt)) else {
            throw Unexpected()
        }
        return submitted.id
    }

    private func send(_ bench: Bench, _ to: String, wamid: String) throws -> MessageID {
        let id = try submit(bench, to)
        let attempt = try #require(try bench.claim(1).first)
        try bench.record(.accepted(wamid: wamid), attempt)
        try bench.report(.read, attempt, wamid: wamid, person: to)
        return id
    }

    private func receive(_ bench: Bench, from: String, wamid: String, name: String) throws {
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        var payload = InboundMessage.Payload(body: Array(#"{"type":"text","text":{"body":"\#(name) wrote"}}"#.utf8))
        payload.name = name
        payload.username = "\(name).user"
        let message = InboundMessage(
            phoneNumberID: "106", from: from, userID: "US.\(from)", at: bench.now, wamid: wamid, kind: "text",
            payload: payload)
        _ = try bench.run { try $0.keep(message, line: line, now: bench.now) }
        try bench.inbound(from)
    }

    private func erase(_ bench: Bench, _ address: String, needed: Int64? = nil) throws -> ErasureReport {
        var erasure = Erasure(of: address, account: 1)
        var steps = 0
        while !erasure.waitsForLog, steps < 500 {
            try bench.run { try $0.erase(&erasure, now: bench.now, needed: needed) }
            steps += 1
        }
        #expect(try bench.queue.emptyLog(for: &erasure))
        #expect(erasure.isDone)
        return erasure.report
    }

    @Test func whenALineAnsweredByItselfGoesToo() throws {
        let bench = try Bench()
        try receive(bench, from: Self.number, wamid: "w.1", name: Self.word)
        let line = try #require(bench.queue.line(named: "main", account: 1))
        try bench.run { try $0.autoReplied(to: Self.number, line) }
        #expect(try bench.run { try $0.mayAutoReply(to: Self.number, line) } == false)
        #expect(try bench.run { try $0.mayAutoReply(to: "447700900123", line) })
        try bench.reopen()
        #expect(try bench.run { try $0.mayAutoReply(to: Self.number, line) } == false)
        _ = try erase(bench, Self.number)
        #expect(try bench.run { try $0.mayAutoReply(to: Self.number, line) })
    }

    /// The bytes of the file and of its log.
    private func holds(_ bench: Bench, _ word: String) -> Bool {
        ["", "-wal"].contains { suffix in
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: bench.path + suffix))) ?? Data()
            if suffix.isEmpty { #expect(!bytes.isEmpty) }
            return bytes.range(of: Data(word.utf8)) != nil
        }
    }

    private func full() throws -> Bench {
        let bench = try Bench()
        let other = try send(bench, "447700900123", wamid: "wamid.other")
        _ = try send(bench, Self.number, wamid: "wamid.secret1")
        try receive(bench, from: "447700900123", wamid: "w.other", name: "somebody")
        try receive(bench, from: Self.number, wamid: "w.secret2", name: Self.word)
        _ = try submit(bench, Self.number, sendAt: bench.now + .seconds(9000))
        _ = try submit(bench, Self.number)
        // A status of a message nobody knows, and a call nobody understood.
        let early = StatusReport(
            phoneNumberID: "106", wamid: "wamid.secret3", opaque: nil, report: .sent, at: bench.now, failure: nil,
            person: Self.number)
        #expect(try bench.run { try $0.apply(early, now: bench.now) } == .parked)
        let call = try bench.run {
            try $0.storeWebhook(app: "a", body: Array(#"{"x":"\#(Self.number)"}"#.utf8), now: bench.now)
        }
        try bench.run { try $0.keepWebhook(call, problem: "not understood") }
        #expect(try bench.message(other).state == .read)
        // Nobody's limit is counted by the number any more.
        try bench.tick(.seconds(3 * 86_400))
        return bench
    }

    @Test func nothingOfThePersonIsLeftInTheFiles() throws {
        let bench = try full()
        for word in [Self.number, Self.word, "secret1", "secret2", "secret3"] {
            #expect(holds(bench, word), "\(word)")
        }
        let report = try erase(bench, "US.\(Self.number)")
        #expect(report.kept == [])
        #expect(report.messages == 3 && report.received == 1 && report.webhooks == 1, "\(report)")
        for word in [Self.number, Self.word, "secret1", "secret2", "secret3"] {
            #expect(!holds(bench, word), "\(word)")
        }
        #expect(try bench.queue.disagreements() == [])
        #expect(holds(bench, "447700900123") && holds(bench, "wamid.other") && holds(bench, "somebody wrote"))
        #expect(try QueueReader(path: bench.path).conversations(ConversationFilter(), account: 1).items.count >= 1)
        // Life goes on, behind all ids there were; asking again finds nothing.
        let next = try bench.submit(Self.number)
        #expect(try bench.message(next).state == .queued)
        try bench.reopen()
        #expect(try bench.queue.disagreements() == [])
        #expect(try erase(bench, Self.number).messages == 1)
        #expect(!holds(bench, Self.number))
    }

    /// Cells that moved between pages while the tree grew leave nothing behind either.
    @Test(arguments: [20, 700, 5000])
    func nothingIsLeftAmongManyPeople(contentBytes: Int) throws {
        let bench = try Bench()
        func number(_ person: Int) -> String { "1415555\(1000 + person)" }
        var dice = Dice(seed: UInt64(contentBytes))
        for index in 0..<600 {
            let person = index % 40
            var draft = try bench.draft(number(person))
            let filler = String(repeating: "y", count: Int.random(in: 0...contentBytes, using: &dice))
            draft.content = Array(#"{"body":"word-\#(person)-end \#(filler)"}"#.utf8)
            _ = try bench.submitted(draft)
            if index % 3 == 0 {
                try receive(bench, from: number(person), wamid: "w.\(index)", name: "name-\(person)-end")
            }
        }
        try bench.submit("447700900123")
        for person in [3, 17, 39] {
            let before = try bench.count(.queued)
            let report = try erase(bench, number(person))
            #expect(try report.messages == 15 && report.received == 5 && bench.count(.queued) == before - 15)
            for word in [number(person), "word-\(person)-end", "name-\(person)-end"] {
                #expect(!holds(bench, word), "\(word)")
            }
        }
        #expect(holds(bench, "word-4-end") && holds(bench, "name-4-end"))
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func aLateStatusOfAnErasedMessageIsNotKept() throws {
        let bench = try Bench()
        try bench.submit(Self.number)
        let attempt = try #require(try bench.claim(1).first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        try bench.submit("447700900123")
        try bench.tick(.seconds(2 * 86_400))
        #expect(try erase(bench, Self.number).messages == 1)
        #expect(try bench.report(.read, attempt, person: Self.number) == .gone)
        #expect(!holds(bench, Self.number))
        // Without our own id nobody can tell: it waits as any other.
        #expect(try bench.report(.read, attempt, opaque: false, person: Self.number) == .parked)
    }

    @Test func whatCannotGoYetIsNamed() throws {
        let bench = try Bench()
        try bench.setTier(.tier250)
        let going = try bench.submit(Self.number)
        let attempt = try #require(try bench.claim(1).first)
        let first = try erase(bench, Self.number)
        #expect(first.kept.map(\.what) == ["messages", "limits"] && first.messages == 0, "\(first)")
        #expect(try bench.message(going).state == .processing)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        // Somebody has to be told of it.
        let second = try erase(bench, Self.number, needed: 1)
        #expect(second.kept.map(\.what) == ["messages", "limits"] && second.messages == 0, "\(second)")
        let third = try erase(bench, Self.number)
        #expect(third.messages == 1 && third.kept.map(\.what) == ["limits"], "\(third)")
        let until = try #require(third.kept.first?.until)
        #expect(try bench.used() == 1 && until > bench.now + .seconds(86_000))
        bench.now = until + .seconds(1)
        try bench.tick(.seconds(1))
        #expect(try erase(bench, Self.number).kept == [])
        #expect(!holds(bench, Self.number))
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func anotherAccountsPersonStays() throws {
        let bench = try full()
        var erasure = Erasure(of: Self.number, account: 2)
        while !erasure.waitsForLog { try bench.run { try $0.erase(&erasure, now: bench.now, needed: nil) } }
        var report = erasure.report
        // A call nobody could read is of no account.
        #expect(report.kept.map(\.what) == ["webhooks"])
        report.kept = []
        #expect(report == ErasureReport())
        #expect(try holds(bench, Self.number) && bench.count(.read) == 2)
    }
}
