import Foundation
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// A program under test, or one that helps.
final class Program: Sendable {
    private let process: ChildProcess
    private let output: String

    /// Standard output and error go to `output`, a file.
    init(_ name: String, _ arguments: [String], environment: [String: String] = [:], output: String) throws {
        self.output = output
        process = try ChildProcess(
            path: name.hasPrefix("/") ? name : "\(programFolder)/\(name)", arguments: arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }, output: output)
    }

    var pid: Int32 { process.pid }
    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { process.signal(number) }

    /// Returns when it has ended.
    func kill(_ number: Int32) { process.kill(number) }

    /// The exit status; nil when it has not ended by itself in time.
    func exitStatus(within seconds: Double = 60) -> Int32? {
        guard eventually(within: seconds, { !process.isRunning }) else { return nil }
        return process.terminationStatus
    }

    var words: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }
}

/// Where the programs under test were built: beside the test bundle.
let programFolder: String = {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return ProcessInfo.processInfo.environment["OUTBOXD_PROGRAMS"] ?? (own as NSString).deletingLastPathComponent
}()

/// Looks every few milliseconds until it holds; false when it does not in time.
func eventually(within seconds: Double = 60, _ holds: () throws -> Bool) rethrows -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try holds() { return true }
        usleep(10_000)
    }
    return try holds()
}

/// One outboxd and one sandbox in a folder of their own.
final class Lab: @unchecked Sendable {
    let folder = TemporaryFolder()
    let secret = "lab-secret"
    private(set) var daemon: Program?
    private(set) var sandboxProgram: Program?
    private(set) var sandboxPort = 0
    /// Where the daemon finds Meta: the sandbox, or whoever stands between (`between` is told the sandbox's port).
    private var graphPort = 0
    private let daemonArguments: [String]
    /// How many descriptors the daemon may have; nil: as many as the test.
    private let descriptorsMax: Int?

    /// Settings of a line that sends what it is given, to anybody and at once.
    static let freely = #""messagesPerSecond":5000,"pairLimit":false,"closedWindow":"leave""#

    var socket: String { folder.file("a.sock") }
    var webhookSocket: String { folder.file("w.sock") }
    var state: String { folder.file("state") }

