// Compiled by scripts/fuzz together with the sources it exercises, into one libFuzzer program.
// OUTBOXD_FUZZ names the target.
import Glibc

nonisolated(unsafe) let parser = JSONParser()
/// A second one: a parser's buffers are those of its last text.
nonisolated(unsafe) let otherParser = JSONParser()
let now = Timestamp(milliseconds: 1_800_000_000_000)

private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "http": fuzzHTTP, "reply": fuzzReply, "json": fuzzJSON, "submit": fuzzSubmit, "bulk": fuzzBulk,
    "ndjson": fuzzLines, "line": fuzzLine, "body": fuzzBody, "query": fuzzQuery, "webhook": fuzzWebhook,
    "answer": fuzzAnswer, "template": fuzzTemplate, "files": fuzzFiles,
]

private let target: @Sendable ([UInt8]) -> Void = {
    let name = getenv("OUTBOXD_FUZZ").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        preconditionFailure("OUTBOXD_FUZZ must name one of \(targets.keys.sorted().joined(separator: ", "))")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// The value of a whole text, from a parser of its own; nil when it is no JSON.
func parsed(_ bytes: some Collection<UInt8>) -> JSONValue? { try? otherParser.parse(bytes) }

/// An answer to a caller is JSON whatever it repeats of the request, and short.
func check(_ error: APIError) {
    let body = parsed(error.body)
    precondition(body?["error"]?["code"]?.string == error.code.rawValue, "an error's answer is broken JSON")
    precondition((400...599).contains(error.status) && error.body.count < 1 << 16)
}

func check(_ errors: [FieldError]) {
    precondition(!errors.isEmpty, "refused, and nothing is wrong")
    check(.validation(errors))
}
