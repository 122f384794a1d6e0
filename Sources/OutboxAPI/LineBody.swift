package import OutboxCore
package import OutboxJSON

/// The body of `PUT /v1/lines/{line}`.
package struct LineBody: Equatable, Sendable {
    package var settings: LineSettings
    /// A token handed over in the request: kept in the secrets folder, never in the database.
    package var token: String?

    package init(settings: LineSettings, token: String?) {
        self.settings = settings
        self.token = token
    }

    package enum Reading: Equatable, Sendable {
        case complete(LineBody)
        case wrong([FieldError])
    }

    private static let fields = [
        "phoneNumberId", "wabaId", "token", "tokenSecret", "onUnknown", "unknownGraceSeconds", "messagesPerSecond",
        "pool", "pairLimit", "whenFull", "closedWindow", "attemptsMax", "firstWaitSeconds", "maxWaitSeconds",
        "maxAgeSeconds", "whenStopped", "whenDown", "burst", "optOutKeywords", "optInKeywords",
        "bot", "autoReply", "autoReplySeconds",
    ]

    package static func read(_ value: JSONValue, name: String) -> Reading {
        var reader = ObjectReader(value, path: "", known: fields)
        guard value.kind == .object else { return .wrong(reader.errors) }
        if !isLineName(name) { reader.refuse("line", lineNameRule) }
        let number = metaID(&reader, "phoneNumberId", required: true)
        let waba = metaID(&reader, "wabaId", required: false)
        let token = reader.string("token")
        let secret = reader.string("tokenSecret")
        if let token, !isToken(token) {
            reader.refuse("token", "must be 1 to 4096 printable characters without spaces")
        }
        if let secret, !isSecretName(secret) { reader.refuse("tokenSecret", secretNameRule) }
        if token != nil, secret != nil {
            reader.refuse("tokenSecret", "and token exclude each other: give one of them")
        } else if token == nil, secret == nil {
            reader.refuse(
                "token", "is missing: give Meta's access token, or tokenSecret, the name of a secret that holds it")
        }
        let policy = reader.choice("onUnknown", UnknownPolicy.self) ?? .byKind
        let grace = reader.integer("unknownGraceSeconds", in: 1...2_592_000).map { Duration.seconds($0) }
        let rate = reader.integer("messagesPerSecond", in: 1...10_000)
        let burst = reader.integer("burst", in: 1...1000) ?? 1
        let pool = reader.string("pool")
        if let pool, !isLineName(pool) { reader.refuse("pool", "must be 1 to 64 of a-z, A-Z, 0-9, _ and -") }
        let pairLimit = reader.bool("pairLimit") ?? true
        let whenFull = reader.choice("whenFull", WhenFull.self) ?? .wait
        let closedWindow =
            reader.choice("closedWindow", ClosedWindow.self) ?? .refuse
        let whenStopped =
            reader.choice("whenStopped", WhenStopped.self) ?? .hold
        let whenDown = reader.choice("whenDown", WhenDown.self) ?? .accept
        let retry = retry(&reader)
        let keywords = OptOutKeywords(
            stop: keywords(&reader, "optOutKeywords"), start: keywords(&reader, "optInKeywords"))
        let bot = reader.integer("bot", in: 1...Int64.max)
        let autoReply = autoReply(&reader)
        let ageMax = reader.integer("maxAgeSeconds", in: 1...31_536_000).map { Duration.seconds($0) }
        guard reader.errors.isEmpty, let number else { return .wrong(reader.errors) }
        var settings = LineSettings(
            name: name, phoneNumberID: number, wabaID: waba, credential: secret ?? tokenSecretName(line: name),
            unknownPolicy: policy, unknownGrace: grace ?? LineSettings.unknownGraceDefault,
            messagesPerSecond: rate)
        settings.pool = pool
        settings.pairLimit = pairLimit
        settings.whenFull = whenFull
        settings.closedWindow = closedWindow
        settings.whenStopped = whenStopped
        settings.whenDown = whenDown
        settings.burst = burst
        settings.retry = retry
        settings.ageMax = ageMax
        settings.optOutKeywords = keywords
        settings.bot = bot
        settings.autoReply = autoReply
        return .complete(LineBody(settings: settings, token: token))
    }

    private static func keywords(_ reader: inout ObjectReader, _ name: String) -> [String] {
        guard let value = reader[name] else { return [] }
        let words = value.kind == .array ? value.elements.map(\.string) : [nil]
        let good = words.allSatisfy { word in
            word.map {
                (1...OptOutKeywords.lengthMax).contains($0.unicodeScalars.count) && !OptOutKeywords.plain($0).isEmpty
                    && isOneLine($0)
            } ?? false
        }
        guard good, words.count <= OptOutKeywords.countMax else {
            reader.refuse(
                name,
                "must be an array of \(OptOutKeywords.countMax) words at most, such as [\"STOP\"], each with 1 to "
                    + "\(OptOutKeywords.lengthMax) characters")
            return []
        }
        return words.compactMap { $0 }
    }

    private static func retry(_ reader: inout ObjectReader) -> RetrySchedule {
        var retry = RetrySchedule()
        if let attempts = reader.integer("attemptsMax", in: 1...1000) { retry.attemptsMax = attempts }
        if let first = reader.integer("firstWaitSeconds", in: 1...86_400) { retry.firstWait = .seconds(first) }
        if let longest = reader.integer("maxWaitSeconds", in: 1...86_400) { retry.waitMax = .seconds(longest) }
        if retry.waitMax < retry.firstWait { reader.refuse("maxWaitSeconds", "must not be less than firstWaitSeconds") }
        return retry
    }

    /// `{"enabled": true, "text": "…"}` and `autoReplySeconds`.
    private static func autoReply(_ reader: inout ObjectReader) -> AutoReply {
        var reply = AutoReply()
        if let seconds = reader.integer("autoReplySeconds", in: 1...2_592_000) { reply.interval = .seconds(seconds) }
        guard let value = reader["autoReply"] else { return reply }
        var inner = ObjectReader(value, path: "autoReply.", known: ["enabled", "text"])
        reply.isEnabled = inner.bool("enabled") ?? true
        if let text = inner.string("text") {
            let length = text.unicodeScalars.count
            if !(1...MessageBody.textLengthMax).contains(length) {
                inner.refuse("text", "has \(length) characters; 1 to \(MessageBody.textLengthMax) are allowed")
            }
            reply.text = text
        }
        reader.adopt(inner.errors)
        return reply
    }

    /// The secret in which a token given over the socket is kept.
    package static func tokenSecretName(line: String) -> String { "line.\(line).token" }

    static func metaID(_ reader: inout ObjectReader, _ name: String, required: Bool) -> String? {
        let text = required ? reader.requiredString(name, example: "\"106540352242922\"") : reader.string(name)
        guard let text else { return nil }
        let plain = text.utf8.allSatisfy { isWordByte($0) }
        guard (1...64).contains(text.utf8.count), plain else {
            reader.refuse(name, "must be Meta's id: 1 to 64 letters and digits")
            return nil
        }
        return text
    }

    static func isToken(_ text: String) -> Bool {
        (1...4096).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

package let lineNameRule = "a line's name has 1 to 64 of a-z, A-Z, 0-9, _ and -"
package let secretNameRule = "a secret's name has 1 to 128 of a-z, A-Z, 0-9, _, - and ., and does not begin with a ."

package func isLineName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { isWordByte($0) }
}

/// Secrets are files: no name may leave their folder.
package func isSecretName(_ name: String) -> Bool {
    (1...128).contains(name.utf8.count) && name.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ".") }
        && !name.hasPrefix(".")
}

private func isWordByte(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte | 0x20) && byte < 0x80 || (0x30...0x39).contains(byte)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
}