    init(
        sandbox: [String] = [], daemon: [String] = [],
        line: String? = #"{"phoneNumberId":"106","token":"t",\#(Lab.freely)}"#, descriptorsMax: Int? = nil,
        between: ((_ sandboxPort: Int) throws -> Int)? = nil
    ) throws {
        daemonArguments = daemon
        self.descriptorsMax = descriptorsMax
        try FileManager.default.createDirectory(
            atPath: folder.file("state/secrets"), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try Data(secret.utf8).write(to: URL(fileURLWithPath: folder.file("state/secrets/app.default.secret")))
        try Data("verify".utf8).write(to: URL(fileURLWithPath: folder.file("state/secrets/app.default.verify-token")))
        try startSandbox(sandbox)
        graphPort = try between?(sandboxPort) ?? sandboxPort
        try startDaemon()
        if let line {
            #expect(try call("PUT", "/v1/lines/main", line).status == 201)
            #expect(try call("PUT", "/v1/pools/main", #"{"tier":"TIER_UNLIMITED"}"#).status == 200)
            // What Meta says of the line stands in the log from now on, and does not come between a test's own events;
            // a sandbox made to fail says nothing.
            _ = try eventually(within: 3) { try call("GET", "/v1/events?event=line.updated").text.contains("seq") }
        }
    }

    func startSandbox(_ arguments: [String]) throws {
        let portFile = folder.file("port")
        sandboxProgram = try Program(
            "outbox-sandbox",
            [
                "--port", "0", "--port-file", portFile, "--webhook-url", "http://localhost/webhooks/default",
                "--webhook-socket", webhookSocket, "--app-secret", secret, "--delivered-after", "20", "--read-after",
                "20",
            ] + arguments, output: folder.file("sandbox.log"))
        var port: Int?
        _ = eventually {
            port = (try? String(contentsOfFile: portFile, encoding: .utf8)).flatMap { Int($0.dropLast()) }
            return port != nil
        }
        sandboxPort = try #require(port, "the sandbox did not start")
    }

    var arguments: [String] {
        [
            "--state-dir", state, "--socket", socket, "--webhook-socket", webhookSocket, "--graph-url",
            "http://127.0.0.1:\(graphPort)", "--log-level", "debug",
        ] + daemonArguments
    }

    /// `before` are words that end in running a program, such as `prlimit --fsize=4096`.
    func startDaemon(environment: [String: String] = [:], before: [String] = []) throws {
        let limits = descriptorsMax.map { ["/usr/bin/prlimit", "--nofile=\($0):\($0)"] } ?? []
        let words = before + limits + ["\(programFolder)/outboxd"] + arguments
        let program = try Program(
            words[0], Array(words.dropFirst()), environment: environment, output: folder.file("outboxd.log"))
        daemon = program
        let serves = eventually(within: 60) { (try? tryCall("GET", "/healthz").status) == 200 || !program.isRunning }
        try #require(serves && program.isRunning, "outboxd did not start: \(program.words.suffix(2000))")
    }

    func killDaemon() { daemon?.kill(SIGKILL) }

    /// As systemctl stop does; answers the exit status.
    func stopDaemon() -> Int32? {
        daemon?.signal(SIGTERM)
        return daemon?.exitStatus()
    }

    // MARK: Calls

    struct NoAnswer: Error { var result: HTTPResult }

    /// Throws when no answer comes.
    func tryCall(_ method: String, _ path: String, _ body: String = "", headers: [String] = [], socket: String? = nil)
        throws -> (status: Int, json: JSONValue?, text: String)
    {
        let request = OutgoingRequest(
            method: method, url: "http://x\(path)", headers: headers, body: Array(body.utf8), timeout: .seconds(60),
            unixSocket: socket ?? self.socket, answerBytesMax: 64 << 20)
        let result = callAndWait(request)
        guard case .answered(let status, _, let bytes) = result else { throw NoAnswer(result: result) }
        return (status, try? JSONParser().parse(bytes), String(decoding: bytes, as: UTF8.self))
    }

    @discardableResult
    func call(_ method: String, _ path: String, _ body: String = "", headers: [String] = [])
        throws -> (status: Int, json: JSONValue?, text: String)
    {
        try tryCall(method, path, body, headers: headers)
    }

    @discardableResult
    func sandbox(_ method: String, _ path: String, _ body: String = "") throws -> JSONValue? {
        let request = OutgoingRequest(
            method: method, url: "http://127.0.0.1:\(sandboxPort)/sandbox/\(path)", body: Array(body.utf8),
            answerBytesMax: 256 << 20)
        let result = callAndWait(request)
        guard case .answered(_, _, let bytes) = result else {
            throw Missing(what: "sandbox: \(result) \(sandboxProgram?.words.prefix(3000) ?? "")")
        }
        return try? JSONParser().parse(bytes)
    }

    func setFaults(_ rules: String...) throws {
        var json = JSONWriter()
        json.object { json in json.array("rules") { for rule in rules { $0.value(rule) } } }
        let set = try sandbox("PUT", "faults", String(decoding: json.bytes, as: UTF8.self))
        #expect(set?["rules"] != nil, "no such faults: \(rules)")
    }

    struct Missing: Error { var what: String }

    /// Queues a message and answers its id.
    func submit(_ fields: String = "", to: String = "14155550100", line: String = "main") throws -> String {
        let answer = try call("POST", "/v1/messages", #"{"to":"\#(to)","line":"\#(line)","message":"hi"\#(fields)}"#)
        #expect(answer.status == 202, "\(answer.text)")
        guard let id = answer.json?["data"]?["id"]?.string else { throw Missing(what: "id") }
        return id
    }

    func message(_ id: String) throws -> JSONValue {
        guard let data = try call("GET", "/v1/messages/\(id)").json?["data"] else { throw Missing(what: id) }
        return data
    }

    /// Waits for a status and answers the message; fails the test when it does not come.
    @discardableResult
    func wait(_ id: String, for status: String, within seconds: Double = 30) throws -> JSONValue {
        // The one that was looked at: a moment later it may have gone on.
        var message = try self.message(id)
        let reached = try eventually(within: seconds) {
            message = try self.message(id)
            return message["status"]?.string == status
        }
        #expect(
            reached,
            "\(id) is \(message["status"]?.string ?? "?"), not \(status); \(message["errorMessage"]?.string ?? "")")
        return message
    }

    func ctl(_ arguments: String...) throws -> (status: Int32?, text: String) { try ctl(list: arguments) }

    func ctl(list arguments: [String]) throws -> (status: Int32?, text: String) {
        let file = folder.file("ctl-\(UInt32.random(in: 0 ... .max)).log")
        let program = try Program(
            "outboxctl", arguments, environment: ["OUTBOXD_SOCKET": socket], output: file)
        let status = program.exitStatus()
        return (status, program.words)
    }
}

extension JSONValue {
    /// The strings of a path into objects, for short expectations.
    subscript(path names: String...) -> JSONValue? {
        names.reduce(self as JSONValue?) { value, name in value?[name] }
    }

    var list: [JSONValue] { elements.map { $0 } }
}
