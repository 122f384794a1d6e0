/// What a code of outboxd's own means and asks for.
package struct ErrorWords: Sendable {
    package var means: String
    /// Whether the message may have left: `no` or `perhaps`.
    package var sent: String
    package var then: String
    package var remedy: String

    package init(_ means: String, sent: String, then: String, remedy: String) {
        self.means = means
        self.sent = sent
        self.then = then
        self.remedy = remedy
    }

    /// Of a call that was refused or came to nothing.
    fileprivate init(_ means: String, _ remedy: String, then: String = "nothing is stored or changed") {
        self.init(means, sent: "no", then: then, remedy: remedy)
    }
}

extension APIError.Code {
    /// For whoever got it as `error.code`.
    package var words: ErrorWords {
        switch self {
        case .validation:
            ErrorWords("fields are wrong, missing or unknown", "details names each with what would be right")
        case .malformed:
            ErrorWords("the request is no HTTP or no JSON as it should be", "the message says where")
        case .unauthorized:
            ErrorWords("the socket wants a key and there is none, or it is not known", "outboxctl key add NAME")
        case .forbidden:
            ErrorWords(
                "the caller may not do that",
                "the message names the role it takes; readers, senders, admins in "
                    + "outboxd.conf, or a key with that role")
        case .notFound:
            ErrorWords("there is no such thing, or it is another account's", "look at the id; --account names another")
        case .methodNotAllowed: ErrorWords("the path is right, the method is not", "see the header Allow")
        case .conflict:
            ErrorWords(
                "what is asked for does not fit what is there or goes on", "the message says what; then try again")
        case .idempotencyConflict:
            ErrorWords(
                "the Idempotency-Key was used before, by the same user, for something else",
                "repeat a call byte for byte, or give a new one a new key",
                then: "nothing is stored; what it was first used for stands")
        case .windowClosed:
            ErrorWords(
                "a text to somebody who has not written to the line within 24 hours (Meta's 131047)",
                "send a template, or give one with --fallback; outboxctl line add NAME --closed-window leave when the "
                    + "line's webhooks do not come here")
        case .lineStopped:
            ErrorWords(
                "Meta says that the line's number cannot send", "outboxctl line health NAME",
                then: "nothing is stored, for the line says --when-stopped refuse")
        case .optedOut:
            ErrorWords(
                "the message is marketing, and the person wants none: said so in WhatsApp, by a word to the line, or to you",
                "send no marketing to this person; outboxctl opt-out ls tells since when and why")
        case .frequencyCap:
            ErrorWords(
                "the message is marketing, and the person was sent as much of it as the cap allows",
                "wait as Retry-After says, or see outboxctl cap ls")
        case .limitReached:
            ErrorWords(
                "the pool has written to as many people as its tier allows in 24 hours, or the caller has made as many "
                    + "calls as it may in a minute",
                "wait as Retry-After says; for the tier, submit with --when-full wait")
        case .queueFull:
            ErrorWords(
                "as many messages wait as may",
                "wait as Retry-After says; see outboxctl queue and the setting queue-max")
        case .tooLate:
            ErrorWords("the message has left, or may have, or has ended", "outboxctl show ID tells what became of it")
        case .tooLarge:
            ErrorWords("the body, the head or a line of a stream is too long", "the message names the limit")
        case .metaRefused:
            ErrorWords(
                "Meta refused what it was asked for at once, such as a read mark",
                "see errorCode in the answer, and outboxctl explain-code with that")
        case .metaUnreachable:
            ErrorWords(
                "Meta did not answer what it was asked for at once", sent: "perhaps", then: "nothing is changed",
                remedy: "try again in a moment")
        case .unavailable:
            ErrorWords(
                "too much at once, a database that cannot be written, outboxd stopping, or nothing gets through to Meta "
                    + "and the line says --when-down refuse", "try again, as Retry-After says")
        case .storageFull:
            ErrorWords(
                "the disk of the state directory has no room for more",
                "free some space: what was accepted goes on, and intake begins again by itself")
        case .internalError:
            ErrorWords(
                "a fault of outboxd's or of the machine's",
                "see journalctl -u outboxd; for a message, look for it before "
                    + "it is submitted again, or use an Idempotency-Key", then: "see the journal")
        }
    }
}
