/// A message template, as Meta has it: of one name there is one for each language.
package struct Template: Equatable, Sendable {
    /// Meta's.
    package var id: String
    package var name: String
    /// `en_US`
    package var language: String
    package var category: Category
    package var status: Status
    package var parameterFormat: ParameterFormat
    /// What a message must or may give; a part that takes nothing is not here, but for buttons, which are all.
    package var needs: [TemplateNeed]
    /// The JSON object it was read from, which is what is stored: everything else can be read out of it again.
    package var raw: [UInt8]

    package init(
        id: String, name: String, language: String, category: Category, status: Status,
        parameterFormat: ParameterFormat, needs: [TemplateNeed], raw: [UInt8]
    ) {
        self.id = id
        self.name = name
        self.language = language
        self.category = category
        self.status = status
        self.parameterFormat = parameterFormat
        self.needs = needs
        self.raw = raw
    }
}

extension Template {
    /// What a message is charged as. Meta may change it, with 24 hours' notice.
    package enum Category: Hashable, Sendable {
        case marketing
        case utility
        case authentication
        /// A word of Meta's that is not known here.
        case other(String)

        private static let known: [Category] = [.marketing, .utility, .authentication]

        /// `MARKETING`
        package var name: String {
            switch self {
            case .marketing: "MARKETING"
            case .utility: "UTILITY"
            case .authentication: "AUTHENTICATION"
            case .other(let word): word
            }
        }

        package init(name: String) {
            self = Self.known.first { $0.name == name } ?? .other(name)
        }
    }

    /// Where it stands with Meta's reviewers. Only an approved one can be sent.
    package enum Status: Hashable, Sendable {
        case approved
        case pending
        case rejected
        /// For low quality: 3 hours the first time, 6 the second.
        case paused
        case disabled
        case inAppeal
        case limitExceeded
        case archived
        case pendingDeletion
        case deleted
        /// A word of Meta's that is not known here.
        case unknown(String)

        private static let known: [Status] = [
            .approved, .pending, .rejected, .paused, .disabled, .inAppeal, .limitExceeded, .archived, .pendingDeletion,
            .deleted,
        ]

        /// `IN_APPEAL`
        package var name: String {
            switch self {
            case .approved: "APPROVED"
            case .pending: "PENDING"
            case .rejected: "REJECTED"
            case .paused: "PAUSED"
            case .disabled: "DISABLED"
            case .inAppeal: "IN_APPEAL"
            case .limitExceeded: "LIMIT_EXCEEDED"
            case .archived: "ARCHIVED"
            case .pendingDeletion: "PENDING_DELETION"
            case .deleted: "DELETED"
            case .unknown(let word): word
            }
        }

        package init(name: String) {
            self = Self.known.first { $0.name == name } ?? .unknown(name)
        }
    }

    /// How its variables are called: by number (`{{1}}`) or by name (`{{first_name}}`).
    package enum ParameterFormat: Hashable, Sendable { case positional, named }
}

/// What one part of a template wants from a message.
package enum TemplateNeed: Equatable, Sendable {
    case headerText(TemplateVariables)
    case headerMedia(HeaderMedia)
    case body(TemplateVariables)
    /// Counted from 0.
    case button(index: Int, ButtonNeed)
    /// A kind of component that is not checked here, in the word a message uses for it, such as `carousel`; `button`
    /// stands for all buttons.
    case unchecked(String)
}

/// What a header shows in place of text.
package enum HeaderMedia: String, CaseIterable, Sendable {
    case image, video, document, location, product
}

package enum ButtonNeed: Equatable, Sendable {
    /// The end of its address is a variable; Meta allows one, `{{1}}` in templates with names, too.
    case url(variables: Int)
    /// A coupon's code.
    case copyCode
    /// A login code, which the body shows, too.
    case oneTimePassword
    /// What it starts with is optional.
    case flow
    /// The picture is optional.
    case catalog
    /// Sections of products.
    case multiProduct
    /// What comes back when it is tapped is optional.
    case quickReply
    /// Takes nothing, such as a phone number; Meta's word for its kind.
    case fixed(String)
    /// Not checked here; Meta's word for its kind.
    case unchecked(String)
}

/// The different variables of a text.
package enum TemplateVariables: Equatable, Sendable {
    /// `{{1}}` to `{{n}}`
    case positional(Int)
    /// In the order they appear in.
    case named([String])

    package var count: Int {
        switch self {
        case .positional(let count): count
        case .named(let names): names.count
        }
    }

    /// Whatever looks like a variable counts, however often it appears: letters, digits and `_` in double braces.
    package init(in text: String, _ format: Template.ParameterFormat) {
        let names = variableNames(in: text)
        self = format == .named ? .named(names) : .positional(names.count)
    }
}

/// Without braces, each once, in the order they appear in.
package func variableNames(in text: String) -> [String] {
    let bytes = Array(text.utf8)
    let brace = (open: UInt8(ascii: "{"), close: UInt8(ascii: "}"))
    var names: [String] = []
    var known: Set<String> = []
    var at = 0
    while at + 1 < bytes.count {
        guard bytes[at] == brace.open, bytes[at + 1] == brace.open else {
            at += 1
            continue
        }
        let start = at + 2
        let end = bytes[start...].firstIndex { !isOfName($0) } ?? bytes.count
        at += 1
        guard end > start, end + 1 < bytes.count, bytes[end] == brace.close, bytes[end + 1] == brace.close else {
            continue
        }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        if known.insert(name).inserted { names.append(name) }
        at = end + 2
    }
    return names
}

private func isOfName(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x5F
}
