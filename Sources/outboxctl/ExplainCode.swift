import OutboxCommandLine
import OutboxMeta

let explainCodeCommand = Command(
    name: "explain-code", words: "CODE",
    summary: "what one of Meta's error codes means, what outboxd does, what you can do"
) { arguments, _ in
    let word = try words(arguments, "CODE")[0]
    guard let code = Int64(word) else { throw Arguments.Problem("\(word): a code is a number, such as 131026") }
    guard let error = MetaError.of(code) else {
        complain(
            "outboxctl: \(code) is no code outboxd knows; with HTTP 5xx the outcome counts as unknown, "
                + "marked transient it is tried again, else the message fails")
        throw ExitStatus.notFound
    }
    print("\(error.code)  \(error.title)")
    print("means   \(error.meaning)")
    print("sent    no")
    print("then    \(error.errorClass.action)")
    print("remedy  \(error.remedy)")
    print("source  \(error.source.rawValue)")
}
