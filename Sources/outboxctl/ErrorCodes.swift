import OutboxAPI

/// Codes of messages, in `errorCode` of a message and its attempts, that are none of Meta's.
let failureCodes: [(code: String, words: ErrorWords)] = [
    (
        "EXPIRED",
        ErrorWords(
            "its expiresAt passed before it could leave", sent: "no", then: "the message fails",
            remedy: "submit a new one")
    ),
    (
        "OUTCOME_UNKNOWN",
        ErrorWords(
            "outboxd ended while it was on its way, or no answer and no status came in time", sent: "perhaps",
            then: "what the line's onUnknown says",
            remedy: "outboxctl line add NAME --on-unknown byKind|hold|resend|evidence|fail")
    ),
    (
        "NO_ANSWER",
        ErrorWords(
            "the request may have arrived, no whole answer came", sent: "perhaps",
            then: "what the line's onUnknown says",
            remedy: "wait for Meta's webhook; check that webhooks arrive")
    ),
    (
        "NOT_CONNECTED",
        ErrorWords(
            "Meta could not be reached", sent: "no",
            then: "the line is held, one message at a time tries; no try counts",
            remedy: "check network, DNS and proxy")
    ),
    (
        "NO_TOKEN",
        ErrorWords(
            "the secret with the line's access token is missing", sent: "no", then: "the line is held",
            remedy: "outboxctl line add NAME --token -, or put the file there and outboxctl reload")
    ),
    (
        "MEDIA_REFUSED",
        ErrorWords(
            "Meta did not take the file the message names", sent: "no", then: "all messages that wait for it fail",
            remedy: "see errorMessage; hand in a file Meta takes, then outboxctl retry")
    ),
    (
        "MEDIA_MISSING",
        ErrorWords(
            "the bytes of the file the message names are not in the state directory, as after a restore of the "
                + "database alone", sent: "no", then: "all messages that wait for it fail",
            remedy: "outboxctl media upload FILE: the same file gets the same id; then outboxctl retry")
    ),
    (
        "MEDIA_UNREADABLE",
        ErrorWords(
            "the bytes of the file the message names are there and cannot be read: the disk, the rights, or too many open "
                + "files", sent: "no", then: "all messages that wait for it wait on; it is tried again",
            remedy: "see what outboxd's journal and outboxctl why say of it")
    ),
    (
        "MEDIA_GONE",
        ErrorWords(
            "the file the message names was removed", sent: "no", then: "the message fails",
            remedy: "hand in the file again and submit a new message")
    ),
    (
        "NO_CODE",
        ErrorWords("Meta's error has no code", sent: "no", then: "the message fails", remedy: "see errorMessage")
    ),
    (
        "HTTP_5xx",
        ErrorWords(
            "an answer without Meta's own words, or with 408 or 2xx: a proxy, Meta's edge, or a wrong graph-url",
            sent: "perhaps", then: "what the line's onUnknown says", remedy: "check graph-url and the proxy")
    ),
    (
        "HTTP_4xx",
        ErrorWords(
            "an answer without Meta's own words: a proxy, Meta's edge, or a wrong graph-url", sent: "no",
            then: "429: the line is held; others: tried again", remedy: "check graph-url and the proxy")
    ),
]

/// Those of outboxd's own codes that `word` is.
func ownCode(_ word: String) -> ErrorWords? {
    if let code = APIError.Code(rawValue: word) { return code.words }
    guard word.hasPrefix("HTTP_") else { return failureCodes.first { $0.code == word }?.words }
    let mayHaveArrived = word.hasPrefix("HTTP_5") || word == "HTTP_408" || word.hasPrefix("HTTP_2")
    return failureCodes.first { $0.code == (mayHaveArrived ? "HTTP_5xx" : "HTTP_4xx") }?.words
}
