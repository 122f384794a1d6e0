import OutboxCommandLine
import OutboxCore
import OutboxJSON

let eraseCommand = Command(
    name: "erase", words: "NUMBER",
    summary: "remove all that is stored of a person, for good; says what is kept for now, and why",
    options: [
        .init("user-id", value: "ID", "whom Meta names so, instead of NUMBER"),
        .init("username", value: "NAME", "whom Meta names so, instead of NUMBER"),
        .init("yes", "do it: nothing brings it back"),
    ]
) { arguments, client in
    var json = JSONWriter()
    let given = [arguments.words.first, arguments["user-id"], arguments["username"]].compactMap { $0 }
    guard given.count == 1, arguments.words.count <= 1 else {
        throw Arguments.Problem("give one NUMBER, --user-id or --username; see --help")
    }
    guard arguments.has("yes") else {
        throw Arguments.Problem("erase removes all that is stored of \(given[0]), for good: say --yes to do it")
    }
    json.object {
        if let number = arguments.words.first { $0.field("to", number) }
        if let id = arguments["user-id"] { $0.field("userId", id) }
        if let name = arguments["username"] { $0.field("username", name) }
    }
    guard let report = try client.call("POST", "/v1/erasures", body: json.bytes, takesLong: true), !client.wantsJSON
    else { return }
    for name in ["messages", "received", "conversations", "contacts", "events", "webhooks"] {
        print("erased\t\(plain(report["erased"]?[name]))\t\(name)")
    }
    for kept in report["kept"]?.elements.map({ $0 }) ?? [] {
        let until = kept["until"]?.string.map { ", until \($0)" } ?? ""
        print("kept\t\(plain(kept["count"]))\t\(plain(kept["what"])): \(plain(kept["reason"]))\(until)")
    }
    if report["kept"]?.elements.first(where: { _ in true }) != nil {
        complain("outboxctl: ask again later to erase what is kept for now")
    }
}
