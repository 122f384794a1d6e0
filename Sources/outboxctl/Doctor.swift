import OutboxCommandLine
import OutboxCore
import OutboxJSON

let doctorCommand = Command(
    name: "doctor", words: "",
    summary: "look at disk, SQLite, clock, tokens, Graph version, webhooks, confinement; exits 8 on a problem"
) { arguments, client in
    _ = try words(arguments)
    let findings = try client.call("GET", "/v1/doctor", takesLong: true)?.elements.map { $0 } ?? []
    if !client.wantsJSON {
        let width = findings.map { plain($0["check"]).count }.max() ?? 0
        for finding in findings {
            let check = plain(finding["check"])
            let gap = String(repeating: " ", count: width - check.count)
            Terminal.write("\(shown(finding["verdict"]?.string))  \(check)\(gap)  \(plain(finding["text"]))\n")
            if let remedy = finding["remedy"]?.string {
                Terminal.write("\(String(repeating: " ", count: width + 11))\(remedy.onOneLine)\n")
            }
        }
    }
    if findings.contains(where: { $0["verdict"]?.string == "problem" }) { throw ExitStatus.unhealthy }
}

private func shown(_ verdict: String?) -> String {
    switch verdict {
    case "ok": Terminal.paint("ok     ", .green)
    case "warning": Terminal.paint("warning", .yellow)
    default: Terminal.paint("PROBLEM", .red)
    }
}
