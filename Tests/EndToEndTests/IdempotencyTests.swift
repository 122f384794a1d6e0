import Foundation
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

extension Lab {
    struct KeyedAnswer: Equatable {
        var status: Int
        var isReplay: Bool
        var text: String

        var json: JSONValue? { try? JSONParser().parse(text.utf8) }
        var code: String? { json?[path: "error", "code"]?.string }
        var id: String? { json?[path: "data", "id"]?.string }
    }

    /// Throws when no answer comes.
    func tryPost(_ body: String, key: String, to path: String = "/v1/messages", type: String = "application/json")
        throws
        -> KeyedAnswer
    {
        let request = OutgoingRequest(
            method: "POST", url: "http://x\(path)", headers: ["Content-Type: \(type)", "Idempotency-Key: \(key)"],
            body: Array(body.utf8), timeout: .seconds(60), unixSocket: socket, answerBytesMax: 64 << 20)
        let result = callAndWait(request)
        guard case .answered(let status, let headers, let bytes) = result else { throw NoAnswer(result: result) }
        let isReplay = headers.contains { $0.name.lowercased() == "idempotency-replayed" && $0.value == "true" }
        return KeyedAnswer(status: status, isReplay: isReplay, text: String(decoding: bytes, as: UTF8.self))
    }

    func post(_ body: String, key: String) throws -> KeyedAnswer { try tryPost(body, key: key) }

    func postBulk(_ body: String, key: String) throws -> KeyedAnswer {
        try tryPost(body, key: key, to: "/v1/messages/bulk")
    }

    func postLines(_ lines: [String], key: String) throws -> KeyedAnswer {
        try tryPost(
            lines.joined(separator: "\n"), key: key, to: "/v1/messages/bulk", type: "application/x-ndjson")
    }

    /// Messages the daemon has, wherever they stand.
    func messageCount() throws -> Int64 {
        let counts = try call("GET", "/v1/status").json?[path: "data", "messages"]
        return counts?.members.reduce(0) { $0 + ($1.value.integer ?? 0) } ?? 0
    }

    func sqlite(_ sql: String) throws -> String {
        let program = try Program(
            "/usr/bin/sqlite3", ["-cmd", ".timeout 20000", folder.file("state/outboxd.db"), sql],
            output: folder.file("sqlite-\(UInt32.random(in: 0 ... .max)).log"))
        #expect(program.exitStatus() == 0)
        return String(program.words.split(separator: "\n").last ?? "")
    }
}

/// Calls that are repeated, with the real programs.
@Suite(.serialized) struct IdempotencyTests {
    private static func message(_ number: Int, _ fields: String = "") -> String {
        #"{"to":"1415\#(5_000_000 + number)","message":"n\#(number)"\#(fields)}"#
    }

