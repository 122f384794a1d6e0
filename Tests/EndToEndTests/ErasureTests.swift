import Foundation
import OutboxJSON
import TestKit
import Testing

/// A person asks to be forgotten, and is: by the client, through the socket, in the files.
@Suite(.serialized) struct ErasureTests {
    private func holds(_ lab: Lab, _ word: String) throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: lab.state).contains { name in
            let bytes = FileManager.default.contents(atPath: "\(lab.state)/\(name)") ?? Data()
            return name.hasPrefix("outboxd.db") && bytes.range(of: Data(word.utf8)) != nil
        }
    }

    @Test func aPersonIsForgottenAndOthersAreNot() throws {
        let lab = try Lab()
        let (person, other) = ("14155550166", "14155550167")
        let id = try lab.submit(to: person)
        let kept = try lab.submit(to: other)
        try lab.wait(id, for: "read")
        try lab.wait(kept, for: "read")
        try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"\#(person)","text":"forget me"}"#)
        #expect(try eventually { try lab.ctl("conversation", "ls").text.contains("main") })
        let waiting = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, to: person)
        _ = try lab.submit(to: other)

        #expect(try lab.ctl("erase", person).status == 64)
        #expect(try lab.ctl("erase", "--yes").status == 64)
        #expect(try lab.ctl("erase", "nobody", "--yes").status == 5)
        let erased = try lab.ctl("--reason", "asked by letter", "erase", person, "--yes")
        #expect(erased.status == 0 && erased.text.contains("erased\t2\tmessages"), "\(erased.text)")
        #expect(erased.text.contains("erased\t1\treceived"), "\(erased.text)")
        for gone in [id, waiting] { #expect(try lab.ctl("show", gone).status == 4) }
        #expect(try lab.message(kept)["status"]?.string == "read")
        #expect(try !holds(lab, "forget me") && holds(lab, other))
        let events = try lab.ctl("tail", "--after", "0").text
        #expect(events.contains("person.erased") && events.contains("asked by letter") && !events.contains(person))
        let daemon = try #require(lab.daemon)
        #expect(!daemon.words.isEmpty && !daemon.words.contains(person))
        #expect(try lab.ctl("send", person, "again", "--wait").status == 0)
    }
}
