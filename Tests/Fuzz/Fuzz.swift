// Compiled by scripts/fuzz together with the sources it exercises, into one libFuzzer program.
// OUTBOXD_FUZZ names the target: http, submit, bulk, line, webhook or answer.
import Glibc

private let target = getenv("OUTBOXD_FUZZ").map { String(cString: $0) } ?? ""
nonisolated(unsafe) private let parser = JSONParser()
private let now = Timestamp(milliseconds: 1_800_000_000_000)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    switch target {
    case "http": fuzzHTTP(bytes)
    case "submit": fuzzSubmit(bytes)
    case "bulk": if let value = try? parser.parse(bytes) { _ = BulkHeader.read(value) }
    case "line": if let value = try? parser.parse(bytes) { _ = LineBody.read(value, name: "main") }
    case "webhook": if let value = try? parser.parse(bytes) { _ = webhookContent(value) }
    case "answer": fuzzAnswer(bytes)
    default: preconditionFailure("OUTBOXD_FUZZ names no target")
    }
    return 0
}

/// A body is the same however the wire cuts it, and never longer than what came.
private func fuzzHTTP(_ bytes: [UInt8]) {
    let head = bytes.withUnsafeBytes { RequestParser.head($0, limits: HTTPLimits()) }
    guard case .complete(let request, let consumed) = head else { return }
    precondition(consumed <= bytes.count)
    _ = request.query
    let rest = Array(bytes[consumed...])
    let whole = decode(rest, request.body, step: max(rest.count, 1))
    for step in [1, 3] { precondition(decode(rest, request.body, step: step) == whole, "cut every \(step) bytes") }
}

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var done = false
    var refused = false
}

private func decode(_ bytes: [UInt8], _ framing: BodyFraming, step: Int) -> Decoded {
    var decoder = BodyDecoder(framing)
    var decoded = Decoded()
    var at = 0
    while at < bytes.count, !decoder.isDone {
        let piece = Array(bytes[at..<min(at + step, bytes.count)])
        do throws(HTTPRefusal) {
            var used = 0
            var failure: HTTPRefusal?
            piece.withUnsafeBytes { buffer in
                do throws(HTTPRefusal) {
                    used = try decoder.decode(buffer, into: &decoded.body, room: Int.max)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            at += used
        } catch {
            // What stood before the fault may have been taken or not.
            return Decoded(refused: true)
        }
    }
    decoded.done = decoder.isDone
    return decoded
}

/// What is accepted leaves as one valid JSON text, to the number that was given.
private func fuzzSubmit(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes),
        case .complete(let message) = MessageBody.read(value, now: now)
    else { return }
    let draft = message.draft
    let request = GraphEndpoint().send(
        phoneNumberID: "1", token: "t", to: draft.to.digits, type: draft.type, content: draft.content, opaque: "id.1",
        timeout: .seconds(1))
    guard let sent = try? parser.parse(request.body) else { preconditionFailure("accepted, but leaves as broken JSON") }
    precondition(sent["to"]?.string == "+" + draft.to.digits && sent["biz_opaque_callback_data"]?.string == "id.1")
    precondition(sent[draft.type]?.kind == .object && sent.members.map { $0.name }.count == 6)
    if let moment = draft.sendAt { precondition(Timestamp(rfc3339: moment.rfc3339) == moment) }
}

private func fuzzAnswer(_ bytes: [UInt8]) {
    let status = [200, 400, 429, 500, 503][Int(bytes.first ?? 0) % 5]
    _ = outcome(of: .answered(status: status, headers: [], body: Array(bytes.dropFirst())), parser: parser)
}
