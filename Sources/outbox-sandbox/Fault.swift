import OutboxCommandLine
import OutboxCore

/// One way to misbehave.
enum Fault: Equatable, Sendable {
    /// Meta's error body with this code; the message is not accepted.
    case error(Int64)
    /// HTTP 429 with code 130429 and Retry-After in seconds.
    case throttle(Int)
    /// An HTTP status without Meta's error body; the message is not accepted.
    case http(Int)
    /// Answers after so many milliseconds.
    case slow(Int)
    /// Takes the request and closes; the message is not accepted.
    case drop
    /// Accepts the message and closes without an answer.
    case loseAnswer
    /// Accepts the message and resets the connection.
    case reset
    /// Accepts the message and sends half an answer.
    case truncate
    /// Accepts the message and answers 200 with a page of HTML.
    case garbage
    /// Accepts the message; a failed status with this code follows.
    case fail(Int64)
    /// Accepts the message; no status follows.
    case silent
    /// Accepts the message as held for quality assessment; its statuses begin a second later.
    case hold
    /// Of an upload: Meta's error body with this code.
    case mediaError(Int64)
    /// An HTTP status without Meta's error body.
    case mediaHTTP(Int)
    /// Takes the file and closes; it is not kept.
    case mediaDrop
    /// Answers after so many milliseconds.
    case mediaSlow(Int)

    /// What the ledger calls it.
    var name: String {
        switch self {
        case .error(let code): "error(\(code))"
        case .throttle(let seconds): "throttle(\(seconds))"
        case .http(let status): "http(\(status))"
        case .slow(let milliseconds): "slow(\(milliseconds))"
        case .drop: "drop"
        case .loseAnswer: "loseAnswer"
        case .reset: "reset"
        case .truncate: "truncate"
        case .garbage: "garbage"
        case .fail(let code): "fail(\(code))"
        case .silent: "silent"
        case .hold: "hold"
        case .mediaError(let code): "mediaError(\(code))"
        case .mediaHTTP(let status): "mediaHTTP(\(status))"
        case .mediaDrop: "mediaDrop"
        case .mediaSlow(let milliseconds): "mediaSlow(\(milliseconds))"
        }
    }

    static let help = """
          error=CODE   Meta's error body, not accepted       throttle=SECONDS  429 with Retry-After, not accepted
          http=STATUS  bare HTTP status, not accepted        drop              closes at once, not accepted
          slow=MS      answers late                          lose-answer       accepted, closes without an answer
          reset        accepted, resets the connection       truncate          accepted, half an answer
          garbage      accepted, answers HTML                fail=CODE         accepted, then a failed status
          silent       accepted, no status follows           hold              accepted as held, sent a second later
          media-error=CODE, media-http=STATUS, media-drop, media-slow=MS: the same of uploads

        """

    init?(_ text: Substring) {
        let parts = text.split(separator: "=" as Character, maxSplits: 1).map(String.init)
        let number = parts.count == 2 ? Int64(parts[1]) : nil
        switch (parts.first, number) {
        case ("error", .some(let code)): self = .error(code)
        case ("throttle", .some(let seconds)) where (0...86_400).contains(seconds): self = .throttle(Int(seconds))
        case ("http", .some(let status)) where (200...599).contains(status): self = .http(Int(status))
        case ("slow", .some(let milliseconds)) where (0...600_000).contains(milliseconds):
            self = .slow(Int(milliseconds))
        case ("fail", .some(let code)): self = .fail(code)
        case ("media-error", .some(let code)): self = .mediaError(code)
        case ("media-http", .some(let status)) where (200...599).contains(status): self = .mediaHTTP(Int(status))
        case ("media-slow", .some(let milliseconds)) where (0...600_000).contains(milliseconds):
            self = .mediaSlow(Int(milliseconds))
        case ("media-drop", nil): self = .mediaDrop
        case ("drop", nil): self = .drop
        case ("lose-answer", nil): self = .loseAnswer
        case ("reset", nil): self = .reset
        case ("truncate", nil): self = .truncate
        case ("garbage", nil): self = .garbage
        case ("silent", nil): self = .silent
        case ("hold", nil): self = .hold
        default: return nil
        }
    }
}

/// When to misbehave: always, by chance, or to one recipient.
struct FaultRule: Sendable {
    let text: String
    private let fault: Fault
    private let share: Double
    private let recipient: String?
    /// Of the Graph API, in place of messages: `message_templates`.
    private let call: String?

    static let calls = [
        "message_templates", "template", "number", "phone_numbers", "message_history", "debug_token", "access_token",
        "register", "deregister", "subscribed_apps", "businesses",
    ]

    var isOfMedia: Bool {
        switch fault {
        case .mediaError, .mediaHTTP, .mediaDrop, .mediaSlow: true
        default: false
        }
    }

    init(_ text: String) throws(Arguments.Problem) {
        let wrong = Arguments.Problem("\(text): no fault rule; see --help")
        self.text = text
        if let slash = text.lastIndex(of: "/") {
            let name = String(text[text.index(after: slash)...])
            guard Self.calls.contains(name), let fault = Fault(text[..<slash]) else { throw wrong }
            (self.fault, share, recipient, call) = (fault, 1, nil, name)
            return
        }
        call = nil
        if let at = text.lastIndex(of: "@") {
            guard let share = Double(text[text.index(after: at)...]), (0...1).contains(share),
                let fault = Fault(text[..<at])
            else { throw wrong }
            (self.fault, self.share, recipient) = (fault, share, nil)
        } else if let colon = text.lastIndex(of: ":") {
            guard let number = PhoneNumber(String(text[text.index(after: colon)...])), let fault = Fault(text[..<colon])
            else { throw wrong }
            (self.fault, share, recipient) = (fault, 1, number.digits)
        } else {
            guard let fault = Fault(text[...]) else { throw wrong }
            (self.fault, share, recipient) = (fault, 1, nil)
        }
    }

    func fault(of call: String, _ chance: inout some RandomNumberGenerator) -> Fault? {
        call == self.call ? fault : nil
    }

    func fault(to digits: String, _ chance: inout some RandomNumberGenerator) -> Fault? {
        guard call == nil else { return nil }
        if let recipient { return recipient == digits ? fault : nil }
        return share >= 1 || Double.random(in: 0..<1, using: &chance) < share ? fault : nil
    }
}
