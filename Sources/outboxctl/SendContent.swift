import CLinux
import Glibc
import OutboxCommandLine
import OutboxJSON
import OutboxMeta

/// What `send` sends when it is neither a text nor a template: one of its options for the other kinds, and those that
/// go with it.
struct SendContent {
    static let options: [Arguments.Option] =
        media.map { .init($0.option, value: "FILE|URL|ID", $0.help) } + [
            .init("caption", value: "TEXT", "with --image, --video or --document: the words below it"),
            .init("filename", value: "NAME", "with --document: what it is called"),
            .init("location", value: "LAT,LON", "a place, in decimal degrees"),
            .init("name", value: "NAME", "with --location: what the place is called"),
            .init("address", value: "TEXT", "with --location: where it is"),
            .init("contact", value: "NAME,PHONE", "a person's card; may be given several times"),
            .init("react", value: "EMOJI", "put an emoji on a message; an empty one takes it back"),
            .init("to-message", value: "ID", "with --react: the message"),
            .init("reply-to", value: "ID", "the message that this one answers: its id, or Meta's (wamid.…)"),
            .init("buttons", value: "ID=TITLE", "a button below the text, 3 at most; may be given several times"),
            .init("url-button", value: "TITLE=URL", "a button below the text that opens a web page"),
            .init("list", value: "FILE", "a list below the text: a JSON object with button and sections"),
            .init("header", value: "TEXT", "with buttons or a list: the words above the text"),
            .init("footer", value: "TEXT", "with buttons or a list: the words below the text"),
            .init("body", value: "FILE", "all of a message as the socket takes it, a JSON object; - is standard input"),
        ]

    private static let media: [(option: String, help: String)] = [
        ("image", "an image: a file, which is uploaded; its web address (https); or its id, outboxd's or Meta's"),
        ("video", "a video, likewise"),
        ("audio", "a sound, likewise"), ("voice", "a voice message, likewise"), ("document", "a file, likewise"),
        ("sticker", "a sticker, likewise"),
    ]

    /// Options that say what is sent; at most one of them.
    static let kinds = media.map(\.option) + ["location", "contact", "react", "buttons", "url-button", "list", "body"]
    /// What goes with some of them alone.
    private static let companions: [(option: String, of: [String])] = [
        ("caption", ["image", "video", "document"]), ("filename", ["document"]), ("name", ["location"]),
        ("address", ["location"]), ("to-message", ["react"]), ("header", ["buttons", "url-button", "list"]),
        ("footer", ["buttons", "url-button", "list"]),
    ]
    /// Their TEXT is a part of the message.
    private static let withText = ["buttons", "url-button", "list"]
    private static let fileBytesMax = 1 << 20

    private let arguments: Arguments
    private let client: Client
    private let kind: String
    private let text: String?

    /// Nil for texts and templates. An option that would be passed over is refused.
    init?(_ arguments: Arguments, _ client: Client, text: String?) throws {
        let given = Self.kinds.filter(arguments.has)
        for (option, kinds) in Self.companions where arguments.has(option) && !kinds.contains(where: arguments.has) {
            throw Arguments.Problem("--\(option) belongs to \(kinds.map { "--\($0)" }.joined(separator: ", "))")
        }
        guard let kind = given.first else { return nil }
        if given.count > 1 { throw Arguments.Problem("--\(kind) and --\(given[1]) exclude each other") }
        for option in ["template", "preview-url", "preview"] where arguments.has(option) {
            throw Arguments.Problem("--\(kind) and --\(option) exclude each other")
        }
        if text == nil, Self.withText.contains(kind) {
            throw Arguments.Problem("--\(kind) needs a TEXT, which stands above it")
        }
        if text != nil, !Self.withText.contains(kind) {
            let advice = ["image", "video", "document"].contains(kind) ? ": give it with --caption" : ""
            throw Arguments.Problem("a TEXT does not go with --\(kind)\(advice)")
        }
        if kind == "react", arguments["to-message"] == nil {
            throw Arguments.Problem("--react wants --to-message: the message the emoji is put on")
        }
        if kind == "react", let wait = arguments["wait"], wait != "sent" {
            throw Arguments.Problem("Meta tells of a reaction only that it was sent: give --wait=sent")
        }
        self.arguments = arguments
        self.client = client
        self.kind = kind
        self.text = text
    }

    func write(to json: inout JSONWriter) throws {
        switch kind {
        case "location": try location(&json)
        case "contact": try contacts(&json)
        case "react":
            json.object("reaction") {
                $0.field("message_id", arguments["to-message"])
                $0.field("emoji", arguments["react"])
            }
        case "buttons", "url-button", "list": try interactive(&json)
        case "body": for (name, value) in try object(of: kind).members { json.field(name, raw: value.raw) }
        default: try medium(&json)
        }
    }

