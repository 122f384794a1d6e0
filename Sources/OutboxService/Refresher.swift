import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// What Meta was asked about one line and said.
struct LineNews: Sendable {
    var subject: Refresher.Subject
    var health: Reading<LineHealth>
    /// Nil: not asked, or not answered whole.
    var templates: [Template]?
    var templateProblem: Failure?
}

/// Asks Meta in the background how the lines do and which templates they have, one line after the other.
final class Refresher: Sendable {
    /// A line to be asked about, with what that takes.
    struct Subject: Equatable, Sendable {
        var line: Int64
        var phoneNumberID: String
        var wabaID: String?
        var credential: String
    }

    private enum Mail: Sendable {
        case ask([Subject])
    }

    private let mailbox: Mailbox<Mail>
    private let thread: Thread

    /// Pages of templates: more than Meta's 6,000 do not exist.
    private static let pagesMax = 100
    private static let patience = Duration.seconds(20)

    init(
        target: @escaping @Sendable () -> GraphEndpoint, secrets: Secrets,
        news: @escaping @Sendable (LineNews) -> Void
    ) {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        thread = Thread("refresher") {
            let parser = JSONParser()
            while true {
                var subjects: [Subject] = []
                for case .ask(let asked) in mailbox.take() {
                    for subject in asked where !subjects.contains(subject) { subjects.append(subject) }
                }
                for subject in subjects {
                    guard let token = secrets.value(subject.credential) else {
                        let words = "the secret \(subject.credential) holds no access token"
                        news(LineNews(subject: subject, health: .failed(Failure(code: "NO_TOKEN", message: words))))
                        continue
                    }
                    news(Self.ask(subject, target(), token, parser))
                }
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    /// Answers come as news; asked about twice at once, a line is asked once.
    func ask(_ subjects: [Subject]) { mailbox.post(.ask(subjects)) }

    private static func ask(
        _ subject: Subject, _ endpoint: GraphEndpoint, _ token: String, _ parser: JSONParser
    ) -> LineNews {
        let number = endpoint.phoneNumber(phoneNumberID: subject.phoneNumberID, token: token, timeout: patience)
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        var news = LineNews(
            subject: subject, health: lineHealth(of: callAndWait(number), parser: parser, now: now))
        guard case .read = news.health, let waba = subject.wabaID else { return news }
        var templates: [Template] = []
        var after: String?
        for _ in 0..<pagesMax {
            let request = endpoint.templates(wabaID: waba, token: token, after: after, timeout: patience)
            switch templatePage(of: callAndWait(request), parser: parser) {
            case .failed(let failure):
                news.templateProblem = failure
                return news
            case .read(let page):
                templates += page.templates
                after = page.after
            }
            if after == nil { break }
        }
        news.templates = templates
        return news
    }
}
