import OutboxCommandLine
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

let lineCatchUpCommand = Command(
    name: "line catch-up", words: "NAME", summary: "ask Meta what became of messages whose statuses were lost",
    options: [.init("since", value: "SPAN", "of messages sent within 90s, 30m, 2h, 1d (default: 7d, at most 30d)")]
) { arguments, client in
    let name = try words(arguments, "NAME")[0]
    var json = JSONWriter()
    try json.object {
        guard let span = arguments["since"] else { return }
        let since = Timestamp(milliseconds: wallClockMilliseconds()) - .seconds(try seconds(span))
        $0.field("since", since.rfc3339)
    }
    guard
        let answer = try client.call("POST", "/v1/lines/\(percentEncoded(name))/catch-up", body: json.bytes),
        !client.wantsJSON
    else { return }
    print("\(plain(answer["asking"])) messages are asked about; outboxctl line health \(name) tells how far it is")
}
