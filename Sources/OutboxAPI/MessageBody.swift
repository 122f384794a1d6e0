package import OutboxCore
package import OutboxJSON
import OutboxMeta

/// A message as callers hand it in: the body of `POST /v1/messages`, an item of a bulk, a line of NDJSON.
package struct MessageBody: Equatable, Sendable {
    package var draft: Draft
    package var dryRun: Bool

    /// Unicode scalars of a text.
    package static let textLengthMax = 4096
    package static let metadataBytesMax = 4096
    package static let templateNameLengthMax = 512
    package static let contentBytesMax = 65_536

    private static let ownFields = [
        "line", "to", "sendAt", "expiresAt", "priority", "metadata", "dryRun", "fallback", "order", "whenFull",
        "onUnknown", "simulate", "closedWindow",
    ]
    // Nearly all messages have the first ones alone.
    private static let fields =
        ["to", "message", "template"] + ownFields.filter { $0 != "to" }
        + ContentBody.fields.dropFirst(2) + ContentBody.sideFields

    /// Those of a reply: where it goes stands fast, and nobody reads what a dry run would tell.
    private static let replyFields = fields.filter { !["to", "line", "dryRun"].contains($0) }
    private static let names = JSONNames(fields)
    private static let replyNames = JSONNames(replyFields)

    package enum Reading: Equatable, Sendable {
        case complete(MessageBody)
        case wrong([FieldError])
    }

    /// Checks everything and names every wrong field. `path` stands before the names, as in `messages[3].`.
    package static func read(_ value: JSONValue, path: String = "", now: Timestamp) -> Reading {
        read(value, path: path, reply: nil, now: now)
    }

    /// The same without `to` and `line`: a reply to a message received. `answers` is that message's id, which it
    /// quotes unless it says otherwise; nil: it cannot be quoted.
    package static func read(
        reply value: JSONValue, path: String, line: String, to: Recipient, answers id: String?, now: Timestamp
    ) -> Reading {
        let reading = read(value, path: path, reply: (line, to), now: now)
        guard case .complete(var body) = reading, let id, body.draft.mention == nil, value["replyTo"] == nil,
            ContentKind(rawValue: body.draft.type)?.canAnswer ?? true
        else { return reading }
        body.draft.mention = Mention(.answer, .ours(id))
        return .complete(body)
    }

    private static func read(
        _ value: JSONValue, path: String, reply: (line: String, to: Recipient)?, now: Timestamp
    ) -> Reading {
        let strange = ContentBody.strangeType(value, taken: names)
        var known = reply == nil ? names : replyNames
        if let strange { known = JSONNames(known.texts + [strange]) }
        var reader = ObjectReader(value, path: path, known: known)
        guard value.kind == .object else { return .wrong(reader.errors) }
        let line = reply?.line ?? reader.string("line")
        let to = reply?.to ?? recipient(&reader)
        var content = ContentBody.read(&reader, path, strange: strange)
        let media = content.flatMap { MediaNaming.adopt(&reader, $0) }
        if let media { content?.json = media.content }
        let sendAt = moment(&reader, "sendAt")
        if let sendAt, sendAt <= now { reader.refuse("sendAt", "must lie in the future; it is now \(now.rfc3339)") }
        let expiresAt = moment(&reader, "expiresAt")
        if let expiresAt, expiresAt <= max(now, sendAt ?? now) {
            reader.refuse("expiresAt", "must lie in the future and after sendAt; it is now \(now.rfc3339)")
        }
        let priority = reader.choice("priority", Priority.self) ?? .normal
        let order = reader.choice("order", { ["given", "any"].contains($0) ? $0 : nil }, ["given", "any"])
        let whenFull = reader.choice("whenFull", WhenFull.self)
        let onUnknown = reader.choice("onUnknown", UnknownPolicy.self)
        let failsOutside = reader.choice("closedWindow", { ["fail": true][$0] }, ["fail"]) ?? false
        let fallback = fallback(&reader, path)
        let metadata = metadata(&reader)
        let dryRun = reader.bool("dryRun") ?? false
        let isSimulated = reader.bool("simulate") ?? false
        guard reader.errors.isEmpty, let to, let content else { return .wrong(reader.errors) }
        var draft = Draft(
            line: line, to: to, type: content.type, content: content.json, sendAt: sendAt, expiresAt: expiresAt,
            priority: priority, metadata: metadata, template: content.template, fallback: fallback)
        draft.anyOrder = order == "any"
        draft.whenFull = whenFull
        draft.onUnknown = onUnknown
        draft.failsOutsideWindow = failsOutside
        draft.mention = content.mention
        draft.media = media?.name
        draft.isChecked = content.isChecked
        draft.isSimulated = isSimulated
        return .complete(MessageBody(draft: draft, dryRun: dryRun))
    }

    // MARK: Fields

    private static func recipient(_ reader: inout ObjectReader) -> Recipient? {
        guard let text = reader.requiredString("to", example: "\"14155552671\"") else { return nil }
        if let recipient = Recipient(text) { return recipient }
        reader.refuse("to", Recipient.form)
        return nil
    }

    private static func moment(_ reader: inout ObjectReader, _ name: String) -> Timestamp? {
        guard let text = reader.string(name) else { return nil }
        if let moment = Timestamp(rfc3339: text) { return moment }
        reader.refuse(name, "must be a time in RFC 3339 with its offset, such as 2030-01-31T09:00:00+01:00")
        return nil
    }

    private static func metadata(_ reader: inout ObjectReader) -> [UInt8]? {
        guard let value = reader["metadata"] else { return nil }
        guard value.kind == .object else {
            reader.refuse("metadata", "must be an object")
            return nil
        }
        guard value.raw.count <= metadataBytesMax else {
            reader.refuse("metadata", "is \(value.raw.count) bytes long; \(metadataBytesMax) are allowed")
            return nil
        }
        return Array(value.raw)
    }

    // MARK: Fallback

    /// `{"template": {...}}`: goes when the person's window is closed.
    private static func fallback(_ reader: inout ObjectReader, _ path: String) -> TemplateMessage? {
        guard let value = reader["fallback"] else { return nil }
        var inner = ObjectReader(value, path: path + "fallback.", known: ["template"])
        var message: TemplateMessage?
        if let template = inner["template"] {
            inner.adopt(TemplateBody.read(template, path: path + "fallback.template.", into: &message))
            if let message, MediaNaming.names(message.content) {
                inner.refuse("template", "names a file of outboxd's, which a fallback cannot: give Meta's id or a link")
            }
        } else if value.kind == .object {
            inner.refuse("template", "is missing: give the template that goes when the window is closed")
        }
        reader.adopt(inner.errors)
        return message
    }
}
