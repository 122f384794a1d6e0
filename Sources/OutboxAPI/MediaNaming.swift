import OutboxCore
import OutboxJSON
import OutboxMeta

/// Files of ours that a message's content names: `{"media": "<id>"}` where Meta has `id` or `link`.
enum MediaNaming {
    struct Adopted {
        var name: MediaName
        /// With the file named in the one spelling that is filled in when the message leaves.
        var content: [UInt8]
    }

    private struct Found {
        /// `template.components[0].parameters[0].image`
        var place: String
        /// Meta's word, such as `image`.
        var kind: String
        var object: JSONValue
    }

    private static let kinds = ["image", "video", "audio", "document", "sticker"]
    private static let mark = Array("\"\(mediaField)\"".utf8)
    private static let cardsMax = 10

    /// Nil when it names none, or when something is wrong, which the reader then knows.
    static func adopt(_ reader: inout ObjectReader, _ content: ContentBody) -> Adopted? {
        // The road nearly all take.
        guard holdsMark(content.json), let value = try? JSONParser().parse(content.json) else { return nil }
        let found = find(content.type, value).filter { $0.object.present(mediaField) != nil }
        var ids: Set<String> = []
        var json = content.json
        for found in found {
            guard let text = found.object[mediaField]?.string, isMediaID(text) else {
                reader.refuse("\(found.place).\(mediaField)", "must be the id of a file handed in with POST /v1/media")
                return nil
            }
            for other in ["id", "link"] where found.object.present(other) != nil {
                reader.refuse("\(found.place).\(other)", "and \(mediaField) exclude each other: give one of them")
                return nil
            }
            let id = text.lowercased()
            ids.insert(id)
            json = MediaName.replacing(Array(found.object.raw), in: json, with: rewritten(found.object, id))
        }
        guard let first = found.first, let id = ids.first else { return nil }
        guard ids.count == 1 else {
            reader.refuse(
                "\(first.place).\(mediaField)",
                "is one of \(ids.count) files; a message names one: upload the others with ?line= and give Meta's ids")
            return nil
        }
        return Adopted(
            name: MediaName(id: id, field: "\(first.place).\(mediaField)", shownAs: first.kind), content: json)
    }

    /// Whether a template names a file of ours.
    static func names(_ template: [UInt8]) -> Bool {
        guard holdsMark(template), let value = try? JSONParser().parse(template) else { return false }
        return find("template", value).contains { $0.object.present(mediaField) != nil }
    }

    /// Looks at the byte a mark would end with, and passes all places at once that the byte there rules out (Horspool).
    private static func holdsMark(_ bytes: [UInt8]) -> Bool {
        let (mark, skips) = (mark, skips)
        var at = mark.count - 1
        while at < bytes.count {
            if bytes[at] == mark[mark.count - 1], bytes[(at - mark.count + 1)...at].elementsEqual(mark) { return true }
            at += Int(skips[Int(bytes[at])])
        }
        return false
    }

    /// By byte: how far the mark's end lies behind the last of this byte in it, its end aside.
    private static let skips: [UInt8] = {
        var skips = [UInt8](repeating: UInt8(mark.count), count: 256)
        for (index, byte) in mark.dropLast().enumerated() { skips[Int(byte)] = UInt8(mark.count - 1 - index) }
        return skips
    }()

    /// Every object in which Meta takes a file.
    private static func find(_ type: String, _ content: JSONValue) -> [Found] {
        if kinds.contains(type) { return [Found(place: type, kind: type, object: content)] }
        switch type {
        case "interactive": return content["header"].map { files(in: $0, "interactive.header") } ?? []
        case "template": return content["components"].map { components($0, "template.components") } ?? []
        default: return []
        }
    }

    private static func files(in value: JSONValue, _ place: String) -> [Found] {
        ["image", "video", "document"].compactMap { kind in
            value[kind].flatMap { $0.kind == .object ? Found(place: "\(place).\(kind)", kind: kind, object: $0) : nil }
        }
    }

    private static func components(_ list: JSONValue, _ place: String, isCard: Bool = false) -> [Found] {
        guard list.kind == .array else { return [] }
        var found: [Found] = []
        for (index, component) in list.elements.enumerated() {
            let place = "\(place)[\(index)]"
            if let parameters = component["parameters"], parameters.kind == .array {
                for (number, parameter) in parameters.elements.enumerated() {
                    found += files(in: parameter, "\(place).parameters[\(number)]")
                }
            }
            guard !isCard, let cards = component["cards"], cards.kind == .array else { continue }
            for (number, card) in cards.elements.enumerated().prefix(cardsMax) {
                guard let inner = card["components"] else { continue }
                found += components(inner, "\(place).cards[\(number)].components", isCard: true)
            }
        }
        return found
    }

    private static func rewritten(_ object: JSONValue, _ id: String) -> [UInt8] {
        var json = JSONWriter(capacity: object.raw.count + 16)
        json.object {
            $0.field(mediaField, id)
            for (name, member) in object.members where name != mediaField && !member.isNull {
                $0.field(name, raw: member.raw)
            }
        }
        return json.bytes
    }
}

extension JSONValue {
    fileprivate func present(_ name: String) -> JSONValue? { self[name].flatMap { $0.isNull ? nil : $0 } }
}
