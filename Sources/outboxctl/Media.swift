import CLinux
import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

let mediaUploadCommand = Command(
    name: "media upload", words: "FILE", summary: "hand in a file that messages may name; prints its id",
    options: [
        .init("line", short: "l", value: "LINE", "take it to Meta for this line at once, and tell Meta's id"),
        .init("type", value: "MIME", "what it is (default: by its first bytes and its name)"),
        .init("filename", value: "NAME", "what it is called (default: as FILE)"),
    ],
    printsIDs: true
) { arguments, client in
    let file = try words(arguments, "FILE")[0]
    let data = try upload(
        file, client, line: arguments["line"], type: arguments["type"], filename: arguments["filename"])
    guard !client.wantsJSON else { return }
    print(data?["id"]?.string ?? "")
    guard client.output == .text, let state = data?["uploads"]?.elements.first(where: { _ in true }) else { return }
    if let metaID = state["metaId"]?.string {
        complain("Meta has it as \(metaID) until \(plain(state["expiresAt"]))")
    } else {
        let reason = state["errorMessage"]?.string.map { ": \($0)" } ?? ""
        complain("Meta does not have it yet (\(plain(state["status"])))\(reason); see outboxctl media ls")
    }
}

let mediaListCommand = Command(
    name: "media ls", words: "", summary: "the files that were handed in, the newest first", options: pageOptions,
    printsIDs: true
) { arguments, client in
    _ = try words(arguments)
    try page("/v1/media", arguments, client, ["ID", "TYPE", "BYTES", "FILENAME", "LAST USED", "UPLOADS"]) { file in
        let uploads = (file["uploads"]?.elements.map { $0 } ?? []).map { upload in
            let detail = upload["metaId"]?.string ?? upload["errorCode"]?.string
            return "\(plain(upload["line"])) \(plain(upload["status"]))" + (detail.map { " \($0)" } ?? "")
        }
        return ["id", "type", "size", "filename", "lastUsedAt"].map { plain(file[$0]) }
            + [uploads.joined(separator: ", ")]
    }
}

let mediaGetCommand = Command(
    name: "media get", words: "ID FILE",
    summary: "write a file to FILE (- prints it): one handed in, or by Meta's id one that came with a message",
    options: [.init("force", "replace FILE if it is there")]
) { arguments, client in
    let given = try words(arguments, "ID", "FILE")
    let request = client.request("GET", "/v1/media/\(percentEncoded(given[0]))")
    let file = Download(client: client, request: request, what: "the file")
    if given[1] == "-" {
        guard isatty(STDOUT_FILENO) == 0 else { throw Arguments.Problem("a file is not for a terminal: name a FILE") }
        try file.write(into: STDOUT_FILENO)
        return
    }
    let bytes = try file.save(as: given[1], replaces: arguments.has("force"))
    if client.wantsJSON {
        var json = JSONWriter()
        json.object {
            $0.object("data") {
                $0.field("file", given[1])
                $0.field("bytes", bytes)
            }
        }
        print(String(decoding: json.bytes, as: UTF8.self))
    } else {
        print("\(given[1]): \(bytes) bytes")
    }
}

let mediaRemoveCommand = Command(
    name: "media rm", words: "ID", summary: "remove a file that no waiting message names"
) { arguments, client in
    let id = try words(arguments, "ID")[0]
    _ = try client.call("DELETE", "/v1/media/\(percentEncoded(id))")
}

/// Hands in a file, streamed, and answers what outboxd says of it. The daemon never opens a path somebody names.
func upload(_ file: String, _ client: Client, line: String?, type: String?, filename: String?) throws -> JSONValue? {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw Arguments.Problem("\(file) cannot be read: \(String(cString: strerror(errno)))")
    }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
        close(descriptor)
        throw Arguments.Problem("\(file) is no plain file")
    }
    let name = filename ?? file.split(separator: "/").last.map(String.init) ?? file
    var query = ["filename=\(percentEncoded(name))"]
    if let type { query.append("type=\(percentEncoded(type))") }
    if let line { query.append("line=\(percentEncoded(line))") }
    var request = client.request("POST", "/v1/media?\(query.joined(separator: "&"))")
    request.headers[0] = "Content-Type: application/octet-stream"
    request.file = BodyFile(descriptor: descriptor, size: Int(info.st_size))
    request.timeout = .zero
    return try client.answer(to: request)
}
