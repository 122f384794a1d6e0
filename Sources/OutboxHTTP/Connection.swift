import CLinux
import Glibc

/// One client's connection: what it has sent and not been read, what it has been answered and not taken.
final class Connection {
    enum Stage {
        /// Between requests or inside a head.
        case head
        /// Inside a body that is being collected.
        case collecting(RequestHead, BodyDecoder, bytesMax: Int)
        /// Inside a body that is handed over piece by piece.
        case streaming(BodyDecoder, paused: Bool)
        /// The handler has the request; its answer is awaited.
        case answering
        /// The handler writes its answer piece by piece. `endless`: it has no end of its own.
        case sending(chunked: Bool, endless: Bool)
        /// Refused: reads and forgets, so that the client gets to see the answer.
        case lingering
    }

    /// Whose connections are counted together: a user's on one socket.
    struct Owner: Hashable {
        var listener: Int
        /// Nil for everybody who is no local process.
        var user: UInt32?
    }

    /// What the connections of one listener have together.
    final class Share {
        /// Of bodies, until they are answered.
        var bodyBytes = 0
        /// Connections of strangers.
        var strangers = 0
    }

    let descriptor: Int32
    let listener: Int
    let peer: Peer
    let share: Share
    /// False once it was closed.
    var isOpen = true
    /// What the handler knows of its client.
    var knowledge: AnyObject?
    /// One of those whose connections are counted together.
    var isStranger = false
    var stage = Stage.head
    var serial: UInt64 = 0
    /// It has asked before.
    var hasAsked = false
    /// Whether this exchange's client wants its connection kept, and whether it asked with HEAD.
    var keepAlive = true
    var isHead = false
    /// Whether this exchange's client knows chunks.
    var isOld = false
    /// Go with the answer, whatever it is.
    var notes: [HTTPHeader] = []
    /// The handler is about to be told that everything was taken.
    var tellsDrained = false

    private(set) var input: [UInt8] = []
    private var inputStart = 0
    /// Bytes of `input` in which no end of a head was found.
    var scanned = 0
    /// The last head, as it came and as it was read: a client that keeps its connection mostly asks with the same again.
    private var lastHead: (bytes: [UInt8], head: RequestHead)?
    private(set) var output: [UInt8] = []
    private var outputStart = 0
    var body: [UInt8] = []
    /// When the head of this request was read.
    var askedAt: UInt64 = 0
    /// Of a body that is streamed at a least rate: its bytes so far, and nanoseconds its client was waited for; nil: of
    /// any other.
    var pace: (bytes: Int, waited: UInt64)?
    var inputEnded = false
    /// The server is working through what was read.
    var isAdvancing = false
    var closesAfterOutput = false
    var deadline: UInt64 = .max
    /// When its deadline was set: the moment of its last progress.
    var waitsSince: UInt64 = 0
    /// What epoll was last told to look for.
    var interest: UInt32 = 0

    init(descriptor: Int32, listener: Int, peer: Peer, share: Share) {
        self.share = share
        self.descriptor = descriptor
        self.listener = listener
        self.peer = peer
    }

    var owner: Owner {
        if case .local(_, let user, _, _) = peer { return Owner(listener: listener, user: user) }
        return Owner(listener: listener, user: nil)
    }

    var unreadCount: Int { input.count - inputStart }
    var hasOutput: Bool { outputStart < output.count }
    var unsentCount: Int { output.count - outputStart }

    func withUnread<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try input.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[inputStart...])) }
    }

    /// The head that is unread, when it is the last one byte for byte, taken.
    func takeRepeatedHead() -> RequestHead? {
        guard let lastHead else { return nil }
        let isRepeated = withUnread { unread in
            lastHead.bytes.withUnsafeBytes { known -> Bool in
                guard unread.count >= known.count, let came = unread.baseAddress, let before = known.baseAddress else {
                    return false
                }
                return memcmp(came, before, known.count) == 0
            }
        }
        guard isRepeated else { return nil }
        consume(lastHead.bytes.count)
        return lastHead.head
    }

    /// The head is read, and so many bytes long.
    func take(_ head: RequestHead, _ count: Int) {
        lastHead = count <= Self.keptHeadMax ? (withUnread { Array($0[..<count]) }, head) : nil
        consume(count)
    }

    private static var keptHeadMax: Int { 1024 }

    func consume(_ count: Int) {
        inputStart += count
        scanned = 0
        if inputStart == input.count {
            input.removeAll(keepingCapacity: input.capacity <= 65_536)
            inputStart = 0
        } else if inputStart > 65_536 {
            input.removeSubrange(..<inputStart)
            inputStart = 0
        }
    }

    func forgetInput() {
        input = []
        inputStart = 0
        scanned = 0
    }

    enum ReadResult { case some, nothing, ended, failed }

    /// Takes what the kernel holds, up to the size of `scratch`.
    func readMore(into scratch: UnsafeMutableRawBufferPointer) -> ReadResult {
        let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
        if count > 0 {
            input.append(contentsOf: UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            return .some
        }
        if count == 0 { return .ended }
        return errno == EAGAIN || errno == EINTR ? .nothing : .failed
    }

    func append(_ bytes: [UInt8]) {
        if hasOutput || bytes.count <= Self.keptOutputMax { output.append(contentsOf: bytes) } else { output = bytes }
    }

    /// Has an answer written behind what was not taken yet.
    func write(_ body: (inout [UInt8]) -> Void) { body(&output) }

    private static var keptOutputMax: Int { 1024 }

    /// Hands to the kernel what it takes; false when the client is gone.
    func flush() -> Bool {
        while hasOutput {
            let count = output.withUnsafeBytes {
                send(
                    descriptor, $0.baseAddress.map { $0 + outputStart }, $0.count - outputStart, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                outputStart += count
            } else if errno == EAGAIN {
                return true
            } else if errno != EINTR {
                return false
            }
        }
        // The next answer is mostly as long as this one.
        if output.capacity <= Self.keptOutputMax { output.removeAll(keepingCapacity: true) } else { output = [] }
        outputStart = 0
        return true
    }
}
