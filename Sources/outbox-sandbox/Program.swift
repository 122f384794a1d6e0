import CLinux
import Glibc
import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxSystem

private let options = [
    Arguments.Option("port", value: "N", "TCP port on 127.0.0.1; 0 picks a free one (default: 8990)"),
    Arguments.Option("port-file", value: "FILE", "write the port there once it is open"),
    Arguments.Option("webhook-url", value: "URL", "where status webhooks go (default: none are sent)"),
    Arguments.Option("webhook-socket", value: "PATH", "connect there instead of to the URL's host"),
    Arguments.Option("app-secret", value: "SECRET", "signs webhooks (default: sandbox-secret)"),
    Arguments.Option("token", value: "TOKEN", "the only access token accepted (default: any)"),
    Arguments.Option("latency", value: "MS", "before each answer (default: 0)"),
    Arguments.Option("delivered-after", value: "MS", "after sent (default: 100)"),
    Arguments.Option("read-after", value: "MS", "after delivered; -1: never (default: 100)"),
    Arguments.Option("approve-after", value: "MS", "after a template was made or changed; -1: never (default: 1000)"),
    Arguments.Option("duplicate-webhooks", value: "SHARE", "0 to 1 of statuses are sent twice"),
    Arguments.Option("reorder-webhooks", value: "SHARE", "0 to 1 of statuses come late and out of order"),
    Arguments.Option("no-opaque-on-failed", "leave biz_opaque_callback_data out of failed statuses"),
    Arguments.Option("fault", value: "RULE", "misbehave; may be given several times, see below"),
    Arguments.Option("tier", value: "N", "at most N people in 24 hours outside open windows, else 131048"),
    Arguments.Option("tier-per-number", "count people for each number, not for all together"),
    Arguments.Option("tier-hours", value: "HOURS", "instead of 24; 0.001 is 3.6 seconds"),
    Arguments.Option("messages-per-second", value: "N", "of one number in any second, inbound too, else 130429"),
    Arguments.Option("pair-limit", "at most 45 at once to one person, then one in 6 seconds, else 131056"),
    Arguments.Option("pair-seconds", value: "SECONDS", "instead of 6; 0.5 for tests"),
    Arguments.Option("window", "without an open 24-hour window anything but a template fails with 131047"),
    Arguments.Option(
        "wa-id", value: "FROM=TO", "messages to FROM reach the WhatsApp user TO; may be given several times"),
    Arguments.Option("kind", value: "TYPE", "take messages of this type, too; may be given several times"),
    Arguments.Option("media-seconds", value: "N", "uploaded files are forgotten after N seconds (default: 30 days)"),
    Arguments.Option("seed", value: "N", "of the dice (default: from the kernel)"),
    Arguments.Option("version", "print the version and end"),
    Arguments.Option("help", short: "h", "print this and end"),
]

private let usage = """
    outbox-sandbox - a stand-in for Meta's WhatsApp Cloud API on this machine

    usage: outbox-sandbox [options]

    \(Arguments.help(options))
    A fault RULE is FAULT, FAULT@SHARE (0 to 1 of requests) or FAULT:NUMBER (requests to that recipient):
    \(Fault.help)
    FAULT/CALL concerns another call than messages: \(FaultRule.calls.prefix(5).joined(separator: ", ")),
    \(FaultRule.calls.dropFirst(5).joined(separator: ", "))

    It answers as graph.facebook.com does:
      POST   /VERSION/PHONE_NUMBER_ID/messages
      GET    /VERSION/PHONE_NUMBER_ID?fields=...
      GET    /VERSION/ACCOUNT_ID/message_templates?fields=...&limit=N&after=CURSOR&name=...
      POST   /VERSION/ACCOUNT_ID/message_templates, DELETE ...?name=NAME[&hsm_id=ID]; POST /VERSION/TEMPLATE_ID
      GET    /VERSION/debug_token?input_token=..., /VERSION/oauth/access_token?client_id=...&client_secret=...&code=...
      POST   /VERSION/PHONE_NUMBER_ID/register, .../deregister
      GET    /VERSION/ACCOUNT_ID/phone_numbers, .../subscribed_apps (POST, DELETE, too), /VERSION/me/businesses
      POST   /VERSION/PHONE_NUMBER_ID/media, GET and DELETE /VERSION/MEDIA_ID, and the url that is told there;
             in messages ids it did not give out stand for files uploaded before
    and besides:
      GET    /sandbox/ledger[?after=SEQ&limit=N]  what it received, oldest first
      DELETE /sandbox/ledger                      forget it
      GET    /sandbox/summary                     counts, peaks, and how often a limit was broken
      DELETE /sandbox/limits                      forget what limits count: people, windows, peaks, violations
      GET    /sandbox/faults, PUT /sandbox/faults {"rules":["error=131026@0.1", ...]}
      PUT    /sandbox/numbers/PHONE_NUMBER_ID     {"quality_rating":"RED", ...}, any fields of the number
      PUT    /sandbox/templates                   {"templates":[{"id":"1","name":"...","language":"en_US",
                                                  "status":"APPROVED","components":[...]}, ...]}
      PUT    /sandbox/templates/ID                {"status":"REJECTED","reason":"..."}, and the webhook is posted
      PUT    /sandbox/tokens/TOKEN                {"expires_at":1790000000,"is_valid":false, ...}, as debug_token tells
      POST   /sandbox/inbound {"phoneNumberId":"...","from":"14155550100","text":"...","timestamp":1790000000,
                               "userId":"US.1","referral":{...}}; all but the first two may be left out
      POST   /sandbox/media?type=image/png       a file as a person's: answers its id, for content of an inbound
      DELETE /sandbox/media                       forget all files, as if they had expired
      POST   /sandbox/event {"field":"account_update","wabaId":"...","value":{...}}

    """

func runSandbox(_ words: [String]) -> Int32 {
    do {
        let arguments = try Arguments(words, options: options)
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        if arguments.has("version") {
            print("outbox-sandbox \(outboxVersion)")
            return 0
        }
        if let word = arguments.words.first { throw Arguments.Problem("\(word): only options are taken; see --help") }
        return try serve(arguments)
    } catch {
        complain("outbox-sandbox: \(error)")
        return 64
    }
}

private func serve(_ arguments: Arguments) throws -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    let settings = try SandboxSettings(arguments)
    let port = UInt16(try arguments.integer("port", in: 0...65_535) ?? 8990)
    let listener = try Listener.loopback(port: port, tag: 0)
    if let file = arguments["port-file"], let port = listener.port {
        try writeWhole(file, "\(port)\n")
    }
    print("outbox-sandbox: http://127.0.0.1:\(listener.port ?? port)")
    fflush(nil)
    let bell = Bell()
    let server = HTTPServer(listeners: [listener], bell: bell)
    server.run(Sandbox(server: server, bell: bell, settings: settings))
    return 0
}

/// Appears with all its content or not at all.
private func writeWhole(_ path: String, _ text: String) throws {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    let bytes = Array(text.utf8)
    guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count, close(descriptor) == 0,
        rename(temporary, path) == 0
    else { throw Arguments.Problem("\(path): \(String(cString: strerror(errno)))") }
}
