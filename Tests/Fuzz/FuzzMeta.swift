/// Meta's calls: statuses, messages received, news of accounts, numbers, templates and people.
func fuzzWebhook(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes), let content = webhookContent(value) else { return }
    for message in content.inbound {
        precondition(parsed(message.payload.body) != nil, "a message is kept as broken JSON")
        precondition(message.payload.contact.map { parsed($0) != nil } ?? true)
        if let from = message.from { precondition(PhoneNumber(from)?.digits == from) }
    }
    for status in content.statuses {
        precondition(!status.wamid.isEmpty && Timestamp(rfc3339: status.at.rfc3339) == status.at)
    }
    // What is understood does not depend on the spaces.
    precondition(content.statuses == parsed(value.compact).flatMap(webhookContent)?.statuses)
}

/// The first byte says which answer and, by its high bits, with what status.
func fuzzAnswer(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let status = [200, 201, 302, 400, 408, 429, 500, 503][Int(first >> 5)]
    let headers = first & 16 == 0 ? [] : [HTTPHeader("retry-after", String(decoding: bytes.suffix(12), as: UTF8.self))]
    let result = HTTPResult.answered(status: status, headers: headers, body: Array(bytes.dropFirst()))
    switch first & 7 {
    case 0: checkOutcome(outcome(of: result, parser: parser))
    case 1:
        guard case .read(let page) = templatePage(of: result, parser: parser) else { return }
        for listed in page.templates {
            // It is stored as it came and read again from there.
            precondition(parsed(listed.raw).flatMap(template) == listed, "a template is stored and read as another")
        }
        if let after = page.after {
            checkCursor(GraphEndpoint().templates(wabaID: "1", token: "t", after: after, timeout: .seconds(1)))
        }
    case 2: _ = lineHealth(of: result, parser: parser, now: now)
    case 3:
        guard case .read(let page) = historyPage(of: result, parser: parser) else { return }
        for event in page.events { precondition((event.report == .failed) == (event.failure != nil)) }
        if let after = page.after {
            checkCursor(
                GraphEndpoint().messageHistory(
                    phoneNumberID: "1", wamid: "w", token: "t", after: after, timeout: .seconds(1)))
        }
    case 4: _ = tokenFacts(of: result, parser: parser)
    case 5:
        guard case .read(let page) = numberPage(of: result, parser: parser) else { return }
        if let after = page.after {
            checkCursor(GraphEndpoint().phoneNumbers(wabaID: "1", token: "t", after: after, timeout: .seconds(1)))
        }
    case 6: _ = nodes(of: result, parser: parser)
    default: _ = callEnd(of: result, parser: parser)
    }
}

/// Only Meta's own id makes a message sent, and no wait is longer than an hour where Meta asks for one.
private func checkOutcome(_ outcome: Outcome) {
    if case .accepted(let wamid, _) = outcome { precondition(!wamid.isEmpty) }
}

/// A cursor of Meta's own making stays one parameter of the next request.
private func checkCursor(_ request: OutgoingRequest) {
    let target = request.url.dropFirst(GraphEndpoint().baseURL.utf8.count)
    precondition(target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }, "a cursor breaks out")
    precondition(target.split(separator: "&").count { $0.hasPrefix("after=") } == 1)
}

/// A template's definition, a line feed, and the components somebody sends with it.
func fuzzTemplate(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
    guard let definition = try? parser.parse(parts[0]), let template = template(from: definition) else { return }
    let components = parts.count > 1 ? parsed(parts[1]) : nil
    let found = problems(of: components, for: template)
    if !found.isEmpty { check(found.map { FieldError($0.field, $0.message) }) }
    let wrong = templateDraftProblems(definition, .new)
    if !wrong.isEmpty { check(wrong.map { FieldError($0.field, $0.message) }) }
    var json = JSONWriter()
    json.object { TemplatePreview(definition, components: components).write(to: &$0) }
    precondition(parsed(json.bytes) != nil, "a preview is broken JSON")
}
