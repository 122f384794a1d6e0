import OutboxJSON

/// What Meta would refuse of a message's content, read off Meta's pages once more and apart from outboxd's own check,
/// so that either can be compared with the other.
struct ContentJudge {
    /// Kinds that are taken besides those Meta has today, unread.
    var laterKinds: Set<String> = []

    static let kinds = [
        "audio", "contacts", "document", "image", "interactive", "location", "reaction", "sticker", "template", "text",
        "video",
    ]

    func judge(_ body: PostedMessage) throws(Refusal) {
        let type = body.type ?? "text"
        guard Self.kinds.contains(type) || laterKinds.contains(type) else {
            let list = Self.kinds.joined(separator: ", ").uppercased()
            throw .parameter("Param type must be one of {\(list)} - got \"\(type)\".")
        }
        guard let content = body[type] else { throw .missing(type) }
        if let context = body["context"] {
            if type == "reaction" { throw .value("a reaction cannot be a contextual reply") }
            try GraphObject(context, "context", known: ["message_id"]).neededText("message_id")
        }
        switch type {
        case "text": try text(content)
        case "image", "video", "audio", "document", "sticker": try media(content, type, type)
        case "location": try location(content)
        case "contacts": try contacts(content)
        case "reaction": try reaction(content)
        case "interactive": try interactive(content)
        default: break
        }
    }

    private func text(_ value: JSONValue) throws(Refusal) {
        let text = try GraphObject(value, "text", known: ["body", "preview_url"])
        try text.neededText("body", max: 4096)
        try text.flag("preview_url")
    }

    private func media(_ value: JSONValue?, _ kind: String, _ name: String, inHeader: Bool = false) throws(Refusal) {
        var known: Set = ["id", "link"]
        if !inHeader, ["image", "video", "document"].contains(kind) { known.insert("caption") }
        if kind == "document" { known.insert("filename") }
        if kind == "audio" { known.insert("voice") }
        let media = try GraphObject(value, name, known: known)
        let (id, link) = (try media.text("id"), try media.text("link"))
        guard (id == nil) != (link == nil) else { throw .value("\(name) needs either id or link") }
        if id == "" { throw .value("\(name)['id'] is not a media ID") }
        if let link, link.wholeMatch(of: /https?:\/\/[^\/?#@:\s][^\s]*/) == nil {
            throw .value("\(name)['link'] is not a valid URI")
        }
        try media.text("caption", max: 1024)
        try media.text("filename")
        try media.flag("voice")
    }

    private func location(_ value: JSONValue) throws(Refusal) {
        let location = try GraphObject(value, "location", known: ["latitude", "longitude", "name", "address"])
        for (member, most) in [("latitude", 90.0), ("longitude", 180.0)] {
            guard let given = location[member] else { throw .missing(location.place(member)) }
            guard let degrees = given.number ?? given.string.flatMap({ Double($0) }), abs(degrees) <= most else {
                throw .value("\(location.place(member)) is no \(member)")
            }
        }
        try location.texts("name", "address")
    }

    private func contacts(_ value: JSONValue) throws(Refusal) {
        guard value.kind == .array else { throw .parameter("Param contacts must be an array.") }
        let contacts = Array(value.elements)
        guard (1...257).contains(contacts.count) else { throw .value("contacts must be 1 to 257") }
        for (index, contact) in contacts.enumerated() {
            let contact = try GraphObject(
                contact, "contacts[\(index)]",
                known: ["name", "phones", "emails", "urls", "addresses", "org", "birthday"])
            let name = try contact.object(
                "name",
                known: ["formatted_name", "first_name", "last_name", "middle_name", "suffix", "prefix"])
            try name.neededText("formatted_name")
            try name.texts("first_name", "last_name", "middle_name", "suffix", "prefix")
            try each(contact, "phones", ["phone", "type", "wa_id"])
            try each(contact, "emails", ["email", "type"])
            try each(contact, "urls", ["url", "type"])
            try each(contact, "addresses", ["street", "city", "state", "zip", "country", "country_code", "type"])
            if contact["org"] != nil {
                _ = try contact.object("org", known: ["company", "department", "title"])
            }
            if let birthday = try contact.text("birthday"), birthday.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) == nil {
                throw .value("\(contact.place("birthday")) must be YYYY-MM-DD")
            }
        }
    }