    @Test func aRepeatIsAnsweredAsTheFirst() throws {
        let lab = try Lab()
        let soon = Timestamp.iso(secondsFromNow: 1.5)
        let body = Self.message(1, #","sendAt":"\#(soon)""#)
        let first = try lab.post(body, key: "order-17/1")
        #expect(first.status == 202 && !first.isReplay)
        #expect(first.json?[path: "data", "status"]?.string == "scheduled")
        let id = try #require(first.id)
        try lab.wait(id, for: "read")
        // Its sendAt has passed, it was read and removed, and the daemon is another one.
        #expect(lab.stopDaemon() == 0)
        _ = try lab.sqlite("DELETE FROM message; DELETE FROM counter;")
        try lab.startDaemon()
        let second = try lab.post(body, key: "order-17/1")
        #expect(second.status == 202 && second.isReplay && second.text == first.text)
        let other = try lab.post(Self.message(2), key: "order-17/1")
        #expect(other.status == 409 && other.code == "IDEMPOTENCY_CONFLICT" && !other.isReplay)
        let detail = try #require(other.json?[path: "error", "details"]?.list.first)
        #expect(detail["field"]?.string == "Idempotency-Key")
        #expect(detail["message"]?.string?.contains("was first used at 20") == true)
        // Wrong in itself and another call, too; and another kind of call.
        #expect(try lab.post("{}", key: "order-17/1").status == 409)
        #expect(try lab.postLines([body], key: "order-17/1").code == "IDEMPOTENCY_CONFLICT")
        #expect(try lab.postBulk(#"{"messages":[\#(body)]}"#, key: "order-17/1").status == 409)
        #expect(try lab.messageCount() == 0)
        #expect(try lab.post(Self.message(2), key: "order-17/2").status == 202)
        #expect(try lab.messageCount() == 1)
    }

    @Test func refusalsAndDryRunsLeaveTheKeyFree() throws {
        let lab = try Lab()
        #expect(try lab.post(#"{"to":"1"}"#, key: "k").code == "VALIDATION_ERROR")
        #expect(try lab.post("{", key: "k").status == 400)
        #expect(try lab.post(Self.message(1, #","line":"none""#), key: "k").status == 400)
        #expect(try lab.post(Self.message(1, #","dryRun":true"#), key: "k").status == 200)
        let first = try lab.post(Self.message(1), key: "k")
        #expect(first.status == 202 && !first.isReplay)
        let dry = try lab.post(Self.message(9, #","dryRun":true"#), key: "k")
        #expect(dry.status == 200 && !dry.isReplay)
        #expect(try lab.post(#"{"to":"1","dryRun":true}"#, key: "k").status == 400)
        let bulk = #"{"messages":[\#(Self.message(2))],"dryRun":true}"#
        #expect(try lab.postBulk(bulk, key: "k").status == 200)
        for wrong in [" ", "a b", String(repeating: "k", count: 256), "\u{e9}"] {
            for path in ["/v1/messages", "/v1/messages/bulk"] {
                for type in ["application/json", "application/x-ndjson"]
                where path.hasSuffix("bulk") || type.hasSuffix("/json") {
                    let body = path.hasSuffix("bulk") && type.hasSuffix("/json") ? bulk : Self.message(3)
                    let client = RawClient(lab.socket)
                    client.say(
                        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: \(type)\r\nIdempotency-Key: \(wrong)\r\n"
                            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    let answer = try #require(client.hear())
                    #expect(answer.status == 400, "\(answer.body)")
                    #expect(answer.body.contains("VALIDATION_ERROR") && answer.body.contains("Idempotency-Key"))
                }
            }
        }
        let twice = RawClient(lab.socket)
        twice.say(
            "POST /v1/messages HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n"
                + "Content-Length: 2\r\n\r\n{}")
        #expect(try #require(twice.hear()).body.contains("given twice"))
        #expect(try lab.messageCount() == 1)
    }

    @Test(.enabled(if: getuid() == 0, "needs root to become somebody else"))
    func callersDoNotMeetInTheirKeys() throws {
        let lab = try Lab(daemon: ["--send-group", "daemon"])
        chmod(lab.folder.path, 0o755)
        let own = try lab.post(Self.message(1), key: "k")
        let program = try Program(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--regid=65534", "--groups=1", "curl", "-sS", "-i", "--unix-socket", lab.socket, "-H",
                "Idempotency-Key: k", "-d", Self.message(2), "http://x/v1/messages",
            ], output: lab.folder.file("curl.log"))
        #expect(program.exitStatus() == 0)
        #expect(program.words.hasPrefix("HTTP/1.1 202"), "\(program.words)")
        #expect(!program.words.contains("idempotency-replayed"))
        #expect(try lab.post(Self.message(1), key: "k") == Lab.KeyedAnswer(status: 202, isReplay: true, text: own.text))
    }

    /// Everybody repeats until ten answers came, while the daemon is killed under them.
    @Test func manyWithOneKeyQueueOneMessageWhateverIsKilled() throws {
        let lab = try Lab()
        let rounds = 8
        var dice = Dice(seed: 17)
        var unanswered = 0
        var firstsLost = 0
        for round in 0..<rounds {
            let told = Lock([Lab.KeyedAnswer]())
            let failures = Lock(0)
            let clients = (0..<64).map { _ in
                OutboxSystem.Thread("client") {
                    var wanted = 10
                    for _ in 0..<2000 where wanted > 0 {
                        do {
                            let answer = try lab.tryPost(Self.message(round), key: "round-\(round)")
                            told.withLock { $0.append(answer) }
                            wanted -= 1
                        } catch {
                            failures.withLock { $0 += 1 }
                            usleep(10_000)
                        }
                    }
                }
            }
            for _ in 0..<3 {
                usleep(UInt32.random(in: 0...30_000, using: &dice))
                lab.killDaemon()
                try lab.startDaemon()
            }
            for client in clients { client.join() }
            let answers = told.withLock { $0 }
            unanswered += failures.withLock { $0 }
            #expect(answers.count == 640)
            #expect(answers.allSatisfy { $0.status == 202 }, "\(answers.first { $0.status != 202 }?.text ?? "")")
            #expect(Set(answers.compactMap(\.id)).count == 1)
            // The first answer may have died with the daemon; more than one of them cannot be.
            let firsts = answers.count { !$0.isReplay }
            #expect(firsts <= 1)
            if firsts == 0 { firstsLost += 1 }
        }
        print(
            "idempotency: \(rounds) rounds of 64 clients, \(unanswered) calls without an answer, "
                + "\(firstsLost) messages stored whose first answer was lost")
        #expect(unanswered > 0, "no kill met a call")
        #expect(try lab.messageCount() == Int64(rounds))
        #expect(try lab.sqlite("SELECT count(*) FROM message") == "\(rounds)")
        #expect(try lab.sqlite("SELECT count(*) FROM idempotency") == "\(rounds)")
    }

    @Test func anArrayKilledBetweenItsSlicesGoesOn() throws {
        let lab = try Lab()
        try lab.call("POST", "/v1/pauses", #"{"everything":true}"#)
        var wasCut = false
        for number in 0..<8 where !wasCut {
            let before = try lab.messageCount()
            let wrong = #"{"to":"12","message":"x"}"#
            let items = (0..<10_000).map { $0 % 1000 == 7 ? wrong : Self.message(number * 10_000 + $0) }
            let body = #"{"messages":[\#(items.joined(separator: ","))]}"#
            let caller = OutboxSystem.Thread("caller") { _ = try? lab.postBulk(body, key: "bulk-\(number)") }
            _ = try eventually { try lab.messageCount() > before }
            lab.killDaemon()
            caller.join()
            try lab.startDaemon()
            let cutAt = try lab.messageCount() - before
            wasCut = cutAt > 0 && cutAt < 9990
            let answer = try lab.postBulk(body, key: "bulk-\(number)")
            #expect(answer.status == 202)
            let data = try #require(answer.json?["data"])
            #expect(data["totalMessages"]?.integer == 10_000 && data["queued"]?.integer == 9990)
            #expect(data["failedCount"]?.integer == 10)
            #expect(data["errors"]?.list.compactMap { $0["index"]?.integer } == (0..<10).map { $0 * 1000 + 7 })
            #expect(try lab.messageCount() == before + 9990)
            let again = try lab.postBulk(body, key: "bulk-\(number)")
            #expect(again.isReplay && again.text == answer.text && again.status == 202)
            let count = number + 1
            #expect(try lab.sqlite("SELECT count(DISTINCT batch) FROM message") == "\(count)")
            #expect(
                try lab.sqlite("SELECT queued || ' ' || failed_count FROM batch ORDER BY id DESC LIMIT 1") == "9990 10")
            #expect(try lab.sqlite("SELECT count(*) FROM batch") == "\(count)")
            #expect(try lab.postBulk(#"{"messages":[\#(Self.message(1))]}"#, key: "bulk-\(number)").status == 409)
        }
        #expect(wasCut, "no kill came between two slices")
    }

    @Test func aStreamCutInTheMiddleGoesOn() throws {
        let lab = try Lab()
        try lab.call("POST", "/v1/pauses", #"{"everything":true}"#)
        var lines = (0..<3000).map { Self.message($0) }
        lines[5] = "{broken"
        let whole = lines.joined(separator: "\n")
        let part = lines[..<2000].joined(separator: "\n") + "\n" + lines[2000].prefix(10)
        let client = RawClient(lab.socket)
        client.say(
            "POST /v1/messages/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                + "Idempotency-Key: stream\r\nContent-Length: \(whole.utf8.count)\r\n\r\n\(part)")
        #expect(try eventually { try lab.messageCount() == 1999 })
        lab.killDaemon()
        try lab.startDaemon()
        let batch = try lab.sqlite("SELECT id FROM batch")

        // One line was mended, one that is stored is another now.
        lines[5] = Self.message(5)
        lines[100] = Self.message(999_999)
        lines[2999] = #"{"to":"1"}"#
        let answer = try lab.postLines(lines, key: "stream")
        #expect(answer.status == 202 && !answer.isReplay)
        let data = try #require(answer.json?["data"])
        #expect(data["totalMessages"]?.integer == 3000 && data["queued"]?.integer == 2998)
        let errors = try #require(data["errors"]?.list)
        #expect(errors.compactMap { $0["index"]?.integer } == [100, 2999])
        #expect(errors.first?[path: "error", "code"]?.string == "IDEMPOTENCY_CONFLICT")
        #expect(try lab.messageCount() == 2999)
        #expect(try lab.sqlite("SELECT count(*) FROM batch WHERE id = \(batch) AND queued = 2999") == "1")
        #expect(try lab.sqlite("SELECT failed_count FROM batch") == "1")
        let listed = try #require(data["batchId"]?.string)
        #expect(try lab.call("GET", "/v1/messages?batchId=\(listed)&limit=1").json?["data"]?.list.count == 1)

        let again = try lab.postLines(lines, key: "stream")
        #expect(again.isReplay && again.text == answer.text)
        // The end of the last line does not matter; a blank line is none.
        let blank = try lab.postLines(["", lines[0], " "] + lines[1...] + [""], key: "stream")
        #expect(blank.isReplay && blank.text == answer.text)
        #expect(try lab.messageCount() == 2999)
    }

    @Test func twoStreamsAtOnceStoreNoLineTwice() throws {
        let lab = try Lab()
        let lines = (0..<4000).map { Self.message($0) }
        let told = Lock([Lab.KeyedAnswer]())
        let callers = (0..<4).map { _ in
            OutboxSystem.Thread("caller") {
                if let answer = try? lab.postLines(lines, key: "k") { told.withLock { $0.append(answer) } }
            }
        }
        for caller in callers { caller.join() }
        let answers = told.withLock { $0 }
        #expect(answers.count == 4 && answers.allSatisfy { $0.status == 202 })
        #expect(answers.filter { !$0.isReplay }.count == 1)
        #expect(Set(answers.map(\.text)).count == 1)
        #expect(answers.first?.json?[path: "data", "queued"]?.integer == 4000)
        #expect(try lab.messageCount() == 4000)
        #expect(try lab.sqlite("SELECT queued FROM batch") == "4000")
    }

    @Test func outboxctlBringsAKey() throws {
        let lab = try Lab()
        let first = try lab.ctl("send", "14155550100", "hello", "--idempotency-key", "k1")
        #expect(first.status == 0)
        let second = try lab.ctl("send", "14155550100", "hello", "--idempotency-key", "k1")
        #expect(second.status == 0 && second.text == first.text)
        let other = try lab.ctl("send", "14155550100", "bye", "--idempotency-key", "k1")
        #expect(other.status == 5 && other.text.contains("--idempotency-key was first used at"), "\(other.text)")
        #expect(try lab.ctl("send", "14155550100", "hello", "--idempotency-key", "a b").status == 64)
        #expect(try lab.ctl("send", "14155550100", "hi", "--idempotency-key", "k2", "--dry-run").status == 64)
        #expect(try lab.ctl("explain-code", "IDEMPOTENCY_CONFLICT").status == 0)
        #expect(try lab.messageCount() == 1)
    }
}
