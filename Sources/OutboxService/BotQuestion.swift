import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxStore

/// A message received that a line's bot is told of, and the reading of what it answers:
/// `{"reply": {"message": "…"}}`, the reply as `POST /v1/messages` takes it, without `to` and `line`.
struct BotQuestion: Sendable {
    /// Of an answer.
    static let answerBytesMax = 64 << 10
    private static let problemsTold = 3

    let inbound: MessageID
    let line: String
    let account: Int64
    /// Nil: nobody can be answered.
    private let sender: Recipient?
    private let isGroup: Bool
    /// The message's id, unless it cannot be quoted.
    private let quotable: String?

    /// Of an event `message.received`. Nil: its data cannot be read.
    init?(_ event: LoggedEvent, line: String, account: Int64, _ codec: IDCodec, _ parser: JSONParser) {
        // What was stored was written by us; a damaged row is told all the same, and not answered.
        guard let data = try? parser.parse(event.detail ?? []), let id = data["messageId"]?.string,
            let inbound = codec.id(id, .inbound)
        else { return nil }
        self.inbound = inbound
        self.line = line
        self.account = account
        sender = data["contactReplyTo"]?.string.flatMap { Recipient($0) }
        isGroup = data["groupId"]?.string != nil
        quotable = data["whatsappMessageId"]?.string.map { _ in id }
    }

    /// Nil: the answer holds no reply.
    func reply(in body: [UInt8], _ parser: JSONParser, _ now: Timestamp) -> BotReply.Content? {
        guard let first = body.first(where: { !$0.isSpace }), first == UInt8(ascii: "{") else { return nil }
        guard body.count <= Self.answerBytesMax else {
            return .wrong("reply: the answer is longer than \(Self.answerBytesMax) bytes; answer less")
        }
        let answer: JSONValue
        do throws(JSONError) {
            answer = try parser.parse(body)
        } catch {
            return .wrong("reply: the answer begins like JSON and is \(error.description)")
        }
        guard let reply = answer["reply"], !reply.isNull else { return nil }
        guard !isGroup else { return .wrong("reply: the message came in a group, which is not answered") }
        guard let sender else {
            return .wrong("reply: Meta named neither a number nor a user id of the sender: there is nobody to answer")
        }
        switch MessageBody.read(reply: reply, path: "reply.", line: line, to: sender, answers: quotable, now: now) {
        case .complete(let body): return .message(body.draft)
        case .wrong(let errors): return .wrong(Self.words(errors))
        }
    }

    /// `reply.message: is missing; …`
    static func words(_ errors: [FieldError]) -> String {
        errors.prefix(problemsTold).map { "\($0.field): \($0.message)" }.joined(separator: "; ")
    }
}

extension UInt8 {
    /// JSON's white space.
    fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) && self != 0x0B && self != 0x0C }
}
