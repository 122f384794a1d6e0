import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import Testing

/// Answers after Meta's page "Media" (…/whatsapp/business-phone-numbers/media), and whom the token may be given to.
@Suite struct MediaTests {
    private let endpoint = GraphEndpoint(baseURL: "https://graph.facebook.com", version: "v25.0")

    private func answer(_ body: String, status: Int = 200) -> HTTPResult {
        .answered(status: status, headers: [], body: Array(body.utf8))
    }

    private func error(_ code: Int, _ words: String = "x") -> HTTPResult {
        answer(#"{"error":{"message":"\#(words)","code":\#(code)}}"#, status: 400)
    }

    @Test func anUploadEndsInAnIDOrAReason() {
        let parser = JSONParser()
        #expect(
            mediaOutcome(of: answer(#"{"id":"1037543291543636"}"#), parser: parser)
                == .taken(metaID: "1037543291543636"))
        #expect(
            mediaOutcome(of: answer(#"{"id":1037543291543636}"#), parser: parser) == .taken(metaID: "1037543291543636"))
        let refused = Failure(code: "MEDIA_REFUSED", message: "Meta did not take the file: 100 x")
        #expect(mediaOutcome(of: error(100), parser: parser) == .refused(refused))
        func later(_ result: HTTPResult) -> (counts: Bool, code: String)? {
            guard case .later(let failure, _, let counts) = mediaOutcome(of: result, parser: parser) else { return nil }
            return (counts, failure.code)
        }
        #expect(later(error(131_016))! == (true, "131016"))
        #expect(later(error(130_429))! == (false, "130429"))
        #expect(later(error(190))! == (false, "190"))
        #expect(later(.notSent("no way"))! == (false, "NOT_CONNECTED"))
        #expect(later(.broken("cut"))! == (true, "NO_ANSWER"))
        #expect(later(answer("<html>", status: 502))! == (true, "HTTP_502"))
        // What would have to be escaped in a request is no id of Meta's.
        #expect(later(answer(#"{"id":"1\"2"}"#))?.counts == true)
    }

    @Test func aPlaceIsRead() {
        let digest = String(repeating: "aB", count: 32)
        let body =
            #"{"messaging_product":"whatsapp","url":"https://lookaside.fbsbx.com/x","mime_type":"image/jpeg","sha256":"\#(digest)","file_size":"303833","id":"2"}"#
        let place = MediaPlace(
            url: "https://lookaside.fbsbx.com/x", mime: "image/jpeg", sha256: digest.lowercased(), size: 303_833)
        #expect(mediaPlace(of: answer(body), parser: JSONParser()) == .read(place))
        #expect(
            mediaPlace(of: answer(#"{"url":"https://a","sha256":"c2FuZGJveA=="}"#), parser: JSONParser())
                == .read(MediaPlace(url: "https://a")))
    }

    @Test(arguments: [
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", true),
        ("https://GRAPH.facebook.com/x", true), ("https://scontent.whatsapp.net/x", true),
        ("http://lookaside.fbsbx.com/x", false), ("https://fbsbx.com.evil.example/x", false),
        ("https://evilfbsbx.com/x", false), ("https://lookaside.fbsbx.com@evil.example/x", false),
        ("https://evil.example/?https://lookaside.fbsbx.com/", false),
        ("https://lookaside.fbsbx.com\\@evil.example/", false),
        ("lookaside.fbsbx.com/x", false), ("https://lookaside.fbsbx.com:8443/x", false),
    ]) func theTokenGoesToMetaAlone(url: String, isTrusted: Bool) {
        #expect(endpoint.trusts(url) == isTrusted)
    }

    @Test func whereTheGraphAPIIsSetToBeIsTrusted() {
        let local = GraphEndpoint(baseURL: "http://127.0.0.1:8990", version: "v25.0")
        #expect(local.trusts("http://127.0.0.1:8990/whatsapp_business/attachments/?mid=1"))
        #expect(!local.trusts("http://127.0.0.1:8991/x"))
        #expect(!local.trusts("https://127.0.0.1:8990/x"))
    }

    @Test(arguments: ["image", "video", "audio", "document", "sticker"]) func aFileOfOursStandsWhereMetaHasAnID(
        kind: String
    ) throws {
        let id = "0190a000-0000-7000-8000-000000000001"
        func check(_ json: String) throws -> ContentVerdict { verdict(on: try JSONParser().parse(json.utf8), of: kind) }
        #expect(try check(#"{"media":"\#(id)"}"#) == .fits)
        #expect(
            try check(#"{"media":"\#(id)","id":"1"}"#)
                == .wrong([ContentProblem("\(kind).id", "and media exclude each other: give one of them")]))
        #expect(
            try check(#"{"media":"photo.jpg"}"#)
                == .wrong([ContentProblem("\(kind).media", "must be the id of a file handed in with POST /v1/media")]))
    }
}
