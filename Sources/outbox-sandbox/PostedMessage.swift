import OutboxJSON

/// A request to send, its body's members read once.
struct PostedMessage {
    /// Nil: the body is not JSON.
    let json: JSONValue?
    /// For the ledger.
    let bytes: [UInt8]
    private var members: [(name: String, value: JSONValue)] = []
    /// Strings; nil where they are missing or something else.
    let to: String?
    let recipient: String?
    let type: String?
    let opaque: String?

    init(_ body: [UInt8], _ parser: JSONParser) {
        // What is no JSON is refused, and stands in the ledger as null.
        json = try? parser.parse(body)
        bytes = json == nil ? Array("null".utf8) : body
        if let json {
            members.reserveCapacity(8)
            for member in json.members { members.append(member) }
        }
        let members = members
        func text(_ name: String) -> String? { members.first { $0.name == name }?.value.string }
        to = text("to")
        recipient = text("recipient")
        type = text("type")
        opaque = text("biz_opaque_callback_data")
    }

    /// The first member of this name.
    subscript(_ name: String) -> JSONValue? { members.first { $0.name == name }?.value }

    var isObject: Bool { json?.kind == .object }
    var isTemplate: Bool { type == "template" }

    /// Media it may name: ids and where they stand.
    var media: [(place: String, id: String)] {
        var found: [(String, String)] = []
        func look(_ value: JSONValue?, _ place: String) {
            if let id = value?["id"]?.string { found.append((place, id)) }
        }
        let kinds = Self.kindsWithMedia
        for kind in kinds { look(self[kind], kind) }
        if let header = self["interactive"]?["header"] {
            for kind in kinds { look(header[kind], "interactive['header']['\(kind)']") }
        }
        guard let components = self["template"]?["components"]?.elements else { return found }
        for component in components {
            guard let parameters = component["parameters"]?.elements else { continue }
            for parameter in parameters where Self.holdsObject(parameter) {
                for kind in kinds { look(parameter[kind], "template['components']['parameters']['\(kind)']") }
            }
        }
        return found
    }

    /// Most parameters are texts and hold none.
    private static func holdsObject(_ parameter: JSONValue) -> Bool {
        for (_, value) in parameter.members where value.kind == .object { return true }
        return false
    }

    private static let kindsWithMedia = ["image", "video", "audio", "document", "sticker"]
}
