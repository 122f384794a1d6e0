import CCurl
import CLinux
import Glibc

/// A request on its way through libcurl: the easy handle and every byte it points at. Once it has ended well, the next
/// one may begin.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    /// Where its owner keeps it.
    var place = 0
    /// Who looks at its socket; nil: libcurl itself.
    let sockets: SocketWatch?
    let errorBuffer: UnsafeMutablePointer<CChar>
    /// What the handle is set to, for as many requests as are like it; nil: nothing yet.
    private var setup: Setup?
    private var url: String?
    private var headers: [String]?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// What the present request needs; nil before the first.
    private var deal: Deal?

    /// One request, and what has come of it so far.
    private struct Deal: ~Copyable {
        let body: UnsafeMutableRawBufferPointer
        let file: BodyFile?
        let bodyEnd: [UInt8]
        let answerBytesMax: Int
        let cutsAnswer: Bool
        let headSuffices: Bool
        let headersWanted: [String]?
        let refusesAddress: (@Sendable ([UInt8]) -> String?)?
        let tellsSent: (@Sendable (Int) -> Void)?
        /// Takes the body's pieces of an answer that is no refusal, as they come, and says whether to go on. The first
        /// is empty and comes with the head.
        let hear: (([UInt8]) -> Bool)?
        var bodySent = 0
        /// Bytes libcurl had written for it, to a proxy perhaps, when it was about to write the request; nil: it never was.
        var writtenBefore: Int?
        /// It wanted to write the request a second time.
        var isRepeat = false
        var answer: [UInt8] = []
        var headers: [HTTPHeader] = []
        var headersEnded = false
        var headBytes = 0
        /// Why an address was not connected to, the last one.
        var refusedAddress: String?

        init(_ request: OutgoingRequest, _ hear: (([UInt8]) -> Bool)?) {
            body = .allocate(byteCount: request.body.count, alignment: 1)
            body.copyBytes(from: request.body)
            file = request.file
            bodyEnd = request.bodyEnd
            answerBytesMax = request.answerBytesMax
            cutsAnswer = request.cutsAnswer
            headSuffices = request.headSuffices
            headersWanted = request.headersWanted
            refusesAddress = request.refusesAddress
            tellsSent = request.tellsSent
            self.hear = hear
        }

        deinit { body.deallocate() }
    }

    /// Of all heads of one answer, those of 1xx included.
    private static let headBytesMax = 65_536

    /// Why a request is never made; nil: nothing speaks against it. A line end in a header would begin another header.
    static func problem(_ request: OutgoingRequest) -> String? {
        if let header = request.headers.first(where: { holds($0) { $0 < 0x20 || $0 == 0x7F } }) {
            let name = header.prefix { $0 != ":" }
            return "the header \(name) would hold a line end or control character: is what it carries one line?"
        }
        return holds(request.url) { $0 < 0x21 || $0 > 0x7E } ? "the URL holds a space or control character" : nil
    }

    private static func holds(_ text: String, _ isWrong: (UInt8) -> Bool) -> Bool {
        var text = text
        return text.withUTF8 { $0.contains(where: isWrong) }
    }

    /// Nil when libcurl lacks memory.
    init?(_ sockets: SocketWatch? = nil) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.sockets = sockets
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
    }

    static var notMade: HTTPResult { .notSent("libcurl could not make the request: out of memory") }

    /// The one a handle belongs to.
    static func of(_ easy: UnsafeMutableRawPointer) -> Transfer? {
        var pointer: UnsafeMutableRawPointer?
        ob_curl_get_private(easy, &pointer)
        return of(told: pointer)
    }

    /// The one libcurl was told of as the data of a callback.
    static func of(told pointer: UnsafeMutableRawPointer?) -> Transfer? {
        pointer.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorBuffer.deallocate()
    }

    /// False when libcurl lacks memory: nothing may be sent with a part of what was asked for, and the transfer is of
    /// no more use. `problem` was asked.
    func begin(_ request: OutgoingRequest, hear: (([UInt8]) -> Bool)? = nil) -> Bool {
        errorBuffer.initialize(to: 0)
        let setup = Setup(request)
        if setup != self.setup {
            if self.setup != nil { reset() }
            guard apply(setup) else { return false }
            self.setup = setup
        }
        if !isSame(request.url, url) {
            guard ob_curl_set_string(easy, CURLOPT_URL, request.url) == CURLE_OK else { return false }
            url = request.url
        }
        let isKnown = headers.map { request.headers.elementsEqual($0, by: isSame) } ?? false
        if !isKnown, !setHeaders(request.headers) { return false }
        let next = Deal(request, hear)
        let start = next.body.baseAddress
        let isWhole = setup.method == "GET" || setBody(start, request.bodySize, isRead: setup.isBodyRead)
        // The handle points at its bytes no more.
        deal = consume next
        return isWhole
    }

    private func reset() {
        curl_easy_reset(easy)
        setup = nil
        url = nil
        headers = nil
    }

    private func setHeaders(_ headers: [String]) -> Bool {
        var list: UnsafeMutablePointer<curl_slist>?
        // An Expect header would cost a round trip before a body of more than 1 MB.
        for header in headers + ["Expect:"] {
            guard let longer = curl_slist_append(list, header) else {
                curl_slist_free_all(list)
                return false
            }
            list = longer
        }
        let isSet = ob_curl_set_pointer(easy, CURLOPT_HTTPHEADER, list) == CURLE_OK
        curl_slist_free_all(headerList)
        headerList = list
        self.headers = headers
        return isSet
    }

    private func setBody(_ start: UnsafeMutableRawPointer?, _ size: Int, isRead: Bool) -> Bool {
        guard ob_curl_set_long(easy, CURLOPT_POSTFIELDSIZE, size) == CURLE_OK else { return false }
        // Head and body in one piece, where they are small.
        return isRead || ob_curl_set_pointer(easy, CURLOPT_POSTFIELDS, start) == CURLE_OK
    }

    // MARK: libcurl asks

    /// Whether the request may be written, to a connection that is there: not when some of it was written already.
    func mayWrite() -> Bool {
        let written = requestBytes
        if let before = deal?.writtenBefore, written > before || deal?.bodySent ?? 0 > 0 {
            deal?.isRepeat = true
            return false
        }
        deal?.writtenBefore = written
        return true
    }

    func give(_ buffer: UnsafeMutablePointer<CChar>, _ room: Int) -> Int {
        guard let body = deal?.body, let sent = deal?.bodySent else { return Int(CURL_READFUNC_ABORT) }
        let count: Int
        if sent < body.count || deal?.file == nil {
            count = min(room, body.count - sent)
            if count > 0, let start = body.baseAddress { memcpy(buffer, start + sent, count) }
        } else {
            count = giveFile(buffer, room, from: sent - body.count)
            // Fewer bytes than were announced would leave the other side waiting.
            if count < 0 { return Int(CURL_READFUNC_ABORT) }
        }
        deal?.bodySent += count
        deal?.tellsSent?(sent + count)
        return count
    }

    /// Of the file and what stands behind it; -1 when the file cannot be read, or has become shorter.
    private func giveFile(_ buffer: UnsafeMutablePointer<CChar>, _ room: Int, from place: Int) -> Int {
        guard let file = deal?.file, let end = deal?.bodyEnd else { return -1 }
        if place < file.size {
            while true {
                let count = pread(file.descriptor, buffer, min(room, file.size - place), place)
                if count > 0 { return count }
                if count < 0, errno == EINTR { continue }
                return -1
            }
        }
        let rest = end.dropFirst(place - file.size).prefix(room)
        rest.withUnsafeBytes { if let start = $0.baseAddress { memcpy(buffer, start, $0.count) } }
        return rest.count
    }

    func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let hear = deal?.hear, (200...299).contains(status) { return hear(Array(bytes)) ? bytes.count : 0 }
        guard let most = deal?.answerBytesMax, let has = deal?.answer.count, let cuts = deal?.cutsAnswer else {
            return 0
        }
        let room = most - has
        guard bytes.count <= room || cuts else { return 0 }
        deal?.answer.append(contentsOf: bytes.prefix(room))
        return bytes.count
    }

    func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        deal?.headBytes += bytes.count
        guard deal?.headBytes ?? .max <= Self.headBytesMax else { return 0 }
        if begins(bytes, "HTTP/") {
            deal?.headers = []
            deal?.headersEnded = false
        } else if bytes.count <= 2, isLineEnd(bytes) {
            // Lines behind it are trailers.
            if let hear = deal?.hear, deal?.headersEnded == false, (200...299).contains(status), !hear([]) { return 0 }
            deal?.headersEnded = true
        }
        if let header = readHeader(bytes, deal?.headersWanted) { deal?.headers.append(header) }
        return bytes.count
    }

    /// A socket for the address that is about to be connected to, unless it is refused.
    func openSocket(_ address: curl_sockaddr, _ bytes: [UInt8]?) -> Int32 {
        if let bytes, let problem = deal?.refusesAddress?(bytes) {
            deal?.refusedAddress = problem
            return CURL_SOCKET_BAD
        }
        let made = socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
        guard made >= 0, let sockets, !sockets.opened(made) else { return made }
        close(made)
        return CURL_SOCKET_BAD
    }

    private var status: Int {
        var status = 0
        ob_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// Written so far, what a proxy was told included.
    private var requestBytes: Int {
        var bytes = 0
        ob_curl_get_long(easy, CURLINFO_REQUEST_SIZE, &bytes)
        return bytes
    }

    // MARK: The end

    func result(_ code: CURLcode) -> HTTPResult {
        guard let headersEnded = deal?.headersEnded, let headers = deal?.headers, let answer = deal?.answer else {
            return Self.notMade
        }
        if code == CURLE_OK {
            // libcurl takes a connection that ends among the headers for the end of an empty answer.
            guard headersEnded else { return .broken("the answer ended among its headers") }
            return .answered(status: status, headers: headers, body: answer)
        }
        if deal?.headSuffices ?? false, headersEnded, status >= 200 {
            return .answered(status: status, headers: headers, body: answer)
        }
        let detail = String(cString: errorBuffer)
        let refused = code == CURLE_COULDNT_CONNECT ? deal?.refusedAddress : nil
        let text =
            refused ?? words(code, isRepeat: deal?.isRepeat ?? false)
            ?? (detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail)
        return mayHaveArrived ? .broken(text) : .notSent(text)
    }

    private var mayHaveArrived: Bool {
        if deal?.bodySent ?? 0 > 0 { return true }
        // Of a GET, which does not ask before it writes, all counts.
        return requestBytes > deal?.writtenBefore ?? 0
    }
}

