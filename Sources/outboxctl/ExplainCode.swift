import OutboxCommandLine
import OutboxJSON
import OutboxMeta

let explainCodeCommand = Command(
    name: "explain-code", words: "CODE ...",
    summary: "what an errorCode means, Meta's or outboxd's, what outboxd does, what you can do"
) { arguments, client in
    guard !arguments.words.isEmpty else { throw Arguments.Problem("explain-code takes CODE; see --help") }
    for (index, word) in arguments.words.enumerated() {
        if index > 0, !client.wantsJSON { print() }
        try explain(word, client)
    }
}

private func explain(_ word: String, _ client: Client) throws {
    guard let rows = ownWords(word) ?? Int64(word).flatMap(MetaError.of).map(metaWords) else {
        complain(
            "outboxctl: \(word) is no code outboxd knows; with HTTP 5xx the outcome counts as unknown, "
                + "marked transient it is tried again, else the message fails")
        throw ExitStatus.notFound
    }
    if client.wantsJSON {
        var json = JSONWriter()
        json.object { json in json.object("data") { for (name, text) in rows { $0.field(name, text) } } }
        print(String(decoding: json.bytes, as: UTF8.self))
    } else {
        for (name, text) in rows { print("\(name)\(String(repeating: " ", count: 8 - name.count))\(text)") }
    }
}

private func metaWords(_ error: MetaError) -> [(String, String)] {
    [
        ("code", String(error.code)), ("title", error.title), ("means", error.meaning), ("sent", "no"),
        ("then", error.action), ("wait", error.errorClass.waitWords), ("remedy", error.remedy),
        ("source", error.source.rawValue),
    ]
}

/// Codes of outboxd's own.
private func ownWords(_ word: String) -> [(String, String)]? {
    func rows(_ means: String, _ sent: String, _ then: String, _ remedy: String) -> [(String, String)] {
        [("code", word), ("means", means), ("sent", sent), ("then", then), ("remedy", remedy), ("source", "outboxd")]
    }
    switch word {
    case "63016":
        return rows(
            "a text to somebody who has not written to the line within 24 hours (Meta's 131047)", "no",
            "nothing is stored",
            "send a template, or give one with --fallback; outboxctl line add NAME --closed-window leave when the "
                + "line's webhooks do not come here")
    case "RATE_LIMITED":
        return rows(
            "the pool has written to as many people as its tier allows in 24 hours", "no",
            "nothing is stored, for the line or the message says --when-full refuse",
            "wait as Retry-After says, or submit with --when-full wait")
    case "IDEMPOTENCY_CONFLICT":
        return rows(
            "the Idempotency-Key was used before, by the same user, for something else", "no",
            "nothing is stored; what it was first used for stands",
            "repeat a call byte for byte, or give a new one a new key")
    case "LINE_STOPPED":
        return rows(
            "Meta says that the line's number cannot send", "no",
            "nothing is stored, for the line says --when-stopped refuse", "outboxctl line health NAME")
    case "UNAVAILABLE":
        return rows(
            "too much at once, a database that cannot be written, or nothing gets through to Meta and the line says "
                + "--when-down refuse", "no", "nothing is stored", "try again, as Retry-After says")
    case "META_REFUSED":
        return rows(
            "Meta refused what it was asked for at once, such as a read mark", "no", "nothing is changed",
            "see errorCode in the answer, and outboxctl explain-code with that")
    case "META_UNREACHABLE":
        return rows(
            "Meta did not answer what it was asked for at once", "perhaps", "nothing is changed",
            "try again in a moment")
    case "EXPIRED":
        return rows("its expiresAt passed before it could leave", "no", "the message fails", "submit a new one")
    case "OUTCOME_UNKNOWN":
        return rows(
            "outboxd ended while it was on its way, or no answer and no status came in time", "perhaps",
            "what the line's onUnknown says", "outboxctl line add NAME --on-unknown byKind|hold|resend|evidence|fail")
    case "NO_ANSWER":
        return rows(
            "the request may have arrived, no whole answer came", "perhaps", "what the line's onUnknown says",
            "wait for Meta's webhook; check that webhooks arrive")
    case "NOT_CONNECTED":
        return rows(
            "Meta could not be reached", "no", "the line is held, one message at a time tries; no try counts",
            "check network, DNS and proxy")
    case "NO_TOKEN":
        return rows(
            "the secret with the line's access token is missing", "no", "the line is held",
            "outboxctl line add NAME --token -, or put the file there and outboxctl reload")
    case "NO_CODE":
        return rows("Meta's error has no code", "no", "the message fails", "see errorMessage")
    case _ where word.hasPrefix("HTTP_"):
        return rows(
            "an answer without Meta's own words: a proxy, Meta's edge, or a wrong graph-url",
            word.hasPrefix("HTTP_5") || word == "HTTP_408" || word.hasPrefix("HTTP_2") ? "perhaps" : "no",
            "5xx, 408, 2xx: what the line's onUnknown says; 429: the line is held; others: tried again",
            "check graph-url and the proxy")
    default: return nil
    }
}
