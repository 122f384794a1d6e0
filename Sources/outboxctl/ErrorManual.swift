import OutboxAPI
import OutboxMeta

/// The manual page outboxd-errors(7) in mdoc, made of the tables that outboxd itself goes by.
func errorManual() -> String {
    var page = """
        .\\" Made by outboxctl explain-code --manual.
        .Dd November 21, 2026
        .Dt OUTBOXD-ERRORS 7
        .Os
        .Sh NAME
        .Nm outboxd-errors
        .Nd error codes of outboxd and of Meta's WhatsApp Cloud API
        .Sh DESCRIPTION
        .Ic outboxctl explain-code Ar CODE
        prints one entry of this page.
        .Sh CODES OF CALLS
        A call that is not answered with what was asked for gets one of these as
        .Li error.code ,
        with a
        .Li message
        and, where fields are meant,
        .Li details .
        .Bl -tag -width Ds

        """
    for code in APIError.Code.allCases {
        page += item(code.rawValue, "HTTP status \(code.status)", code.words)
    }
    page += """
        .El
        .Sh CODES OF MESSAGES
        A message that failed, or waits because an attempt did, shows one of these as
        .Li errorCode ,
        or one of Meta's.
        .Bl -tag -width Ds

        """
    for (code, words) in failureCodes { page += item(code, nil, words) }
    page += """
        .El
        .Sh CODES OF META
        All of them say that the message was not sent.
        What outboxd does is the same whatever HTTP status, title and subcode come with the code (but for code 100).
        A code that is not here fails the message, unless Meta marks it transient: then it is tried again.
        .Bl -tag -width Ds

        """
    for error in MetaError.table.values.sorted(by: { $0.code < $1.code }) {
        page += """
            .It Li \(error.code) , No \(quoted(error.title))
            \(sentence(error.meaning))
            .br
            Then: \(sentence(error.action))
            .br
            Wait: \(sentence(error.errorClass.waitWords))
            .br
            Remedy: \(sentence(error.remedy))
            .br
            Source: \(roff(error.source.rawValue)).

            """
    }
    page += """
        .It Li 200 No to Li 299
        As 10: the permission is missing or was removed.
        .El
        .Sh SEE ALSO
        .Xr outboxctl 1 ,
        .Xr outboxd-api 7 ,
        .Xr outboxd 8

        """
    return page
}

private func item(_ code: String, _ status: String?, _ words: ErrorWords) -> String {
    """
    .It Li \(roff(code))\(status.map { " , No \($0)" } ?? "")
    \(sentence(words.means))
    .br
    Sent: \(words.sent).
    .br
    Then: \(sentence(words.then))
    .br
    Remedy: \(sentence(words.remedy))

    """
}

private func sentence(_ words: String) -> String { roff(words) + "." }

/// One argument of a macro.
private func quoted(_ words: String) -> String { "\"\(roff(words).replacing("\"", with: "\\(dq"))\"" }

/// Nothing in it is a macro or an escape.
private func roff(_ words: String) -> String {
    let text = words.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
}
