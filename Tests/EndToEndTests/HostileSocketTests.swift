import Foundation
import OutboxJSON
import TestKit
import Testing

/// Clients that mean harm, or are broken, against the real daemon: others go on, and its memory stays within what
/// outboxd(8) says.
@Suite(.serialized) struct HostileSocketTests {
    /// As outboxd(8) has it, under LIMITS; OUTBOXD_MEMORY_FACTOR times that with a sanitizer's shadow memory.
    private static let memoryKilobytesMax =
        (640 << 10) * memoryFactor

    /// A client that asks as it should is served.
    private func expectServed(_ lab: Lab) throws {
        #expect(try lab.call("GET", "/healthz").status == 200)
        _ = try lab.submit(#","dryRun":false,"sendAt":"2099-01-01T00:00:00Z""#)
    }

    @Test func twoThousandIdleConnectionsKeepNobodyOut() throws {
        let lab = try Lab()
        let idle = (0..<2000).map { _ in RawClient(lab.socket) }
        for client in idle.prefix(500) { client.say("GET /v1/sta") }
        for index in 0..<20 { try lab.wait(try lab.submit(to: "141555501\(10 + index)"), for: "read") }
        let status = try lab.call("GET", "/v1/status").json?[path: "data", "connections"]?.integer
        #expect(status ?? 0 > 1900)
        // Who began to ask may go on.
        idle[0].say("tus HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(idle[0].hear()?.status == 200)
        // As many again: the ones that idle make room.
        let more = (0..<3000).map { _ in RawClient(lab.socket) }
        sleep(2)
        try expectServed(lab)
        #expect(more.count == 3000)
    }

    @Test func slowClientsHoldNobodyUpAndAreEnded() throws {
        let lab = try Lab()
        let heads = (0..<100).map { _ in RawClient(lab.socket) }
        let bodies = (0..<100).map { _ in RawClient(lab.socket) }
        for client in bodies {
            client.say("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
        }
        // The header's 10 seconds, by a byte every tenth of one, while others ask.
        let line = Array("GET /healthz HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: 1000))".utf8)
        var ended = false
        for byte in line.prefix(600) where !ended {
            for client in heads { client.say([byte]) }
            for client in bodies { client.say([byte]) }
            #expect(try lab.call("GET", "/healthz").status == 200)
            ended = heads[0].wasLeft(withinMilliseconds: 50)
        }
        #expect(heads[0].hear()?.status == 408 && heads[99].hear()?.status == 408)
        // A body has longer, and is left alone until then.
        #expect(!bodies[0].wasLeft(withinMilliseconds: 0))
        try expectServed(lab)
    }

    private static let smuggling = [
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 44\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\u{0B}chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/messages HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 44\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\n\r\n", "GET /healthz HTTP/1.1\nHost: x\n\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 44\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;a=\n\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 44\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n",
    ]

    /// What two readers could take for two different requests is refused, and nothing behind it is looked at.
    @Test func smuggledRequestsAreNotServed() throws {
        let lab = try Lab(line: nil)
        for text in Self.smuggling {
            let client = RawClient(lab.socket)
            client.say(text + "GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n")
            let answers = String(decoding: client.hearEverything(), as: UTF8.self)
            let isRefused = answers.hasPrefix("HTTP/1.1 4") || answers.hasPrefix("HTTP/1.1 501")
            #expect(isRefused, "\(text.debugDescription): \(answers)")
            let count = answers.components(separatedBy: "content-length:").count - 1
            #expect(count == 1, "one answer to \(text.debugDescription): \(answers)")
            #expect(answers.contains(#"{"error":{"code":""#))
        }
    }

    @Test func whoPipelinesWithoutListeningIsHeldBackAndThenAnswered() throws {
        let lab = try Lab()
        let greedy = RawClient(lab.socket)
        greedy.setPatience(milliseconds: 300)
        let request = Array(
            "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: 900))\r\n\r\n".utf8)
        var said = 0
        while said < 20_000, greedy.say(request) { said += 1 }
        #expect(said < 20_000, "it takes no more than it can answer")
        greedy.setPatience(milliseconds: 20_000)
        // The last one may have been said in part.
        for index in 0..<said { try #require(greedy.hear()?.status == 200, "answer \(index) of \(said)") }
        try expectServed(lab)
        #expect(try lab.peakKilobytes() < Self.memoryKilobytesMax)
    }

    @Test func halfClosedSocketsGetTheirAnswers() throws {
        let lab = try Lab()
        let body = #"{"to":"14155550100","message":"hi","sendAt":"2099-01-01T00:00:00Z"}"#
        let post = "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        let clients = (0..<200).map { _ in RawClient(lab.socket) }
        for (index, client) in clients.enumerated() {
            client.say(post + (index % 2 == 0 ? body : String(body.dropLast(5))))
            client.endSpeaking()
        }
        for (index, client) in clients.enumerated() {
            if index % 2 == 0 { #expect(client.hear()?.status == 202) }
            #expect(client.isEnded())
        }
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "messages", "scheduled"]?.integer == 100)
        let gone = try eventually {
            try lab.call("GET", "/v1/status").json?[path: "data", "connections"]?.integer ?? 99 < 5
        }
        #expect(gone)
    }

    @Test func withoutDescriptorsOthersGoOnAndAcceptingResumes() throws {
        let lab = try Lab()
        let pid = try #require(lab.daemon?.pid)
        // It has begun to ask, and is not one of those that idle and make room.
        let served = RawClient(lab.socket)
        served.say("GET /heal")
        let known = try eventually {
            try lab.call("GET", "/v1/status").json?[path: "data", "connections"]?.integer ?? 0 >= 2
        }
        #expect(known)
        // First there are a few left, then not even one that could be had by closing another.
        for most in [try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count + 4, 3] {
            try limitDescriptors(pid, most)
            let crowd = (0..<200).map { _ in RawClient(lab.socket) }
            for client in crowd { client.say("GET /healthz HT") }
            let before = try lab.processorTicks()
            sleep(1)
            #expect(try lab.processorTicks() - before < 50, "it does not spin")
            #expect(crowd.count == 200)
        }
        served.say("thz HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(served.hear()?.status == 200, "who is served is served on")
        try limitDescriptors(pid, 1024)
        let resumed = eventually { (try? lab.tryCall("GET", "/healthz").status) == 200 }
        #expect(resumed)
        try lab.wait(try lab.submit(), for: "read")
    }

    /// The soft limit, of a running process.
    private func limitDescriptors(_ pid: Int32, _ most: Int) throws {
        let folder = TemporaryFolder()
        let program = try Program(
            "/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile=\(most):"], output: folder.file("log"))
        #expect(program.exitStatus() == 0, "\(program.words)")
    }

    /// With few descriptors from the start, a crowd on one socket leaves enough for Meta, its webhooks and the file.
    @Test func fewDescriptorsAreSharedOut() throws {
        let lab = try Lab(descriptorsMax: 256)
        #expect(lab.daemon?.words.contains("file descriptors") == true)
        let soon = ISO8601DateFormatter().string(from: Date().addingTimeInterval(2))
        let ids = try (0..<20).map { try lab.submit(#","sendAt":"\#(soon)""#, to: "141555501\(10 + $0)") }
        func asMany(_ count: Int) -> [RawClient] { (0..<count).map { _ in RawClient(lab.socket) } }
        let crowd = asMany(300)
        for client in crowd { client.say("GET /healthz HT") }
        #expect(crowd.last?.hear()?.status == 503)
        let all = try eventually {
            let summary = try lab.sandbox("GET", "summary")?["data"]
            return summary?["received"]?.integer == 20 && summary?["webhooksAnswered"]?.integer ?? 0 > 0
                && summary?["webhooksWaiting"]?.integer == 0
        }
        #expect(all, "messages leave, and what Meta tells is heard, while the crowd is there")
        for client in crowd { client.endSpeaking() }
        for id in ids { try lab.wait(id, for: "read") }
    }

    @Test func bombsOfJSONAreRefusedInBoundedMemory() throws {
        let lab = try Lab()
        let size = 200_000
        let singles = [
            String(repeating: "[", count: size), String(repeating: #"{"a":"#, count: size / 6),
            String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
            #"{"to":\#(String(repeating: "9", count: size)),"message":"a"}"#,
            #"{"to":1e\#(String(repeating: "9", count: size)),"message":"a"}"#,
            #"{"to":"14155550100","message":"\ud800"}"#, #"{"to":"14155550100","message":"\udc00\ud800"}"#,
            #"{"to":"14155550100","message":"\u0000"}"#, "{\"to\":\"14155550100\",\"message\":\"a\0b\"}",
            #"{"\u0000":1,"to":"14155550100"}"#, #"{"to":"14155550100","message":"a","metadata":{"a":"#,
            "\u{FEFF}{}", #"{"to":"14155550100","message":"a"}{}"#, "nul", "\"", "",
            "{" + (0..<20_000).map { #""k\#($0)":0"# }.joined(separator: ",") + "}",
            "{" + Array(repeating: #""to":0"#, count: 20_000).joined(separator: ",") + "}",
        ]
        for text in singles {
            let answer = try lab.call("POST", "/v1/messages", text)
            #expect(
                answer.status == 400 && answer.json?["error"] != nil, "\(text.prefix(60)): \(answer.text.prefix(200))")
            #expect(answer.text.utf8.count < 65_536, "an answer does not grow with what it refuses")
        }
        let notText = RawClient(lab.socket)
        notText.say(
            Array("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n".utf8)
                + Array(#"{"to":"14155550100","message":""#.utf8) + [0xFF, 0x22])
        #expect(notText.hear()?.status == 400)
        // The largest bodies that are taken, of the kinds that take most memory, from several at a time.
        let most = 16 << 20
        let bombs = [
            "{\"messages\":[" + String(repeating: "0,", count: (most - 64) / 2) + "0]}",
            "{\"messages\":[" + String(repeating: "[],", count: (most - 64) / 3) + "[]]}",
            "{\"messages\":[" + String(repeating: "\"\",", count: (most - 64) / 3) + "\"\"]}",
            "{\"messages\":[\"" + String(repeating: "\\u00e9", count: (most - 64) / 6) + "\"]}",
            String(repeating: "[", count: most - 1),
        ].map {
            Array("POST /v1/messages/bulk HTTP/1.1\r\nHost: x\r\nContent-Length: \($0.utf8.count)\r\n\r\n\($0)".utf8)
        }
        for _ in 0..<2 {
            let clients = bombs.map { _ in RawClient(lab.socket) }
            // All but the last byte of each, so that they lie in memory together; one too many is refused before.
            for (client, bomb) in zip(clients, bombs) { client.say(Array(bomb.dropLast())) }
            for (client, bomb) in zip(clients, bombs) { client.say(Array(bomb.suffix(1))) }
            for client in clients {
                let answer = client.hear()
                // Every item is wrong, or all of it.
                let isRefused = answer?.status == 202 && answer?.body.contains("\"queued\":0,") == true
                #expect(isRefused || [400, 503].contains(answer?.status), "\(String(describing: answer))")
            }
        }
        try expectServed(lab)
        let peak = try lab.peakKilobytes()
        print("bombs: \(peak / 1024) MiB at most")
        #expect(peak < Self.memoryKilobytesMax)
    }
}

extension Lab {
    /// The most memory the daemon ever had, resident.
    func peakKilobytes() throws -> Int {
        let pid = try #require(daemon?.pid)
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(Int(line.filter(\.isNumber)))
    }

    /// Processor time the daemon has used, in hundredths of a second.
    func processorTicks() throws -> Int {
        let pid = try #require(daemon?.pid)
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // Behind the name, which may hold spaces; utime and stime are the 14th and 15th fields.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        return (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
    }
}

/// How many times the memory a program needs with a sanitizer, which holds back what was freed and keeps a shadow of all.
let memoryFactor = ProcessInfo.processInfo.environment["OUTBOXD_MEMORY_FACTOR"].flatMap { Int($0) } ?? 1
