import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxSystem

/// A page with its style and script in it, and what its browser may do.
struct WebPage {
    let body: [UInt8]
    let policy: String

    /// `sources` are further ones, by directive. Nothing runs but what stands in the page, known by its hash, and they.
    fileprivate init(_ body: [UInt8], script: String = "", _ sources: String) {
        self.body = body
        let text = String(decoding: body, as: UTF8.self)
        policy =
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            + "script-src \(Self.hash(text, "script"))\(script.isEmpty ? "" : " \(script)"); "
            + "style-src \(Self.hash(text, "style")); \(sources)"
    }

    /// Of what stands between an element's tags (CSP 3, 8.4: the hash of an inline block).
    private static func hash(_ page: String, _ element: String) -> String {
        guard let start = page.range(after: "<\(element)>"), let end = page[start...].range(before: "</\(element)>")
        else { preconditionFailure("the page has no \(element)") }
        return "'sha256-\(Base64.text(sha256(Array(page[start..<end].utf8))))'"
    }

    var response: HTTPResponse {
        HTTPResponse(
            status: 200,
            headers: [HTTPHeader("content-type", "text/html; charset=utf-8")], body: body)
    }
}

enum Pages {
    /// Meta's script (developers.facebook.com/docs/facebook-login/web) opens a window and listens to its frames.
    static let onboarding = WebPage(
        Documents.onboardingPage, script: "https://connect.facebook.net",
        "connect-src 'self' https://*.facebook.com; frame-src https://*.facebook.com; img-src https://*.facebook.com")
    static let inbox = WebPage(
        Documents.inboxPage, "connect-src 'self'; img-src 'self'; media-src 'self'; require-trusted-types-for 'script'")
}

extension StringProtocol {
    /// Where it goes on behind the first `word`.
    fileprivate func range(after word: String) -> Index? { place(of: word).map { index($0, offsetBy: word.count) } }

    fileprivate func range(before word: String) -> Index? { place(of: word) }

    private func place(of word: String) -> Index? {
        indices.first { self[$0] == word.first && self[$0...].hasPrefix(word) }
    }
}
