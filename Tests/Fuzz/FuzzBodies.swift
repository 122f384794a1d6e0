/// A text that is JSON is the same without its spaces, and its strings are the same when they are written again.
func fuzzJSON(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes) else { return }
    guard let compact = parsed(value.compact) else { preconditionFailure("without spaces it is no JSON any more") }
    compare(value, compact)
}

private func compare(_ a: JSONValue, _ b: JSONValue) {
    precondition(a.kind == b.kind && a.string == b.string && a.integer == b.integer && a.bool == b.bool)
    if let text = a.string {
        var json = JSONWriter()
        json.array { $0.value(text) }
        let again = (try? JSONParser().parse(json.bytes))?.elements.first { _ in true }
        precondition(again?.string == text, "a string is written and read as another")
    }
    var others = b.elements
    for item in a.elements {
        guard let other = others.next() else { preconditionFailure("an item is lost") }
        compare(item, other)
    }
    precondition(others.next() == nil)
    var otherMembers = b.members
    for (name, value) in a.members {
        guard let other = otherMembers.next(), other.name == name else { preconditionFailure("a member is lost") }
        compare(value, other.value)
    }
    precondition(otherMembers.next() == nil)
}

// MARK: Messages

func fuzzSubmit(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes) else { return }
    checkMessage(value, path: "")
}

/// What is accepted leaves as one valid JSON text, to the number that was given.
private func checkMessage(_ value: JSONValue, path: String) {
    switch MessageBody.read(value, path: path, now: now) {
    case .wrong(let errors): check(errors)
    case .complete(let message):
        var draft = message.draft
        if let mention = draft.mention, let id = WhatsAppID("wamid.A") {
            draft.mention = Mention(mention.role, .known(id))
        }
        let kept = draft.keptContent
        let request = GraphEndpoint().send(
            phoneNumberID: "1", token: "t", to: draft.to.text, type: draft.type, content: kept,
            opaque: "id.1", timeout: .seconds(1))
        guard let sent = parsed(request.body) else { preconditionFailure("accepted, but leaves as broken JSON") }
        precondition(
            sent[draft.to.isUserID ? "recipient" : "to"]?.string == (draft.to.isUserID ? "" : "+") + draft.to.text
                && sent["biz_opaque_callback_data"]?.string == "id.1")
        let answers = draft.mention?.role == .answer
        precondition(sent[draft.type]?.kind == .object || sent[draft.type]?.kind == .array)
        precondition(sent.members.map { $0.name }.count == (answers ? 7 : 6))
        guard let read = KeptContent(kept, parser) else { preconditionFailure("kept, and cannot be read back") }
        precondition(read.content.compact == sent[draft.type]?.compact && (read.answers == "wamid.A") == answers)
        if draft.isChecked, draft.template == nil, draft.type != "text" {
            precondition(verdict(on: read.content, of: draft.type) == .fits, "taken, and does not fit")
        }
        for moment in [draft.sendAt, draft.expiresAt].compactMap({ $0 }) {
            precondition(moment > now && Timestamp(rfc3339: moment.rfc3339) == moment)
        }
        if let metadata = draft.metadata { precondition(parsed(metadata)?.kind == .object) }
        if let fallback = draft.fallback { precondition(parsed(fallback.content)?.kind == .object) }
    }
}

/// An array: every item on its own.
func fuzzBulk(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes) else { return }
    let header = BulkHeader.read(value)
    guard header.errors.isEmpty, let messages = header.messages else { return check(header.errors) }
    for (index, item) in messages.elements.enumerated() { checkMessage(item, path: "messages[\(index)].") }
}

/// NDJSON: the lines are the same however the wire cuts them.
func fuzzLines(_ bytes: [UInt8]) {
    let whole = lines(bytes, step: max(bytes.count, 1))
    for step in [1, 7] { precondition(lines(bytes, step: step) == whole, "cut every \(step) bytes") }
    guard let whole else { return }
    precondition(whole.joined(separator: [0x0A]).elementsEqual(bytes), "bytes between the lines are lost")
    for line in whole {
        if let value = try? parser.parse(line) { checkMessage(value, path: "") }
    }
}