/// What libcurl says in its own terms, in ours.
private func words(_ code: CURLcode, isRepeat: Bool) -> String? {
    switch code {
    case CURLE_SEND_FAIL_REWIND, CURLE_GOT_NOTHING: "the connection was closed without an answer"
    case CURLE_ABORTED_BY_CALLBACK where isRepeat: "the connection was closed without an answer"
    case CURLE_PARTIAL_FILE: "the connection was closed in the middle of the answer"
    default: nil
    }
}

extension Duration {
    var inMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// Byte for byte, which Swift's own equality is not: to it an é is an é.
private func isSame(_ one: String, _ other: String?) -> Bool {
    guard var other else { return false }
    var one = one
    return one.withUTF8 { one in other.withUTF8 { one.elementsEqual($0) } }
}

private func begins(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
    guard let start = bytes.baseAddress, bytes.count >= word.utf8CodeUnitCount else { return false }
    return memcmp(start, word.utf8Start, word.utf8CodeUnitCount) == 0
}

private func isLineEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.last == 0x0A && (bytes.count == 1 || bytes.first == 0x0D)
}

/// Nil where there is no colon, and of what nobody wants.
private func readHeader(_ line: UnsafeRawBufferPointer, _ wanted: [String]?) -> HTTPHeader? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    if let wanted {
        let isWanted = wanted.contains { name in
            name.utf8.count == colon && zip(name.utf8, line).allSatisfy { $0 == RequestParser.lowercased($1) }
        }
        guard isWanted else { return nil }
    }
    var value = line[(colon + 1)...]
    while let first = value.first, isSpace(first) { value.removeFirst() }
    while let last = value.last, isSpace(last) { value.removeLast() }
    let name = String(decoding: line[..<colon].map(RequestParser.lowercased), as: UTF8.self)
    return HTTPHeader(name, String(decoding: value, as: UTF8.self))
}
