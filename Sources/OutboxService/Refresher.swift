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
    /// What Meta says of the token; nil: not asked.
    var token: Reading<TokenFacts>?
    /// Somebody waits for what is new among the templates.
    var exchange: Exchange?
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
        case ask([Subject], Exchange?)
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
                var subjects: [(subject: Subject, exchange: Exchange?)] = []
                for case .ask(let asked, let exchange) in mailbox.take() {
                    for subject in asked
                    where exchange != nil || !subjects.contains(where: { $0.subject == subject }) {
                        subjects.append((subject, exchange))
                    }
                }
                for (subject, exchange) in subjects {
                    guard let token = secrets.value(subject.credential) else {
                        let words = "the secret \(subject.credential) holds no access token"
                        let failure = Failure(code: "NO_TOKEN", message: words)
                        news(LineNews(subject: subject, health: .failed(failure), exchange: exchange))
                        continue
                    }
                    var found = Self.ask(subject, target(), token, parser)
                    found.exchange = exchange
                    news(found)
                }
                _ = bell.wait()
                bell.clear()
            }
        }
    }

    /// Answers come as news; asked about twice at once, a line is asked once.
    func ask(_ subjects: [Subject]) { mailbox.post(.ask(subjects, nil)) }

    /// The writer answers when it has taken up what is new.
    func ask(_ subject: Subject, for exchange: Exchange) { mailbox.post(.ask([subject], exchange)) }

    private static func ask(
        _ subject: Subject, _ endpoint: GraphEndpoint, _ token: String, _ parser: JSONParser
    ) -> LineNews {
        let number = endpoint.phoneNumber(phoneNumberID: subject.phoneNumberID, token: token, timeout: patience)
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        var news = LineNews(
            subject: subject, health: lineHealth(of: callAndWait(number), parser: parser, now: now))
        if !news.tokenIsRefused {
            news.token = tokenFacts(of: callAndWait(endpoint.debugToken(token, timeout: patience)), parser: parser)
        }
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

extension LineNews {
    /// Meta did not take the token for the first question.
    var tokenIsRefused: Bool {
        if case .failed(let failure) = health { TokenHealth.refusals.contains(failure.code) } else { false }
    }

    /// What is known of the token now, from what was known before.
    func token(before: TokenHealth?, now: Timestamp) -> TokenHealth? {
        if case .failed(let failure) = health, tokenIsRefused {
            return TokenHealth(
                state: .refused, expiresAt: before?.expiresAt, checkedAt: now, reason: failure.message)
        }
        switch token {
        case .read(let facts) where !facts.isValid:
            return TokenHealth(state: .refused, expiresAt: facts.expiresAt, checkedAt: now, reason: facts.problem)
        case .read(let facts): return TokenHealth(expiresAt: facts.expiresAt, now: now)
        case .failed, nil: break
        }
        // It was taken for the first question, whatever it was before.
        if case .read = health, before?.state == .refused {
            return TokenHealth(expiresAt: before?.expiresAt, now: now)
        }
        return before?.at(now)
    }
}
