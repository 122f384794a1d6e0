import Glibc
import OutboxCommandLine
import OutboxCore

/// Questions to the person at the terminal. Reads byte by byte, so that nothing is taken that another question is for.
enum Prompt {
    /// It was broken off: ^C, or the end of the input.
    struct BrokenOff: Error {}

    static var isThere: Bool { isatty(STDIN_FILENO) != 0 && Terminal.isThere }

    private static let bytesMax = 8192

    /// An empty answer is `usual`, where there is one.
    static func ask(_ question: String, usual: String? = nil) throws -> String {
        Terminal.write(question + (usual.map { " [\($0.withoutControls)]" } ?? "") + ": ")
        var bytes: [UInt8] = []
        while let byte = next(), bytes.count < bytesMax {
            guard byte != UInt8(ascii: "\n") else {
                let answer = trimmed(String(decoding: bytes, as: UTF8.self))
                return answer.isEmpty ? usual ?? "" : answer
            }
            bytes.append(byte)
        }
        throw BrokenOff()
    }

    static func confirm(_ question: String, usual: Bool) throws -> Bool {
        while true {
            switch try ask("\(question) (\(usual ? "Y/n" : "y/N"))").lowercased() {
            case "": return usual
            case "y", "yes": return true
            case "n", "no": return false
            default: Terminal.write("Please answer y or n.\n")
            }
        }
    }

    /// What is typed is not shown, not even as stars: a token's length says something, too.
    static func hidden(_ question: String) throws -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw BrokenOff() }
        var quiet = before
        // Byte by byte, for a token may be longer than a line of the terminal; ^C comes as a byte, so that the terminal
        // is never left mute.
        quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        // Before the question: who answers it at once is not seen.
        tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet)
        defer {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
            Terminal.write("\n")
        }
        Terminal.write(question)
        var bytes: [UInt8] = []
        while let byte = next(), bytes.count < bytesMax {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return trimmed(String(decoding: bytes, as: UTF8.self))
            case 0x03, 0x04: throw BrokenOff()
            case 0x08, 0x7F: _ = bytes.popLast()
            case 0x15: bytes = []
            default: bytes.append(byte)
            }
        }
        throw BrokenOff()
    }

    private static func next() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }
}
