import OutboxJSON

/// What a text of JSON becomes when one value in it is another one: each value, each way.
package func mutations(of text: String) throws -> [[UInt8]] {
    let bytes = Array(text.utf8)
    let strange = [
        "null", "7", "-1", "1e99", "true", "\"\"", "\"\\u0000\"", "\"{{1}}\"", "[]", "{}", "[null]", "[[{}]]",
    ]
    var texts: [[UInt8]] = []
    func walk(_ value: JSONValue) {
        for other in strange {
            texts.append(Array(bytes[..<value.raw.startIndex]) + Array(other.utf8) + bytes[value.raw.endIndex...])
        }
        for child in value.elements { walk(child) }
        for member in value.members { walk(member.value) }
    }
    walk(try JSONParser().parse(bytes))
    return texts
}
