import Foundation
import OutboxCore
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// What callers were told.
private struct Told {
    var acknowledged: Set<String> = []
    /// Batches with the number of messages promised.
    var batches: [String: Int64] = [:]
    /// Taken back, and told so.
    var cancelled: Set<String> = []
    /// Message by key, of a caller that repeats its calls until they are answered.
    var keyed: [String: String] = [:]
    /// Campaigns with the recipients they took.
    var campaigns: [String: Set<String>] = [:]
    var unanswered = 0
    var refused: [String] = []
}

/// SIGKILL at random moments under load, again and again; then everything is compared with everything.
@Suite(.serialized) struct CrashTests {
    static let kills = ProcessInfo.processInfo.environment["OUTBOXD_KILLS"].flatMap { Int($0) } ?? 50

    @Test func nothingAcknowledgedIsLostAndNothingIsBlindlyDoubled() throws {
        let seed = ProcessInfo.processInfo.environment["OUTBOXD_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("crash test: seed \(seed), \(Self.kills) kills")
        var dice = Dice(seed: seed)
        let lab = try Lab(
            sandbox: [
                "--latency", "5", "--duplicate-webhooks", "0.05", "--reorder-webhooks", "0.1", "--fault",
                "lose-answer@0.01", "--fault", "reset@0.01", "--fault", "drop@0.01", "--fault", "error=131016@0.02",
                "--seed", "\(seed % 1_000_000)",
            ],
            line:
                #"{"phoneNumberId":"106","token":"t","onUnknown":"resend","unknownGraceSeconds":3,\#(Lab.freely)}"#
        )
        try lab.call(
            "PUT", "/v1/lines/hold",
            #"{"phoneNumberId":"107","token":"t","pool":"main","onUnknown":"hold",\#(Lab.freely)}"#)

        let told = Lock(Told())
        let running = Lock(true)
        let backups = CrashBackups(lab) {
            told.withLock { $0.acknowledged.count + Int($0.batches.values.reduce(0, +)) }
        }
        let callers =
            (0..<3).map { caller in
                OutboxSystem.Thread("caller") { submitAgainAndAgain(lab, caller, told, running) }
            } + [
                OutboxSystem.Thread("canceller") { submitAndCancel(lab, told, running) },
                OutboxSystem.Thread("repeater") { repeatUntilAnswered(lab, told, running) },
                OutboxSystem.Thread("campaigner") { launchPauseAndResume(lab, told, running) },
                OutboxSystem.Thread("backups") { backups.take(while: running) },
            ]
        for _ in 0..<Self.kills {
            usleep(UInt32.random(in: 5_000...300_000, using: &dice))
            lab.killDaemon()
            try lab.startDaemon()
        }
        running.withLock { $0 = false }
        for caller in callers { caller.join() }
        let ledger = try settle(lab)
        try backups.end()
        try compare(lab, told.withLock { $0 }, ledger)
        try compareCampaigns(lab, told.withLock { $0.campaigns })
        #expect(lab.stopDaemon() == 0)
        func ask(_ sql: String) throws -> String {
            try sqlite(lab.folder.file("state/outboxd.db"), sql, log: lab.folder.file("sqlite.log"))
        }
        #expect(try ask("PRAGMA integrity_check") == "ok")
        #expect(try ask("SELECT count(*) FROM webhook") == "0")
        let missed = """
            SELECT count(*) FROM campaign_count AS c WHERE c.kind = 1 AND c.count <>
            (SELECT count(*) FROM message AS m WHERE m.batch = c.campaign AND m.state = CAST(c.key AS INTEGER))
            """
        #expect(try ask(missed) == "0")
        let recount = """
            SELECT count(*) FROM counter AS c WHERE c.count <>
            (SELECT count(*) FROM message AS m
             WHERE m.line = c.line AND m.state = c.state AND m.priority = c.priority AND m.gate = c.gate)
            """
        #expect(try ask(recount) == "0")
    }

    /// Waits until nothing moves any more: every message has ended, or is held as unknown on the line that holds.
    private func settle(_ lab: Lab) throws -> [JSONValue] {
        try lab.setFaults()
        let done = try eventually(within: 120) {
            let status = try lab.call("GET", "/v1/status").json?["data"]
            let counts = try #require(status?["messages"])
            let moving = ["scheduled", "queued", "retrying", "sent", "delivered"].compactMap { counts[$0]?.integer }
            let unknown = status?["unknownOutcomes"]?.integer ?? -1
            let held = status?["lines"]?.list.first { $0["line"]?.string == "hold" }?["processing"]?.integer ?? 0
            let waiting = try lab.sandbox("GET", "summary")?[path: "data", "webhooksWaiting"]?.integer
            return moving.reduce(0, +) == 0 && counts["processing"]?.integer == unknown && held == unknown
                && waiting == 0
        }
        let status = try lab.call("GET", "/v1/status").text
        #expect(done, "it did not come to rest: \(status)")
        return try lab.sandbox("GET", "ledger?limit=1000000")?["data"]?.list ?? []
    }

    /// Nobody was missed, nobody got two messages, and the end was told once.
    private func compareCampaigns(_ lab: Lab, _ campaigns: [String: Set<String>]) throws {
        let completed = try lab.call("GET", "/v1/events?event=campaign.completed&after=0").text
        let ended = try completed.split(separator: "\n").compactMap {
            try JSONParser().parse($0.utf8)[path: "data", "campaignId"]?.string
        }
        #expect(ended.count == Set(ended).count, "an end was told twice")
        for (id, recipients) in campaigns {
            let campaign = try #require(try lab.call("GET", "/v1/campaigns/\(id)").json?["data"])
            #expect(campaign["status"]?.string == "completed", "\(String(decoding: campaign.compact, as: UTF8.self))")
            #expect(campaign[path: "progress", "messages", "read"]?.integer == Int64(recipients.count))
            #expect(ended.contains(id))
            var found: [String: String] = [:]
            var cursor = ""
            repeat {
                let page = try #require(
                    try lab.call("GET", "/v1/campaigns/\(id)/recipients?limit=200\(cursor)").json)
                for recipient in page["data"]?.list ?? [] {
                    found[recipient["to"]?.string ?? ""] = recipient["messageId"]?.string
                }
                cursor = page[path: "meta", "pagination", "cursor"]?.string.map { "&cursor=\($0)" } ?? ""
            } while !cursor.isEmpty
            #expect(Set(found.keys) == recipients && Set(found.values).count == recipients.count, "campaign \(id)")
            let messages = try lab.call("GET", "/v1/messages?limit=200&batchId=\(id)").json?["data"]?.list
            #expect(messages?.count == min(200, recipients.count), "campaign \(id)")
        }
        print("crash test: \(campaigns.count) campaigns, each completed once")
    }

    private func compare(_ lab: Lab, _ told: Told, _ ledger: [JSONValue]) throws {
        let posts = Dictionary(grouping: ledger.compactMap { $0["opaque"]?.string }) { $0 }
        let repeated = posts.filter { $0.value.count > 1 }.keys
        #expect(repeated.isEmpty, "one attempt was posted twice: \(repeated.prefix(3))")
        let accepted = Dictionary(
            grouping: ledger.filter { $0["wamid"]?.isNull == false }.compactMap { $0["opaque"]?.string }
        ) { String($0.split(separator: ".")[0]) }

        var states: [String: String] = [:]
        var cursor = ""
        repeat {
            let page = try #require(try lab.call("GET", "/v1/messages?limit=200\(cursor)").json)
            for message in page["data"]?.list ?? [] {
                let id = try #require(message["id"]?.string)
                #expect(states[id] == nil, "\(id) is listed twice")
                states[id] = message["status"]?.string
            }
            cursor = page[path: "meta", "pagination", "cursor"]?.string.map { "&cursor=\($0)" } ?? ""
        } while !cursor.isEmpty

        let lost = told.acknowledged.filter { states[$0] == nil }
        #expect(lost.isEmpty, "acknowledged and gone: \(lost.prefix(3))")
        #expect(told.refused.count == 0, "refused: \(told.refused.prefix(3))")
        for (batch, promised) in told.batches {
            let listed = try lab.call("GET", "/v1/messages?limit=200&batchId=\(batch)").json?["data"]?.list.count
            #expect(listed.map(Int64.init) == promised, "batch \(batch)")
        }
        for id in told.cancelled {
            #expect(states[id] ?? "cancelled" == "cancelled" && accepted[id] == nil, "\(id) was taken back and left")
        }
        for (key, id) in told.keyed { #expect(states[id] != nil, "\(id) was acknowledged for \(key) and is gone") }
        #expect(Set(told.keyed.values).count == told.keyed.count)
        let ofKeys = try lab.call("GET", "/v1/messages?limit=200&to=14159999999").json?["data"]?.list.count ?? 0
        #expect(ofKeys == min(200, told.keyed.count), "one message a key: \(ofKeys) for \(told.keyed.count)")
        var doubled = 0
        for (id, state) in states {
            let copies = accepted[id]?.count ?? 0
            switch state {
            case "read": #expect(copies >= 1, "\(id) is read and was never accepted")
            case "cancelled": continue
            case "processing": #expect(copies == 0, "\(id) was accepted and is still unknown")
            default: Issue.record("\(id) is \(state)")
            }
            guard copies > 1 else { continue }
            doubled += 1
            let shown = try lab.message(id)["duplicates"]?.list.count
            #expect(shown == copies - 1, "\(id) went out \(copies) times and shows \(shown ?? -1) copies")
            let timeline = try lab.message(id)["timeline"]?.list ?? []
            let unknown = timeline.filter { $0["event"]?.string == "outcomeUnknown" }.count
            #expect(unknown >= copies - 1, "\(id) was doubled without an unknown outcome")
            #expect(try lab.message(id)["line"]?.string == "main", "\(id) was doubled on the line that holds")
        }
        let held = states.values.filter { $0 == "processing" }.count
        print(
            "crash test: \(told.acknowledged.count) messages and \(told.batches.count) bulks acknowledged, \(told.unanswered) calls without an answer, "
                + "\(states.count) in the queue, \(ledger.count) posts, \(accepted.count) messages at the sandbox, "
                + "\(doubled) doubled after an unknown outcome, \(held) held as unknown, 0 lost")
    }
}

/// One caller: single messages, bulks and streams, as fast as answers come.
private func submitAgainAndAgain(_ lab: Lab, _ caller: Int, _ told: Lock<Told>, _ running: Lock<Bool>) {
    var number = 0
    while running.withLock({ $0 }) {
        number += 1
        let line = number % 4 == 0 ? "hold" : "main"
        let to = "1415\(caller)\(String(1_000_000 + number).dropFirst())"
        let message = #"{"to":"\#(to)","line":"\#(line)","message":"n","metadata":{"n":\#(number)}}"#
        do {
            if number % 10 == 0 {
                let body = #"{"messages":[\#(message),\#(message)]}"#
                let answer = try lab.tryCall("POST", "/v1/messages/bulk", body)
                try noteBulk(lab, answer, told)
            } else {
                let answer = try lab.tryCall("POST", "/v1/messages", message)
                told.withLock {
                    if answer.status == 202, let id = answer.json?[path: "data", "id"]?.string {
                        $0.acknowledged.insert(id)
                    } else {
                        $0.refused.append(answer.text)
                    }
                }
            }
        } catch {
            // The daemon was killed under this call: nothing was promised.
            told.withLock { $0.unanswered += 1 }
            usleep(1000)
        }
    }
}

/// A caller that thinks better of it.
private func submitAndCancel(_ lab: Lab, _ told: Lock<Told>, _ running: Lock<Bool>) {
    let keepFive = #"{"maxCount":5}"#
    var number = 0
    let message = #"{"to":"14158888888","line":"main","message":"n","sendAt":"2099-01-01T00:00:00Z"}"#
    while running.withLock({ $0 }) {
        var id: String?
        number += 1
        // Each time a pass begins: what was taken back is removed while everything else goes on.
        if number % 5 == 0 { _ = try? lab.tryCall("PUT", "/v1/retention/cancelled", keepFive) }
        do {
            id = try lab.tryCall("POST", "/v1/messages", message).json?[path: "data", "id"]?.string
        } catch { usleep(1000) }
        // Whoever asks again may hear that it is done already.
        while let one = id {
            guard let answer = try? lab.tryCall("POST", "/v1/messages/\(one)/cancel") else {
                usleep(1000)
                continue
            }
            told.withLock {
                if [202, 404, 409].contains(answer.status) {
                    $0.cancelled.insert(one)
                } else {
                    $0.refused.append(answer.text)
                }
            }
            id = nil
        }
    }
    // What was stored and never answered is still scheduled: the end wants none.
    let left = (try? lab.call("GET", "/v1/messages?limit=200&status=scheduled"))?.json?["data"]?.list ?? []
    for id in left.compactMap({ $0["id"]?.string }) { _ = try? lab.call("POST", "/v1/messages/\(id)/cancel") }
    _ = try? lab.call("PUT", "/v1/retention/cancelled", keepFive)
    let removed = try? eventually {
        (try lab.call("GET", "/v1/status").json?[path: "data", "messages", "cancelled"]?.integer ?? 99) <= 5
    }
    #expect(removed == true, "cancelled messages stayed")
}

/// Somebody who broadcasts, and cannot make up his mind.
private func launchPauseAndResume(_ lab: Lab, _ told: Lock<Told>, _ running: Lock<Bool>) {
    /// Until there is an answer: what was done already is answered with 409, and is done.
    func insist(_ method: String, _ path: String, _ body: String = "", headers: [String] = []) -> JSONValue? {
        for _ in 0..<2000 {
            if let answer = try? lab.tryCall(method, path, body, headers: headers), answer.status != 503 {
                return answer.json
            }
            usleep(2000)
        }
        return nil
    }
    var number = 0
    while running.withLock({ $0 }), number < 40 {
        number += 1
        let made = try? lab.tryCall(
            "POST", "/v1/campaigns",
            #"{"name":"\#(number)","line":"main","template":{"name":"t","language":"en"},"canary":{"first":5,"waitSeconds":1,"abortAboveFailureShare":0.99}}"#
        )
        // One that was made and not answered stays a draft.
        guard let id = made?.json?[path: "data", "id"]?.string else {
            usleep(1000)
            continue
        }
        let recipients = (0..<60).map { "1416\(1_000_000 + number * 1000 + $0)" }
        let lines = recipients.map { #"{"to":"\#($0)"}"# }.joined(separator: "\n")
        // Cut off and sent again: who is in it already is left out.
        let type = ["Content-Type: application/x-ndjson"]
        _ = insist("POST", "/v1/campaigns/\(id)/recipients", lines, headers: type)
        _ = insist("POST", "/v1/campaigns/\(id)/launch")
        told.withLock { $0.campaigns[id] = Set(recipients) }
        for round in 0..<40 {
            _ = insist("POST", "/v1/campaigns/\(id)/\(round % 2 == 0 ? "pause" : "resume")")
            let status = insist("GET", "/v1/campaigns/\(id)")?[path: "data", "status"]?.string
            if status == "completed" || !running.withLock({ $0 }) { break }
            usleep(20_000)
        }
        _ = insist("POST", "/v1/campaigns/\(id)/resume")
    }
    // The unknown outcomes of the last kill are sent again after their grace.
    try? lab.setFaults()
    for id in told.withLock({ $0.campaigns.keys.sorted() }) {
        let ended = eventually(within: 120) {
            insist("GET", "/v1/campaigns/\(id)")?[path: "data", "status"]?.string == "completed"
        }
        #expect(ended, "campaign \(id) did not come to its end")
    }
}

/// A caller that names its calls.
private func repeatUntilAnswered(_ lab: Lab, _ told: Lock<Told>, _ running: Lock<Bool>) {
    var number = 0
    while running.withLock({ $0 }), number < 150 {
        number += 1
        let message = #"{"to":"14159999999","line":"main","message":"n","metadata":{"n":\#(number)}}"#
        while true {
            let headers = ["Idempotency-Key: key-\(number)"]
            guard let answer = try? lab.tryCall("POST", "/v1/messages", message, headers: headers) else {
                usleep(1000)
                continue
            }
            told.withLock {
                if answer.status == 202, let id = answer.json?[path: "data", "id"]?.string {
                    $0.keyed["key-\(number)"] = id
                } else {
                    $0.refused.append(answer.text)
                }
            }
            break
        }
        usleep(20_000)
    }
}

/// A bulk's 202 promises each of its messages.
private func noteBulk(_ lab: Lab, _ answer: (status: Int, json: JSONValue?, text: String), _ told: Lock<Told>) throws {
    guard answer.status == 202, let batch = answer.json?[path: "data", "batchId"]?.string else {
        told.withLock { $0.refused.append(answer.text) }
        return
    }
    told.withLock { $0.batches[batch] = answer.json?[path: "data", "queued"]?.integer ?? 0 }
}
