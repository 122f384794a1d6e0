import Foundation
import OutboxHTTP
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// Files in, to Meta, and out again, through the real programs.
@Suite struct MediaTests {
    private static let png =
        [UInt8]([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) + [UInt8](repeating: 7, count: 5000)

    private struct Kept {
        var status: Int
        var json: JSONValue?
        var id: String { json?[path: "data", "id"]?.string ?? "" }
        var upload: JSONValue? { json?[path: "data", "uploads"]?.list.first }
    }

    private func post(
        _ lab: Lab, _ bytes: [UInt8], _ query: String = "", type: String = "image/png"
    ) throws -> Kept {
        let request = OutgoingRequest(
            method: "POST", url: "http://x/v1/media\(query)", headers: ["Content-Type: \(type)"], body: bytes,
            timeout: .seconds(60), unixSocket: lab.socket)
        guard case .answered(let status, _, let body) = callAndWait(request) else { throw Lab.Missing(what: "answer") }
        return Kept(status: status, json: try? JSONParser().parse(body))
    }

    private func get(_ lab: Lab, _ id: String) throws -> (status: Int, body: [UInt8], headers: [HTTPHeader]) {
        let request = OutgoingRequest(
            method: "GET", url: "http://x/v1/media/\(id)", timeout: .seconds(60), unixSocket: lab.socket,
            answerBytesMax: 8 << 20)
        let result = callAndWait(request)
        guard case .answered(let status, let headers, let body) = result else { throw Lab.NoAnswer(result: result) }
        return (status, body, headers)
    }

    private func submit(_ lab: Lab, _ media: String, to: String = "14155550100") throws -> String {
        let body = #"{"to":"\#(to)","line":"main","image":{"media":"\#(media)","caption":"c"}}"#
        let answer = try lab.call("POST", "/v1/messages", body)
        #expect(answer.status == 202, "\(answer.text)")
        return answer.json?[path: "data", "id"]?.string ?? ""
    }

    private func uploads(_ lab: Lab) throws -> Int64? {
        try lab.sandbox("GET", "summary")?[path: "data", "uploads"]?.integer
    }

    private func files(_ lab: Lab) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: lab.state + "/media")) ?? []
    }

    @Test func aFileIsHandedInUploadedOnceSentToManyAndHandedOut() throws {
        let lab = try Lab()
        let kept = try post(lab, Self.png, "?filename=a.png")
        #expect(kept.status == 201)
        #expect(files(lab) == [hexadecimal(sha256(Self.png))])
        let mode = try FileManager.default.attributesOfItem(atPath: "\(lab.state)/media/\(files(lab)[0])")
        #expect(mode[.posixPermissions] as? Int == 0o600)
        #expect(try post(lab, Self.png).status == 200)
        let boundary = "multipart/form-data; boundary=B"
        let form =
            Array("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.png\"\r\n\r\n".utf8) + Self.png
            + Array("\r\n--B--\r\n".utf8)
        let again = try post(lab, form, type: boundary)
        #expect(again.status == 200 && again.id == kept.id)
        #expect(again.json?[path: "data", "filename"]?.string == "b.png")

        let ids = try (0..<200).map { try submit(lab, kept.id, to: "1415555\(1000 + $0)") }
        for id in ids { try lab.wait(id, for: "read") }
        #expect(try uploads(lab) == 1)
        let sent = try #require(try lab.sandbox("GET", "ledger?limit=1")?["data"]?.list.first?["body"]?["image"])
        #expect(sent["media"] == nil && sent["caption"]?.string == "c")
        let listed = try #require(try lab.call("GET", "/v1/media").json?["data"]?.list.first)
        #expect(listed["uploads"]?.list.first?["metaId"]?.string == sent["id"]?.string)

        let out = try get(lab, kept.id)
        #expect(out.status == 200 && out.body == Self.png)
        #expect(out.headers.first { $0.name == "content-disposition" }?.value == "attachment; filename*=UTF-8''b.png")
        #expect(try lab.call("DELETE", "/v1/media/\(kept.id)").status == 204)
        #expect(try get(lab, kept.id).status == 404)
        #expect(eventually { files(lab).isEmpty })
        #expect(lab.stopDaemon() == 0)
    }

    @Test func withALineMetasIDIsTold() throws {
        let lab = try Lab()
        let kept = try post(lab, Self.png, "?line=main")
        #expect(kept.status == 201 && kept.upload?["status"]?.string == "done")
        #expect(kept.upload?["metaId"]?.string?.isEmpty == false && kept.upload?["expiresAt"]?.string != nil)
        #expect(try post(lab, Self.png, "?line=main").upload?["metaId"]?.string == kept.upload?["metaId"]?.string)
        #expect(try uploads(lab) == 1)
        #expect(try post(lab, Self.png + [1], "?line=nobody").status == 400)
        #expect(eventually { files(lab).count == 1 })
        try lab.setFaults("media-error=131053")
        let refused = try post(lab, Self.png + [2], "?line=main")
        #expect(refused.status == 202 && refused.upload?["status"]?.string == "refused", "\(refused)")
    }

    @Test func whatCannotBeSentIsRefusedAndLeavesNothing() throws {
        let lab = try Lab()
        #expect(try post(lab, []).status == 400)
        #expect(try post(lab, Array("hello".utf8)).status == 400)
        #expect(try post(lab, Self.png, type: "text/html").status == 400)
        #expect(try post(lab, Self.png, "?colour=red").status == 400)
        #expect(try post(lab, Array("hello".utf8), type: "application/octet-stream").status == 400)
        #expect(try post(lab, Self.png + [UInt8](repeating: 0, count: 6 << 20)).status == 413)
        #expect(try post(lab, Array("--B\r\nx".utf8), type: "multipart/form-data; boundary=B").status == 400)
        #expect(eventually { files(lab).isEmpty })
        #expect(try lab.call("GET", "/v1/media").json?["data"]?.list.count == 0)
        let wrong = try lab.call(
            "POST", "/v1/messages", #"{"to":"14155550100","image":{"media":"0190a000-0000-7000-8000-000000000001"}}"#)
        #expect(wrong.status == 400 && wrong.text.contains("image.media"), "\(wrong.text)")
    }

    @Test func theLastOfTheDiskIsNotForFiles() throws {
        let lab = try Lab(daemon: ["--free-disk-min", "1048576"])
        let refused = try post(lab, Self.png)
        #expect(refused.status == 507, "\(refused)")
        #expect(files(lab).isEmpty)
    }

    @Test func oneAccountHasNoneOfAnothersFiles() throws {
        let lab = try Lab()
        let kept = try post(lab, Self.png)
        #expect(try lab.call("POST", "/v1/accounts", #"{"name":"shop"}"#).status == 201)
        let other = ["Outboxd-Account: shop"]
        #expect(try lab.call("GET", "/v1/media", headers: other).json?["data"]?.list.count == 0)
        #expect(try lab.call("GET", "/v1/media/\(kept.id)", headers: other).status == 404)
        #expect(try lab.call("DELETE", "/v1/media/\(kept.id)", headers: other).status == 404)
        let body = #"{"to":"14155550100","image":{"media":"\#(kept.id)"}}"#
        #expect(
            try lab.call("PUT", "/v1/lines/till", #"{"phoneNumberId":"108","token":"t"}"#, headers: other).status == 201
        )
        #expect(try lab.call("POST", "/v1/messages", body, headers: other).status == 400)
    }

    @Test func templatesAndHeadersNameFiles() throws {
        let lab = try Lab()
        let id = try post(lab, Self.png).id
        let header = #"{"type":"header","parameters":[{"type":"image","image":{ "media" : "\#(id.uppercased())" }}]}"#
        let template = #"{"to":"14155550100","template":{"name":"a","language":"en","components":[\#(header)]}}"#
        let button = #"{"type":"reply","reply":{"id":"1","title":"Yes"}}"#
        let interactive =
            #"{"to":"14155550101","interactive":{"type":"button","header":{"type":"image","image":{"media":"\#(id)"}},"body":{"text":"b"},"action":{"buttons":[\#(button)]}}}"#
        var metaIDs: Set<String> = []
        for body in [template, interactive] {
            let answer = try lab.call("POST", "/v1/messages", body)
            #expect(answer.status == 202, "\(answer.text)")
            try lab.wait(answer.json?[path: "data", "id"]?.string ?? "", for: "read")
            let sent = try #require(try lab.sandbox("GET", "ledger")?["data"]?.list.last?["body"])
            let parameter = sent[path: "template", "components"]?.list.first?["parameters"]?.list.first
            let image = parameter?["image"] ?? sent[path: "interactive", "header", "image"]
            metaIDs.insert(try #require(image?["id"]?.string))
        }
        #expect(metaIDs.count == 1)
        let two =
            #"{"type":"header","parameters":[{"type":"image","image":{"media":"\#(try post(lab, Self.png + [1]).id)"}}]}"#
        let mixed = #"{"to":"14155550100","template":{"name":"a","language":"en","components":[\#(header),\#(two)]}}"#
        #expect(try lab.call("POST", "/v1/messages", mixed).status == 400)
        let fallback =
            #"{"to":"14155550100","message":"m","fallback":{"template":{"name":"a","language":"en","components":[\#(header)]}}}"#
        #expect(try lab.call("POST", "/v1/messages", fallback).status == 400)
    }

    @Test func aClientThatBreaksOffLeavesNothing() throws {
        let lab = try Lab()
        var client: RawClient? = RawClient(lab.socket)
        let head = "POST /v1/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
        #expect(client?.say(Array(head.utf8) + Self.png) == true)
        #expect(eventually { files(lab).count == 1 })
        client = nil
        #expect(eventually { files(lab).isEmpty })
    }

    @Test func aKillDuringTheUploadLosesNothing() throws {
        let lab = try Lab()
        try lab.setFaults("media-slow=60000")
        let kept = try post(lab, Self.png)
        let id = try submit(lab, kept.id)
        #expect(try eventually { try lab.message(id)["gate"]?.string == "media" })
        let why = try lab.call("GET", "/v1/messages/\(id)/why").text
        #expect(why.contains("is being uploaded to Meta"), "\(why)")
        lab.killDaemon()
        try lab.setFaults()
        try lab.startDaemon()
        try lab.wait(id, for: "read")
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "accepted"]?.integer == 1)
    }

    @Test func whatAKillLeftBehindIsSweptAtTheNextStart() throws {
        let lab = try Lab()
        let kept = try post(lab, Self.png)
        lab.killDaemon()
        for name in [".unfinished-7", String(repeating: "0a", count: 32)] {
            try Data([1]).write(to: URL(fileURLWithPath: "\(lab.state)/media/\(name)"))
        }
        try lab.startDaemon()
        #expect(files(lab) == [hexadecimal(sha256(Self.png))])
        #expect(try get(lab, kept.id).body == Self.png)
    }

    @Test func anIDMetaForgotIsUploadedAnew() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t","firstWaitSeconds":1,\#(Lab.freely)}"#)
        let kept = try post(lab, Self.png)
        try lab.wait(try submit(lab, kept.id), for: "read")
        try lab.sandbox("DELETE", "media")
        let id = try submit(lab, kept.id, to: "14155550101")
        let message = try lab.wait(id, for: "read")
        #expect(try uploads(lab) == 2, "\(message)")
    }

    @Test func uploadsThatDoNotGetThroughAreTriedAgainAndRefusedOnesFail() throws {
        let lab = try Lab(line: #"{"phoneNumberId":"106","token":"t","firstWaitSeconds":1,\#(Lab.freely)}"#)
        try lab.setFaults("media-http=502")
        let kept = try post(lab, Self.png)
        let id = try submit(lab, kept.id)
        #expect(try eventually { try lab.call("GET", "/v1/messages/\(id)/why").text.contains("HTTP_502") })
        try lab.setFaults()
        try lab.wait(id, for: "read")
        try lab.setFaults("media-error=100")
        let other = try submit(lab, try post(lab, Self.png + [1]).id)
        let failed = try lab.wait(other, for: "failed")
        #expect(failed["errorCode"]?.string == "MEDIA_REFUSED")
    }

    @Test func aPersonsFileIsStreamedFromMeta() throws {
        let lab = try Lab()
        let bytes = Self.png + [9, 9, 9]
        let request = OutgoingRequest(
            method: "POST", url: "http://127.0.0.1:\(lab.sandboxPort)/sandbox/media?type=image/png", body: bytes)
        guard case .answered(200, _, let answer) = callAndWait(request),
            let id = try JSONParser().parse(answer)["id"]?.string
        else { throw Lab.Missing(what: "id") }
        #expect(try get(lab, id).status == 404)
        let content = #"{"id":"\#(id)","mime_type":"image/png","filename":"x.png"}"#
        try lab.sandbox(
            "POST", "inbound", #"{"phoneNumberId":"106","from":"14155550100","type":"image","content":\#(content)}"#)
        #expect(try eventually { try get(lab, id).status == 200 })
        #expect(try get(lab, id).body == bytes)
        let file = lab.folder.file("out.png")
        let fetched = try lab.ctl("media", "get", id, file)
        #expect(fetched.status == 0, "\(fetched.text)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data(bytes))
        try lab.sandbox("DELETE", "media")
        #expect(try get(lab, id).status == 400)
    }

    @Test func outboxctlHandsInWhatItSends() throws {
        let lab = try Lab()
        let file = lab.folder.file("photo.png")
        try Data(Self.png).write(to: URL(fileURLWithPath: file))
        let sent = try lab.ctl("send", "14155550100", "--image", file, "--caption", "C", "--wait=read")
        #expect(sent.status == 0, "\(sent.text)")
        let id = try lab.ctl("media", "upload", file, "--line", "main", "--output", "id")
        #expect(id.status == 0, "\(id.text)")
        let listed = try lab.ctl("media", "ls").text
        #expect(listed.contains("photo.png") && listed.contains("main done"), "\(listed)")
        let media = String(id.text.dropLast())
        #expect(try lab.ctl("send", "14155550101", "--image", media, "--wait=read").status == 0)
        #expect(try lab.ctl("send", "14155550101", "--image", file, "--dry-run").status == 64)
        #expect(try uploads(lab) == 1)
        #expect(try lab.ctl("media", "rm", media).status == 0)
        #expect(try lab.ctl("media", "rm", media).status == 4)
    }

    /// In the highest the daemon ever stood at, in KiB.
    private func memoryPeak(_ lab: Lab) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(try #require(lab.daemon).pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(Int(line.filter(\.isNumber)))
    }

    @Test func aHundredMegabytesAreNeverWholeInMemory() throws {
        let lab = try Lab()
        let size = 100 << 20
        let file = lab.folder.file("big.pdf")
        try #require(FileManager.default.createFile(atPath: file, contents: Data("%PDF-1.7".utf8)))
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: UInt64(size))
        try handle.close()
        _ = try lab.call("GET", "/v1/status")
        let before = try memoryPeak(lab)
        let sent = try lab.ctl("send", "14155550100", "--document", file, "--wait=read", "--timeout=120s")
        #expect(sent.status == 0, "\(sent.text)")
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "uploadedBytes"]?.integer == Int64(size))
        let id = try #require(try lab.call("GET", "/v1/media").json?["data"]?.list.first?["id"]?.string)
        let out = lab.folder.file("out.pdf")
        let fetched = try lab.ctl("media", "get", id, out)
        #expect(fetched.status == 0, "\(fetched.text)")
        #expect(try FileManager.default.attributesOfItem(atPath: out)[.size] as? Int == size)
        let grown = try memoryPeak(lab) - before
        #expect(grown < (24 << 10) * memoryFactor, "\(grown) KiB more")
        let long = try lab.ctl("media", "upload", file, "--type", "text/plain")
        #expect(long.status == 5, "\(long.text)")
        try FileHandle(forWritingAtPath: file)?.truncate(atOffset: UInt64(size + 1))
        let longer = try lab.ctl("media", "upload", file)
        #expect(longer.status == 5 && longer.text.contains("TOO_LARGE"), "\(longer.text)")
    }
}
