import Foundation
import OutboxJSON
import TestKit
import Testing

/// The sandbox as the judge of a sender: what it refuses and what it counts.
@Suite struct SandboxLimitTests {
    @Test func withoutLimitsEverythingIsAcceptedAndPeaksAreCounted() throws {
        let lab = try SandboxLab()
        for person in 0..<60 { #expect(try lab.send("1415555\(1000 + person % 3)").status == 200) }
        let summary = try lab.summary()
        for name in ["tier", "throughput", "pair", "window", "duplicate"] {
            #expect(summary[path: "violations", name]?.integer == 0, "\(name)")
        }
        #expect(summary["peakPeople"]?.integer == 3)
        let peak = try #require(summary["peakPerSecond"]?.integer)
        #expect((1...60).contains(peak))
    }

    @Test func oneMorePersonThanTheTierIsRefused() throws {
        let lab = try SandboxLab("--tier", "2")
        #expect(try lab.send("14155550001", from: "106").status == 200)
        #expect(try lab.send("14155550002", from: "107").status == 200)
        let refused = try lab.send("14155550003", from: "106")
        #expect(refused.status == 400 && refused.code == 131_048)
        #expect(try lab.send("14155550001", from: "107").status == 200, "a person already counted")
        #expect(try lab.violations("tier") == 1)
        #expect(try lab.summary()["peakPeople"]?.integer == 2)
        let outcomes = try lab.call("GET", "/sandbox/ledger").json?["data"]?.list.compactMap { $0["outcome"]?.string }
        #expect(outcomes == ["accepted", "accepted", "tier", "accepted"])
    }

    @Test func peopleWithAnOpenWindowDoNotCount() throws {
        let lab = try SandboxLab("--tier", "1")
        try lab.inbound("14155550001", to: "106")
        #expect(try lab.send("14155550001", from: "106").status == 200)
        #expect(try lab.send("14155550002", from: "106").status == 200, "the first to count")
        #expect(try lab.send("14155550001", from: "107").code == 131_048, "the window is another number's")
        let yesterday = Int(Date().timeIntervalSince1970) - 86_401
        try lab.inbound("14155550003", #","timestamp":\#(yesterday)"#)
        #expect(try lab.send("14155550003").code == 131_048, "that window has closed")
        #expect(try lab.summary()["peakPeople"]?.integer == 1)
    }

    @Test func aTierPerNumberCountsEachNumberAlone() throws {
        let lab = try SandboxLab("--tier", "1", "--tier-per-number")
        #expect(try lab.send("14155550001", from: "106").status == 200)
        #expect(try lab.send("14155550002", from: "107").status == 200)
        #expect(try lab.send("14155550002", from: "106").code == 131_048)
        #expect(try lab.summary()["peakPeople"]?.integer == 1)
    }

    @Test func thePeriodRollsOn() throws {
        let lab = try SandboxLab("--tier", "1", "--tier-hours", "0.0005")
        #expect(try lab.send("14155550001").status == 200)
        #expect(try lab.send("14155550002").code == 131_048)
        let accepted = try eventually { try lab.send("14155550002").status == 200 }
        #expect(accepted)
        #expect(try lab.send("14155550001").code == 131_048, "the other way round now")
    }

    @Test func aSecondHoldsNoMoreThanTheThroughput() throws {
        let lab = try SandboxLab("--messages-per-second", "3")
        var codes: [Int64?] = []
        // A machine too busy for five requests in a second tries again.
        let inTime = try eventually {
            _ = try lab.call("DELETE", "/sandbox/limits")
            let start = Date()
            try lab.inbound("14155550009")
            codes = try (0..<4).map { try lab.send("1415555000\($0)").code }
            return Date().timeIntervalSince(start) < 0.9
        }
        try #require(inTime)
        // An inbound message and two more fill the second.
        #expect(codes == [nil, nil, 130_429, 130_429])
        #expect(try lab.send("14155550001", from: "107").status == 200, "another number")
        #expect(try lab.violations("throughput") == 2)
        #expect(try lab.summary()["peakPerSecond"]?.integer == 5)
        usleep(1_050_000)
        #expect(try lab.send("14155550001").status == 200, "a second later")
    }

    @Test func aBurstToOnePersonHas45Messages() throws {
        let lab = try SandboxLab("--pair-limit", "--pair-seconds", "600")
        for _ in 0..<45 { #expect(try lab.send("14155550001").status == 200) }
        let refused = try lab.send("14155550001")
        #expect(refused.status == 400 && refused.code == 131_056)
        #expect(try lab.send("14155550002").status == 200, "another person")
        #expect(try lab.send("14155550001", from: "107").status == 200, "another number")
        #expect(try lab.violations("pair") == 1)
        #expect(try lab.call("DELETE", "/sandbox/ledger").status == 204)
        #expect(try lab.violations("pair") == 1, "the ledger is something else")
        #expect(try lab.call("DELETE", "/sandbox/limits").status == 204)
        #expect(try lab.violations("pair") == 0)
        #expect(try lab.send("14155550001").status == 200, "the bucket is full again")
    }

    @Test func thePairsBucketFillsUpAgain() throws {
        let lab = try SandboxLab("--pair-limit", "--pair-seconds", "0.5")
        let full = try eventually { try lab.send("14155550001").code == 131_056 }
        #expect(full)
        let accepted = try eventually { try lab.send("14155550001").status == 200 }
        #expect(accepted)
    }

    @Test func freeFormOutsideAWindowIsAcceptedAndFails() throws {
        let lab = try SandboxLab("--window")
        let missed = try lab.send("14155550001")
        #expect(missed.status == 200)
        #expect(eventually { !lab.statuses(missed.wamid).isEmpty })
        let failed = try #require(lab.statuses(missed.wamid).first)
        #expect(failed["status"]?.string == "failed")
        #expect(failed["errors"]?.list.first?["code"]?.integer == 131_047)
        #expect(try lab.violations("window") == 1)

        let template = try lab.sendTemplate("14155550001")
        try lab.inbound("14155550002")
        let answered = try lab.send("14155550002")
        for wamid in [template.wamid, answered.wamid] {
            let delivered = eventually { lab.statuses(wamid).contains { $0["status"]?.string == "delivered" } }
            #expect(delivered)
        }
        #expect(try lab.violations("window") == 1)
    }

    @Test func anAttemptPostedTwiceIsCounted() throws {
        let lab = try SandboxLab("--fault", "error=131000:14155550009")
        #expect(try lab.send("14155550009", opaque: "a.1").code == 131_000)
        #expect(try lab.send("14155550001", opaque: "a.1").status == 200)
        #expect(try lab.violations("duplicate") == 0, "only what was accepted counts")
        #expect(try lab.send("14155550001", opaque: "a.1").status == 200)
        #expect(try lab.send("14155550001", opaque: "a.2").status == 200)
        #expect(try lab.violations("duplicate") == 1)
    }

    @Test func anotherWhatsAppIDIsOnePerson() throws {
        let lab = try SandboxLab("--tier", "1", "--wa-id", "5215512345678=525512345678", "--window")
        let sent = try lab.send("5215512345678")
        let contact = sent.json?["contacts"]?.list.first
        #expect(contact?["input"]?.string == "+5215512345678" && contact?["wa_id"]?.string == "525512345678")
        #expect(eventually { !lab.statuses(sent.wamid).isEmpty })
        #expect(lab.statuses(sent.wamid).first?["recipient_id"]?.string == "525512345678")
        #expect(try lab.send("525512345678").status == 200, "the same person")
        #expect(try lab.summary()["peakPeople"]?.integer == 1)
        try lab.inbound("525512345678")
        #expect(try lab.violations("window") == 2)
        #expect(try lab.send("5215512345678").status == 200)
        #expect(try lab.violations("window") == 2, "the person's window is open")
    }

    @Test(arguments: [
        ["--tier", "0"], ["--tier-hours", "0"], ["--pair-seconds", "never"], ["--messages-per-second", "0"],
        ["--wa-id", "14155550001"], ["--wa-id", "1=14155550001"],
    ])
    func aWrongOptionIsRefused(_ arguments: [String]) throws {
        let lab = try SandboxLab()
        let program = try Program("outbox-sandbox", ["--port", "0"] + arguments, output: lab.folder.file("wrong.log"))
        #expect(program.exitStatus() == 64)
        #expect(program.words.contains(arguments[0]), "\(program.words)")
    }
}
