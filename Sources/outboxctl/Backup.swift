import Glibc
import OutboxCommandLine
import OutboxJSON

let backupCommand = Command(
    name: "backup", words: "FILE", summary: "a consistent copy of the queue, while everything goes on; - prints it",
    options: [.init("force", "replace FILE if it is there")]
) { arguments, client in
    let file = try words(arguments, "FILE")[0]
    // A large queue takes its time to be copied.
    let backup = Download(client: client, request: client.request("POST", "/v1/backup"), what: "the backup")
    if file == "-" {
        guard isatty(STDOUT_FILENO) == 0 else { throw Arguments.Problem("a backup is not for a terminal: name a FILE") }
        try backup.write(into: STDOUT_FILENO)
        return
    }
    let bytes = try backup.save(as: file, replaces: arguments.has("force"))
    if client.wantsJSON {
        var json = JSONWriter()
        json.object {
            $0.object("data") {
                $0.field("file", file)
                $0.field("bytes", bytes)
            }
        }
        print(String(decoding: json.bytes, as: UTF8.self))
    } else {
        print("\(file): \(bytes) bytes; outboxd restore \(file) --verify looks it through")
    }
}
