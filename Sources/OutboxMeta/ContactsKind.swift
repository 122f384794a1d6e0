import OutboxJSON

/// Meta's page "Contacts messages": up to 257 contacts, each with a name.
let contactsRule = ContentRule.list(1...257, .object(ContentShape(contactFields)))

private let anyText = ContentRule.text(0...Int.max)

private let contactFields: [ContentField] = [
    .required(
        "name",
        .object(
            ContentShape(
                [.required("formatted_name", .words)]
                    + texts("first_name", "last_name", "middle_name", "suffix", "prefix")))),
    .optional("phones", many(texts("phone", "type", "wa_id"))),
    .optional("emails", many(texts("email", "type"))),
    .optional("urls", many(texts("url", "type"))),
    .optional("addresses", many(texts("street", "city", "state", "zip", "country", "country_code", "type"))),
    .optional("org", .object(ContentShape(texts("company", "department", "title")))),
    .optional("birthday", .form(isDate, "a date such as \"1999-01-23\"")),
]

private func texts(_ names: String...) -> [ContentField] { names.map { .optional($0, anyText) } }

private func many(_ fields: [ContentField]) -> ContentRule { .list(0...Int.max, .object(ContentShape(fields))) }

/// `YYYY-MM-DD`, a day its month can have.
private func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard text.utf8.count == 10, parts.map(\.utf8.count) == [4, 2, 2],
        parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
        let month = Int(parts[1]), let day = Int(parts[2]), (1...12).contains(month)
    else { return false }
    return (1...[31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]).contains(day)
}