    private func each(_ contact: GraphObject, _ member: String, _ known: Set<String>) throws(Refusal) {
        guard contact[member] != nil else { return }
        for (index, item) in try contact.list(member, 0...Int.max).enumerated() {
            let object = try GraphObject(item, "\(contact.place(member))[\(index)]", known: known)
            for name in known { try object.text(name) }
        }
    }

    private func reaction(_ value: JSONValue) throws(Refusal) {
        let reaction = try GraphObject(value, "reaction", known: ["message_id", "emoji"])
        try reaction.neededText("message_id")
        guard let emoji = try reaction.text("emoji") else { throw .missing(reaction.place("emoji")) }
        if emoji.count > 1 || emoji.utf8.allSatisfy({ $0 < 0x80 }) && !emoji.isEmpty {
            throw .value("\(reaction.place("emoji")) is not an emoji")
        }
    }
}

// MARK: Interactive

extension ContentJudge {
    private func interactive(_ value: JSONValue) throws(Refusal) {
        let known: Set = ["type", "header", "body", "footer", "action"]
        let message = try GraphObject(value, "interactive", known: known)
        let type = try message.neededText("type")
        switch type {
        case "button":
            try parts(message, headers: ["text", "image", "video", "document"])
            try buttons(message)
        case "list":
            try parts(message, headers: ["text"], bodyMax: 4096)
            try rows(message)
        case "cta_url":
            try parts(message, headers: ["text", "image", "video", "document"])
            let parameters = try parameters(message, "cta_url", ["display_text", "url"])
            try parameters.neededText("display_text", max: 20)
            if try parameters.neededText("url").wholeMatch(of: /(?i)https?:\/\/[^\/?#@:\s][^\s]*/) == nil {
                throw .value("\(parameters.place("url")) is not a valid URI")
            }
        case "flow":
            try parts(message, headers: ["text", "image", "video", "document"])
            try flow(message)
        case "location_request_message":
            try parts(message, hasFooter: false)
            try message.object("action", known: ["name"]).word("name", "send_location")
        case "product":
            try parts(message, needsBody: false)
            let action = try message.object("action", known: ["catalog_id", "product_retailer_id"])
            try action.neededText("catalog_id")
            try action.neededText("product_retailer_id")
        case "product_list":
            try parts(message, headers: ["text"])
            if message["header"] == nil { throw .missing(message.place("header")) }
            try products(message)
        case "catalog_message":
            try parts(message)
            let action = try message.object("action", known: ["name", "parameters"])
            try action.word("name", "catalog_message")
            if action["parameters"] != nil {
                try action.object("parameters", known: ["thumbnail_product_retailer_id"])
                    .neededText("thumbnail_product_retailer_id")
            }
        // Meta has these; what they hold is not looked at here.
        case "carousel", "address_message", "order_details", "order_status", "call_permission_request", "voice_call",
            "request_contact_info":
            break
        default: throw .parameter("Param interactive['type'] is \"\(type)\", which is not known.")
        }
    }

    private func parts(
        _ message: GraphObject, headers: Set<String> = [], bodyMax: Int = 1024, needsBody: Bool = true,
        hasFooter: Bool = true
    ) throws(Refusal) {
        if message["header"] != nil {
            if headers.isEmpty { throw .value("this type takes no header") }
            let header = try message.object("header", known: headers.union(["type"]))
            let kind = try header.neededText("type")
            guard headers.contains(kind) else { throw .value("\(message.place("header")) cannot be a \(kind)") }
            for other in headers where other != kind && header[other] != nil {
                throw .value("\(header.place(other)) does not go with the type \(kind)")
            }
            if kind == "text" {
                try header.neededText("text", max: 60)
            } else {
                try media(header[kind], kind, header.place(kind), inHeader: true)
            }
        }
        if needsBody || message["body"] != nil {
            try message.object("body", known: ["text"]).neededText("text", max: bodyMax)
        }
        if message["footer"] != nil {
            if !hasFooter { throw .value("this type takes no footer") }
            try message.object("footer", known: ["text"]).neededText("text", max: 60)
        }
    }

    private func parameters(_ message: GraphObject, _ name: String, _ known: Set<String>) throws(Refusal)
        -> GraphObject
    {
        let action = try message.object("action", known: ["name", "parameters"])
        try action.word("name", name)
        return try action.object("parameters", known: known)
    }

    private func buttons(_ message: GraphObject) throws(Refusal) {
        let action = try message.object("action", known: ["buttons"])
        var (ids, titles): (Set<String>, Set<String>) = ([], [])
        for (index, item) in try action.list("buttons", 1...3).enumerated() {
            let button = try GraphObject(item, "\(action.place("buttons"))[\(index)]", known: ["type", "reply"])
            try button.word("type", "reply")
            let reply = try button.object("reply", known: ["id", "title"])
            let (id, title) = (try reply.neededText("id", max: 256), try reply.neededText("title"))
            guard title.unicodeScalars.count <= 20 else {
                throw .value("Button title length invalid. Min length: 1, Max length: 20")
            }
            guard ids.insert(id).inserted, titles.insert(title).inserted else {
                throw .value("Duplicated title or id among buttons")
            }
        }
    }

    private func rows(_ message: GraphObject) throws(Refusal) {
        let action = try message.object("action", known: ["button", "sections"])
        try action.neededText("button", max: 20)
        let sections = try action.list("sections", 1...10)
        var ids: [String] = []
        for (index, item) in sections.enumerated() {
            let section = try GraphObject(item, "\(action.place("sections"))[\(index)]", known: ["title", "rows"])
            if sections.count > 1 { try section.neededText("title") }
            try section.text("title", max: 24)
            for (number, row) in try section.list("rows", 1...10).enumerated() {
                let row = try GraphObject(
                    row, "\(section.place("rows"))[\(number)]", known: ["id", "title", "description"])
                ids.append(try row.neededText("id", max: 200))
                try row.neededText("title", max: 24)
                try row.text("description", max: 72)
            }
        }
        if ids.count > 10 { throw .value("Total row count exceed max allowed count: 10") }
        if Set(ids).count < ids.count { throw .value("Duplicated row id") }
    }

    private func products(_ message: GraphObject) throws(Refusal) {
        let action = try message.object("action", known: ["catalog_id", "sections"])
        try action.neededText("catalog_id")
        let sections = try action.list("sections", 1...10)
        var count = 0
        for (index, item) in sections.enumerated() {
            let section = try GraphObject(
                item, "\(action.place("sections"))[\(index)]", known: ["title", "product_items"])
            if sections.count > 1 { try section.neededText("title") }
            try section.text("title", max: 24)
            for (number, product) in try section.list("product_items", 1...30).enumerated() {
                count += 1
                let name = "\(section.place("product_items"))[\(number)]"
                try GraphObject(product, name, known: ["product_retailer_id"]).neededText("product_retailer_id")
            }
        }
        if count > 30 { throw .value("Total product count exceed max allowed count: 30") }
    }

    private func flow(_ message: GraphObject) throws(Refusal) {
        let known: Set = [
            "flow_message_version", "flow_token", "flow_id", "flow_name", "flow_cta", "flow_action", "mode",
            "flow_action_payload",
        ]
        let flow = try parameters(message, "flow", known)
        try flow.word("flow_message_version", "3")
        try flow.neededText("flow_cta", max: 30)
        let (id, name) = (try flow.text("flow_id"), try flow.text("flow_name"))
        guard (id == nil) != (name == nil) else { throw .value("either flow_id or flow_name is needed") }
        try flow.texts("flow_token")
        if flow["mode"] != nil { try flow.word("mode", "draft", "published") }
        if flow["flow_action"] != nil { try flow.word("flow_action", "navigate", "data_exchange") }
        if flow["flow_action_payload"] != nil {
            let payload = try flow.object("flow_action_payload", known: ["screen", "data"])
            try payload.neededText("screen")
            if let data = payload["data"], data.kind != .object {
                throw .parameter("Param \(payload.place("data")) must be a JSON object.")
            }
        }
    }
}