    // MARK: Kinds

    private func medium(_ json: inout JSONWriter) throws {
        let value = arguments[kind] ?? ""
        var (member, named): (String, String) = ("id", value)
        var filename = arguments["filename"]
        if value.contains("://") {
            member = "link"
        } else if isMediaID(value) {
            member = mediaField
        } else if isFile(value) {
            if arguments.has("dry-run") {
                throw Arguments.Problem(
                    "--dry-run hands in no file: outboxctl media upload \(value), and give --\(kind) its id")
            }
            let data = try client.quietly { try upload(value, $0, line: nil, type: nil, filename: filename) }
            (member, named) = (mediaField, data?["id"]?.string ?? "")
            if kind == "document", filename == nil { filename = value.split(separator: "/").last.map(String.init) }
        }
        json.object(kind) {
            $0.field(member, named)
            if let text = arguments["caption"] { $0.field("caption", text) }
            if let filename { $0.field("filename", filename) }
        }
    }

    /// What is neither an address nor an id: the name of a file, there or not.
    private func isFile(_ value: String) -> Bool {
        if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return false }
        if value.utf8.contains(where: { "/.~".utf8.contains($0) }) { return true }
        var info = stat()
        return stat(value, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    }

    private func location(_ json: inout JSONWriter) throws {
        let parts = (arguments["location"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
            .map { Double(trimmed($0)) }
        guard parts.count == 2, let latitude = parts[0], let longitude = parts[1] else {
            throw Arguments.Problem("--location wants LAT,LON in decimal degrees, such as 37.4847,-122.1484")
        }
        json.object("location") {
            $0.field("latitude", number: latitude)
            $0.field("longitude", number: longitude)
            for option in ["name", "address"] { if let text = arguments[option] { $0.field(option, text) } }
        }
    }

    private func contacts(_ json: inout JSONWriter) throws {
        let cards = try arguments.all("contact").map { card in
            guard let comma = card.lastIndex(of: ","), comma > card.startIndex else {
                throw Arguments.Problem("--contact \(card): give NAME,PHONE, such as \"Ann Lee,+14155550101\"")
            }
            return (name: trimmed(card[..<comma]), phone: trimmed(card[card.index(after: comma)...]))
        }
        json.array("contacts") { json in
            for card in cards {
                json.object {
                    $0.object("name") {
                        $0.field("formatted_name", card.name)
                        // Older versions of Meta's API want one more part of the name.
                        $0.field("first_name", card.name)
                    }
                    $0.array("phones") { $0.object { $0.field("phone", card.phone) } }
                }
            }
        }
    }

    private func interactive(_ json: inout JSONWriter) throws {
        let action = try action()
        json.object("interactive") { json in
            json.field("type", ["buttons": "button", "url-button": "cta_url"][kind] ?? kind)
            if let header = arguments["header"] {
                json.object("header") {
                    $0.field("type", "text")
                    $0.field("text", header)
                }
            }
            json.object("body") { $0.field("text", text) }
            if let footer = arguments["footer"] { json.object("footer") { $0.field("text", footer) } }
            json.field("action", raw: action)
        }
    }

    private func action() throws -> [UInt8] {
        var json = JSONWriter()
        switch kind {
        case "buttons":
            let buttons = try arguments.all("buttons").map { try pair($0, "ID=TITLE, such as yes=\"Yes, please\"") }
            json.object {
                $0.array("buttons") { json in
                    for (id, title) in buttons {
                        json.object {
                            $0.field("type", "reply")
                            $0.object("reply") {
                                $0.field("id", id)
                                $0.field("title", title)
                            }
                        }
                    }
                }
            }
        case "url-button":
            let (title, url) = try pair(arguments[kind] ?? "", "TITLE=URL, such as Track=https://shop.example/7")
            json.object {
                $0.field("name", "cta_url")
                $0.object("parameters") {
                    $0.field("display_text", title)
                    $0.field("url", url)
                }
            }
        default: return Array(try object(of: kind).raw)
        }
        return json.bytes
    }

    private func pair(_ text: String, _ form: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "=") else { throw Arguments.Problem("--\(kind) \(text): give \(form)") }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    /// The JSON object in the file an option names.
    private func object(of option: String) throws -> JSONValue {
        let file = arguments[option] ?? "-"
        let text = try readFile(file, bytesMax: Self.fileBytesMax)
        let value: JSONValue
        do {
            value = try JSONParser().parse(text.utf8)
        } catch {
            throw Arguments.Problem("--\(option): \(file) is \(error)")
        }
        guard value.kind == .object else { throw Arguments.Problem("--\(option): \(file) must hold a JSON object") }
        return value
    }
}
