import Glibc
import OutboxCommandLine
import OutboxHTTP
import OutboxJSON

/// Speaks to outboxd over its socket and turns its refusals into words and exit statuses.
struct Client {
    static let defaultSocket = "/run/outboxd/outboxd.sock"

    private let socket: String
    /// For every call: whose account, and why.
    private let headers: [String]
    /// What standard output gets.
    enum Output: String, CaseIterable { case text, json, id }

    private(set) var output: Output
    /// Answers are printed as they come.
    var wantsJSON: Bool { output == .json }

    init(_ arguments: Arguments) throws {
        let environment = getenv("OUTBOXD_SOCKET").map { String(cString: $0) }
        socket = arguments["socket"] ?? environment ?? Self.defaultSocket
        let word = arguments["output"] ?? (arguments.has("json") ? "json" : "text")
        guard let output = Output(rawValue: word) else {
            throw Arguments.Problem("--output must be \(Output.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if arguments.has("json"), output != .json {
            throw Arguments.Problem("--json and --output \(word) exclude each other")
        }
        self.output = output
        headers =
            (arguments["account"].map { ["Outboxd-Account: \(percentEncoded($0))"] } ?? [])
            + (arguments["reason"].map { ["Outboxd-Reason: \(percentEncoded($0))"] } ?? [])
    }

    /// The same without printing answers.
    func quietly<Value>(_ body: (Client) throws -> Value) rethrows -> Value {
        var client = self
        client.output = .text
        return try body(client)
    }

    /// The answer's `data`, or nil when there is none. With `--json` the whole answer is printed first.
    /// `headers` are `Name: value`.
    /// `takesLong`: it is waited for without end.
    func call(
        _ method: String, _ path: String, headers: [String] = [], body: [UInt8] = [], takesLong: Bool = false
    ) throws -> JSONValue? {
        var request = request(method, path, headers: headers, body: body)
        if takesLong { request.timeout = .zero }
        return try whole(request)?["data"]
    }

    func request(_ method: String, _ path: String, headers: [String] = [], body: [UInt8] = []) -> OutgoingRequest {
        OutgoingRequest(
            method: method, url: "http://outboxd\(path)",
            headers: ["Content-Type: application/json"] + self.headers + headers,
            body: body,
            unixSocket: socket, answerBytesMax: 64 << 20)
    }

    /// Asks again as long as it is told that it made too many calls in a minute.
    func patiently(_ request: OutgoingRequest) -> HTTPResult {
        while true {
            let result = callAndWait(request)
            guard case .answered(429, let headers, _) = result,
                let text = headers.first(where: { $0.name.lowercased() == "retry-after" })?.value,
                let seconds = UInt32(text), seconds <= 600
            else { return result }
            sleep(max(1, seconds))
        }
    }

    func notRunning(_ text: String) -> ExitStatus {
        // libcurl speaks of a port, of which a socket has none.
        let reason = text.contains("port 80") ? "it cannot be reached" : text
        complain("outboxctl: outboxd does not answer at \(socket): \(reason)")
        complain("Is it running? systemctl status outboxd. Another place? --socket PATH or $OUTBOXD_SOCKET.")
        return .notRunning
    }

    func whole(
        _ method: String, _ path: String, headers: [String] = [], body: [UInt8] = [], takesLong: Bool = false
    ) throws -> JSONValue? {
        var request = request(method, path, headers: headers, body: body)
        if takesLong { request.timeout = .zero }
        return try whole(request)
    }

    /// The answer's `data`, as of `call`.
    func answer(to request: OutgoingRequest) throws -> JSONValue? { try whole(request)?["data"] }

    private func whole(_ request: OutgoingRequest) throws -> JSONValue? {
        switch callAndWait(request) {
        case .notSent(let text), .broken(let text): throw notRunning(text)
        case .answered(let status, _, let bytes):
            if wantsJSON { print(String(decoding: shown(json: bytes), as: UTF8.self), terminator: "") }
            if bytes.isEmpty, (200...299).contains(status) { return nil }
            guard let answer = try? JSONParser().parse(bytes) else {
                complain("outboxctl: \(socket) answered something else than JSON (HTTP \(status)): is it outboxd's?")
                throw ExitStatus.failed
            }
            guard (200...299).contains(status) else { throw refused(status, answer) }
            return answer
        }
    }

    /// An answer that is no JSON, whole.
    func text(_ path: String) throws -> String {
        switch callAndWait(request("GET", path)) {
        case .notSent(let text), .broken(let text): throw notRunning(text)
        case .answered(200, _, let bytes): return String(decoding: bytes, as: UTF8.self)
        case .answered(let status, _, let bytes): throw refused(status, try? JSONParser().parse(bytes))
        }
    }

    func refused(_ status: Int, _ answer: JSONValue?) -> ExitStatus {
        let error = answer?["error"]
        let code = error?["code"]?.string ?? "HTTP_\(status)"
        complain("outboxctl: \(error?["message"]?.string ?? "refused") (\(code))")
        if let details = error?["details"] {
            for detail in details.elements {
                complain("  \(ownWord(detail["field"]?.string ?? "?")) \(detail["message"]?.string ?? "")")
            }
        }
        switch status {
        case 404: return .notFound
        case 400...499, 503: return .refused
        default: return .failed
        }
    }
}

/// A field of the socket as outboxctl's user gives it: `sendAt` is `--at`, `whenFull` is `--when-full`.
private func ownWord(_ field: String) -> String {
    let known = [
        "to": "TO", "message": "TEXT", "sendAt": "--at", "expiresAt": "--expires", "batchId": "--batch",
        "seconds": "--for", "order": "--any-order", "keptForHigh": "--keep-for-high",
        "unknownGraceSeconds": "--unknown-grace", "firstWaitSeconds": "--first-wait", "maxWaitSeconds": "--max-wait",
        "maxAgeSeconds": "--max-age", "body": "body", "url": "URL", "whatsappMessageId": "--wamid",
        "Idempotency-Key": "--idempotency-key",
    ]
    if let word = known[field] { return word }
    guard field.utf8.allSatisfy({ (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }) else { return field }
    return "--" + field.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
}

/// The words a command needs, no more and no less.
func words(_ arguments: Arguments, _ names: String...) throws -> [String] {
    guard arguments.words.count == names.count else {
        let wanted = names.isEmpty ? "takes no words" : "takes \(names.joined(separator: " "))"
        throw Arguments.Problem("this command \(wanted); see --help")
    }
    return arguments.words
}

/// Standard input to its end.
func readStandardInput(bytesMax: Int) throws -> String {
    try readText(STDIN_FILENO, "standard input", bytesMax: bytesMax)
}

/// A file, or standard input (`-`), to its end.
func readFile(_ file: String, bytesMax: Int) throws -> String {
    if file == "-" { return try readStandardInput(bytesMax: bytesMax) }
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw Arguments.Problem("\(file) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    return try readText(descriptor, file, bytesMax: bytesMax)
}

/// A whole file; `name` is what it is called in errors.
func readText(_ descriptor: Int32, _ name: String, bytesMax: Int) throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else {
            throw Arguments.Problem("\(name) cannot be read: \(String(cString: strerror(errno)))")
        }
        if count == 0 {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Arguments.Problem("\(name) is not UTF-8")
            }
            return text
        }
        bytes += buffer[..<count]
        guard bytes.count <= bytesMax else {
            throw Arguments.Problem("\(name) is longer than \(bytesMax) bytes")
        }
    }
}
