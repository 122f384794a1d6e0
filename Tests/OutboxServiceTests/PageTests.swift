import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import Testing

@testable import OutboxService

@Suite struct PageTests {
    private func read(_ method: String, _ target: String) throws -> PageCall {
        try PageCall.read(RequestHead(method: method, target: target))
    }

    @Test func pathsOfPagesAreTheseAndNoOthers() throws {
        #expect(try read("GET", "/onboard/t").deed == .onboardingPage)
        #expect(try read("HEAD", "/inbox/t").deed == .inboxPage)
        #expect(try read("POST", "/onboard/t/connect").isChange)
        #expect(try read("POST", "/inbox/t/conversations/c%20d/messages").deed == .send("c d"))
        #expect(try read("GET", "/inbox/t/messages/m/file").deed == .file("m"))
        for (method, target) in [
            ("GET", "/"), ("GET", "/inbox"), ("GET", "/inbox/"), ("GET", "/inbox/t/"), ("GET", "/inbox//link"),
            ("GET", "/v1/status"), ("GET", "/inbox/t/connect"), ("POST", "/inbox/t"), ("GET", "/onboard/t/connect"),
            ("GET", "/inbox/t/conversations/c/messages/more"), ("GET", "/inbox/%ff/link"),
        ] {
            #expect(throws: APIError.self, "\(target)") { try read(method, target) }
        }
    }

    @Test func onlyWhatStandsInAPageRuns() throws {
        for page in [Pages.onboarding, Pages.inbox] {
            let text = String(decoding: page.body, as: UTF8.self)
            #expect(text.components(of: "<script").count == 2 && text.components(of: "<style").count == 2)
            for word in [" onclick=", " onerror=", " style=", "innerHTML", "javascript:", "unsafe"] {
                #expect(!text.contains(word), "\(word)")
            }
            #expect(page.policy.hasPrefix("default-src 'none'") && page.policy.contains("frame-ancestors 'none'"))
            #expect(!page.policy.contains("unsafe"))
        }
        #expect(!String(decoding: Pages.inbox.body, as: UTF8.self).contains("https://"))
    }

    @Test func whereAPageIsIsTheSchemeTheHostAndThePort() throws {
        var settings = Settings()
        try settings.set("public-url", "https://Wa.example.com:8443/links/")
        #expect(settings.publicURL == "https://Wa.example.com:8443/links")
        #expect(PageSettings(settings, isOpen: true).origin == "https://wa.example.com:8443")
        try settings.set("public-url", "https://wa.example.com:443/links")
        #expect(PageSettings(settings, isOpen: true).origin == "https://wa.example.com")
        for wrong in ["http://wa.example.com", "wa.example.com", "https://", "https://a.example/?x=1", "ftp://a"] {
            #expect(throws: Settings.Problem.self, "\(wrong)") { try settings.set("public-url", wrong) }
        }
        for wrong in ["0.0.0.0:80", "127.0.0.1", "192.0.2.1:80"] {
            #expect(throws: Settings.Problem.self, "\(wrong)") { try settings.set("pages", wrong) }
        }
        for wrong in ["", "x", "12a"] {
            #expect(throws: Settings.Problem.self, "\(wrong)") { try settings.set("signup-app-id", wrong) }
        }
    }

    @Test func aContentNamesOneThingAndItsPermission() throws {
        func read(_ text: String) throws -> InboxContent {
            try InboxContent.read(try JSONParser().parse(Array(text.utf8)))
        }
        #expect(try read(#"{"text":"a\"b"}"#).field == "message")
        #expect(try read(#"{"text":"x"}"#).permission == .sendText)
        #expect(try read(#"{"template":{"name":"a","language":"en"}}"#).permission == .sendTemplates)
        #expect(try read(#"{"advanced":{"reaction":{"emoji":"x"}}}"#).field == "reaction")
        let media = try read(#"{"media":{"kind":"image","id":"7","caption":"c","filename":"f"}}"#)
        #expect(media.permission == .sendMedia && media.json == Array(#"{"media":"7","caption":"c"}"#.utf8))
        for wrong in [
            "{}", "[]", #"{"text":7}"#, #"{"text":"x","template":{}}"#, #"{"advanced":{"image":{"id":"7"}}}"#,
            #"{"advanced":{"text":{"body":"x"}}}"#, #"{"advanced":{"location":{},"reaction":{}}}"#,
            #"{"media":{"id":"7"}}"#, #"{"media":{"kind":"poll","id":"7"}}"#, #"{"to":"1","text":"x"}"#,
        ] {
            #expect(throws: APIError.self, "\(wrong)") { try read(wrong) }
        }
    }
}

extension String {
    fileprivate func components(of word: String) -> [String] {
        var rest = Substring(self)
        var found: [String] = []
        while let place = rest.indices.first(where: { rest[$0...].hasPrefix(word) }) {
            found.append(String(rest[..<place]))
            rest = rest[rest.index(after: place)...]
        }
        return found + [String(rest)]
    }
}
