import Glibc
import OutboxSystem

/// How long answers take to GETs, asked one after another over one connection, each question in its turn.
func measureQuestions(socket path: String, seconds: Double, questions: [String]) -> Int32 {
    let named = questions.compactMap { words in
        words.firstIndex(of: "=").map { (String(words[..<$0]), String(words[words.index(after: $0)...])) }
    }
    guard named.count == questions.count else {
        print("a question is NAME=PATH")
        return 64
    }
    var connection = AnswerReader(connectUnix(path))
    var latencies = [[UInt64]](repeating: [], count: named.count)
    let end = steadyNanoseconds() + UInt64(seconds * 1e9)
    while steadyNanoseconds() < end {
        for (index, (name, path)) in named.enumerated() {
            let before = steadyNanoseconds()
            let status = connection.ask("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            latencies[index].append(steadyNanoseconds() - before)
            guard status == "200" else {
                print("\(name) was answered with \(status)")
                return 1
            }
        }
    }
    for (index, (name, _)) in named.enumerated() {
        report("ask \(name)", count: latencies[index].count, seconds, latencies[index])
    }
    return 0
}

/// Reads whole answers, of a declared length or in chunks.
private struct AnswerReader {
    private let descriptor: Int32
    private var bytes: [UInt8] = []
    private var piece = [UInt8](repeating: 0, count: 262_144)

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// The status of the answer.
    mutating func ask(_ request: String) -> String {
        sendAll(descriptor, Array(request.utf8))
        bytes.removeAll(keepingCapacity: true)
        var bodyAt: Int?
        var bodyCount: Int?
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { fatalExit("the other side went away") }
            bytes += piece[..<count]
            if bodyAt == nil, let end = headEnd() {
                bodyAt = end
                bodyCount = declaredLength(String(decoding: bytes[..<end], as: UTF8.self))
            }
            guard let bodyAt else { continue }
            if let bodyCount, bytes.count < bodyAt + bodyCount { continue }
            if bodyCount == nil, !bytes.suffix(5).elementsEqual("0\r\n\r\n".utf8) { continue }
            return String(decoding: bytes[9..<12], as: UTF8.self)
        }
    }

    private func headEnd() -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        return bytes.indices.first { bytes[$0...].starts(with: mark) }.map { $0 + 4 }
    }

    /// Nil: it comes in chunks.
    private func declaredLength(_ head: String) -> Int? {
        head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
    }
}
