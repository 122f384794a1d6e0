/// Words of others, such as Meta's, a person's name or a message, as a terminal and a line of a log may show them.
extension StringProtocol {
    /// On one line and without anything a terminal obeys: line ends and tabs become spaces, every other control
    /// character, and those that turn the direction of writing, become U+FFFD.
    package var onOneLine: String {
        replacing { scalar in
            switch scalar.value {
            case 0x09...0x0D, 0x85, 0x2028, 0x2029: " "
            default: isObeyed(scalar) ? "\u{FFFD}" : nil
            }
        }
    }

    /// The same for a text of several lines: its line feeds and tabs stay.
    package var withoutControls: String {
        replacing { $0 == "\n" || $0 == "\t" || !isObeyed($0) ? nil : "\u{FFFD}" }
    }

    private func replacing(_ replacement: (Unicode.Scalar) -> Unicode.Scalar?) -> String {
        if utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars { text.append(replacement(scalar) ?? scalar) }
        return String(text)
    }
}

/// A control character (C0, DEL and C1, of which U+009B begins an escape sequence by itself), or one of those that
/// embed, override or isolate a direction (UAX #9, 2).
private func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
}
