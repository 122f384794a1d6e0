import OutboxCore

/// Everything outboxctl prints for people goes through here: what Meta, or a person who wrote to a line, put into their
/// words does not speak to the terminal.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(text.withoutControls, terminator: terminator)
}

/// JSON as it may be shown: the control characters that JSON lets stand in its strings, written as escapes.
func shown(json bytes: some Sequence<UInt8>) -> [UInt8] {
    let bytes = Array(bytes)
    let isPlain = !bytes.indices.contains { bytes[$0] == 0x7F || isC1(bytes, $0) }
    if isPlain { return bytes }
    var shown: [UInt8] = []
    var at = 0
    while at < bytes.count {
        if bytes[at] == 0x7F {
            shown += Array("\\u007f".utf8)
            at += 1
        } else if isC1(bytes, at) {
            shown += Array("\\u00\(String(bytes[at + 1], radix: 16))".utf8)
            at += 2
        } else {
            shown.append(bytes[at])
            at += 1
        }
    }
    return shown
}

/// U+0080 to U+009F, C2 80 to C2 9F in UTF-8.
private func isC1(_ bytes: [UInt8], _ at: Int) -> Bool {
    bytes[at] == 0xC2 && at + 1 < bytes.count && (0x80...0x9F).contains(bytes[at + 1])
}