/// Nil when one is too long.
private func lines(_ bytes: [UInt8], step: Int) -> [[UInt8]]? {
    var splitter = LineSplitter(bytesMax: 1024)
    var lines: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
        do throws(LineSplitter.TooLong) {
            try splitter.take(Array(bytes[start..<min(start + step, bytes.count)])) { lines.append(Array($0)) }
        } catch {
            return nil
        }
    }
    return lines + [Array(splitter.end())]
}

// MARK: Everything else the socket takes

func fuzzLine(_ bytes: [UInt8]) {
    guard let value = try? parser.parse(bytes) else { return }
    switch LineBody.read(value, name: "main") {
    case .wrong(let errors): check(errors)
    case .complete(let body):
        precondition(isSecretName(body.settings.credential), "a secret's name that leaves its folder")
        precondition(body.settings.retry.firstWait <= body.settings.retry.waitMax)
    }
}

/// The first byte says which body, the rest is its text.
func fuzzBody(_ bytes: [UInt8]) {
    guard let first = bytes.first, let value = try? parser.parse(bytes.dropFirst()) else { return }
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "u"):
        attempt { () throws(APIError) in
            let body = try SubscriptionBody.read(value, isNew: first == UInt8(ascii: "s"), allowsHTTP: false)
            precondition(CallbackAddress.problem(body.settings.url, allowsHTTP: false) == nil)
            if let secret = body.secret { precondition(CallbackSecret.all(in: "\(secret.line)\n") == [secret]) }
        }
    case UInt8(ascii: "o"):
        attempt { () throws(APIError) in
            guard let secret = try SubscriptionBody.readSecret(value) else { return }
            precondition(CallbackSecret.all(in: "\(secret.line)\n") == [secret])
        }
    case UInt8(ascii: "w"), UInt8(ascii: "W"):
        attempt { () throws(APIError) in
            let body = try OrganizationWebhookBody.read(value, isNew: first == UInt8(ascii: "w"))
            precondition(first != UInt8(ascii: "w") || body.url != nil && body.events?.isEmpty == false)
        }
    case UInt8(ascii: "y"):
        attempt { () throws(APIError) in
            let body = try ReplayBody.read(value)
            precondition(body.range.lowerBound >= 1 && (!body.isOne || body.range.count == 1))
        }
    case UInt8(ascii: "r"):
        attempt { () throws(APIError) in
            var json = JSONWriter()
            let rule = try RetentionRule.read(value)
            rule.write(to: &json, .read)
            let again = parsed(json.bytes)
            precondition(again?["maxCount"]?.integer == rule.countMax)
            precondition(again?["maxAgeSeconds"]?.integer == rule.ageMax?.components.seconds)
        }
    case UInt8(ascii: "c"):
        attempt { () throws(APIError) in
            let body = try CursorBody.read(value)
            precondition(body.after >= 0)
        }
    case UInt8(ascii: "d"): attempt { () throws(APIError) in _ = try ReadBody.read(value) }
    case UInt8(ascii: "h"):
        attempt { () throws(APIError) in
            let body = try CatchUpBody.read(value, now: now)
            precondition(body.since < now)
        }
    case UInt8(ascii: "v"):
        attempt { () throws(APIError) in
            let body = try ResolveBody.read(value)
            precondition(body.wamid == nil || body.resolution == .sent)
        }
    case UInt8(ascii: "p"):
        attempt { () throws(APIError) in
            let body = try PauseBody.read(value, now: now)
            precondition(body.until ?? now >= now)
            precondition(body.scope != .everything || body.target == nil && body.line == nil)
        }
    case UInt8(ascii: "l"): attempt { () throws(APIError) in _ = try PoolBody.read(value, name: "main") }
    default: break
    }
}
