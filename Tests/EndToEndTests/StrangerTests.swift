import Foundation
import OutboxJSON
import TestKit
import Testing

/// What others on the machine, on the network and at the other end of a conversation get at.
@Suite(.serialized) struct StrangerTests {
    @Test(.enabled(if: isRoot, "needs root to become somebody else")) func nobodyReadsTheDaemonsMemory() throws {
        let lab = try Lab()
        let pid = lab.daemon?.pid ?? 0
        var info = stat()
        #expect(stat("/proc/\(pid)/environ", &info) == 0 && info.st_uid == 0)
        // The same user's other programs neither trace it nor look into it.
        let program = try Program(
            "/usr/bin/setpriv",
            ["--reuid=0", "--bounding-set=-all", "--inh-caps=-all", "/bin/cat", "/proc/\(pid)/environ"],
            output: lab.folder.file("cat.log"))
        #expect(program.exitStatus() == 1 && program.words.contains("Permission denied"), "\(program.words)")
    }

    @Test func anAddressOfTheLinkIsNoEndpoint() throws {
        let lab = try Lab()
        for url in [
            "https://169.254.169.254/latest", "https://[fe80::1]/", "https://[::ffff:a9fe:a9fe]/", "https://0.0.0.0/",
        ] {
            let answer = try lab.call("POST", "/v1/subscriptions", #"{"url":"\#(url)"}"#)
            #expect(answer.status == 400 && answer.text.contains("never called"), "\(url): \(answer.text)")
        }
    }

    /// A person's words, as they come by webhook and go to the operator's terminal.
    @Test func wordsOfOthersDoNotSpeakToTheTerminal() throws {
        let lab = try Lab()
        let evil = #"a\u001b]0;owned\u0007\u009b2Jb\nfake row\u202e"#
        _ = try lab.sandbox(
            "POST", "inbound", #"{"phoneNumberId":"106","from":"14155550123","text":"\#(evil)","name":"\#(evil)"}"#)
        let came = try eventually { try lab.ctl("conversation", "ls").text.contains("main") }
        #expect(came)
        let conversation = try #require(
            try lab.call("GET", "/v1/conversations").json?["data"]?.list.first?["id"]?.string)
        for words in [
            ["conversation", "ls"], ["contact", "ls"], ["conversation", "show", conversation], ["tail"],
            ["tail", "-o", "json"], ["contact", "ls", "--json"], ["conversation", "show", conversation, "--json"],
        ] {
            let text = try lab.ctl(list: words).text
            let obeyed = text.unicodeScalars.filter {
                $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F...0x9F).contains($0.value)
            }
            #expect(!text.isEmpty && obeyed.isEmpty && !text.contains("\nfake"), "\(words)")
        }
    }
}
