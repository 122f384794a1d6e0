import OutboxCore
import OutboxJSON

/// The parameters of a component, and where they stand.
struct GivenParameters {
    let place: String
    let parameters: [JSONValue]

    var count: Int { parameters.count }
    var counted: String { count == 0 ? "none is given" : count == 1 ? "1 is given" : "\(count) are given" }

    func place(_ index: Int) -> String { "\(place)[\(index)]" }
}

/// Parameters of these kinds are certainly no text.
let kindsWithoutText: Set<String> = [
    "image", "video", "document", "location", "product", "payload", "action", "coupon_code",
]

/// `{{1}}`
func braced(_ name: String) -> String { "{{\(name)}}" }

/// `the body needs 2 parameters ({{1}}, {{2}})`
func needs(_ part: String, _ variables: TemplateVariables) -> String {
    let names: [String] =
        switch variables {
        case .positional(let count): (1...max(count, 1)).map { String($0) }
        case .named(let names): names
        }
    let list = names.map(braced).joined(separator: ", ")
    return "\(part) needs \(names.count) parameter\(names.count == 1 ? "" : "s") (\(list))"
}

extension HeaderMedia {
    var withArticle: String { self == .image ? "an image" : "a \(rawValue)" }

    var members: String {
        switch self {
        case .image, .video, .document: "id or link"
        case .location: "latitude and longitude"
        case .product: "product_retailer_id and catalog_id"
        }
    }
}

extension ButtonNeed {
    /// Meta's words for it in a message, the documented one first.
    var subTypes: [String] {
        switch self {
        case .url: ["url"]
        case .copyCode: ["copy_code"]
        // Documented is url; the others name the same button.
        case .oneTimePassword: ["url", "copy_code", "otp"]
        case .flow: ["flow"]
        case .catalog: ["catalog"]
        case .multiProduct: ["mpm"]
        case .quickReply: ["quick_reply"]
        case .fixed(let kind), .unchecked(let kind): [kind.lowercased()]
        }
    }

    /// Nil where a message may do without.
    var wanted: String? {
        switch self {
        case .url(let variables) where variables == 1: "1 text parameter, the end of its address"
        case .url(let variables): "\(variables) text parameters, parts of its address"
        case .copyCode: "1 coupon_code parameter"
        case .oneTimePassword: "1 text parameter, the code"
        case .multiProduct: "1 action parameter, the products"
        case .flow, .catalog, .quickReply, .fixed, .unchecked: nil
        }
    }

    var count: Int {
        if case .url(let variables) = self { variables } else { 1 }
    }
}

extension JSONValue {
    /// The member of this name is missing, null or an empty text.
    func lacks(_ name: String) -> Bool {
        guard let value = self[name], !value.isNull else { return true }
        return value.string?.isEmpty ?? false
    }
}
