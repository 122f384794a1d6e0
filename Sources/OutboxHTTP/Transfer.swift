import CCurl
import CLinux
import Glibc

/// One request on its way through libcurl: the easy handle and every byte it points at.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    private let body: [UInt8]
    private var bodySent = 0
    private let answerBytesMax: Int
    private let cutsAnswer: Bool
    private let headSuffices: Bool
    private var answer: [UInt8] = []
    private var headers: [HTTPHeader] = []
    private var headersEnded = false
    private var headBytes = 0
    private let refusesAddress: (@Sendable ([UInt8]) -> String?)?
    /// Why an address was not connected to, the last one.
    private var refusedAddress: String?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorBuffer: UnsafeMutablePointer<CChar>
    /// Takes the body's pieces of an answer that is no refusal, as they come, and says whether to go on. The first is
    /// empty and comes with the head.
    private let hear: (([UInt8]) -> Bool)?
    private let tellsSent: (@Sendable (Int) -> Void)?

    /// Of all heads of one answer, those of 1xx included.
    private static let headBytesMax = 65_536

    /// Why a request is never made; nil: nothing speaks against it. A line end in a header would begin another header.
    static func problem(_ request: OutgoingRequest) -> String? {
        if let header = request.headers.first(where: { $0.utf8.contains { $0 < 0x20 || $0 == 0x7F } }) {
            let name = header.prefix { $0 != ":" }
            return "the header \(name) would hold a line end or control character: is what it carries one line?"
        }
        return request.url.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            ? nil : "the URL holds a space or control character"
    }

    /// Nil when libcurl lacks memory: nothing may be sent with a part of what was asked for. `problem` was asked.
    init?(_ request: OutgoingRequest, hear: (([UInt8]) -> Bool)? = nil) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.hear = hear
        body = request.body
        answerBytesMax = request.answerBytesMax
        cutsAnswer = request.cutsAnswer
        tellsSent = request.tellsSent
        refusesAddress = request.refusesAddress
        headSuffices = request.headSuffices
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        // An Expect header would cost a round trip before a body of more than 1 MB.
        for header in request.headers + ["Expect:"] {
            guard let longer = curl_slist_append(headerList, header) else { return nil }
            headerList = longer
        }
        guard configure(request) else { return nil }
    }

    static var notMade: HTTPResult { .notSent("libcurl could not make the request: out of memory") }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorBuffer.deallocate()
    }

    /// False when something could not be set.
    private func configure(_ request: OutgoingRequest) -> Bool {
        var isWhole = true
        func set(_ code: CURLcode) { isWhole = isWhole && code == CURLE_OK }
        let me = Unmanaged.passUnretained(self).toOpaque()
        set(ob_curl_set_string(easy, CURLOPT_URL, request.url))
        set(ob_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, request.protocols))
        // A proxy is nobody to ask for a socket of this machine.
        if request.bypassesProxy || request.unixSocket != nil { set(ob_curl_set_string(easy, CURLOPT_NOPROXY, "*")) }
        set(ob_curl_set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1))
        set(ob_curl_set_long(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2))
        set(ob_curl_set_long(easy, CURLOPT_NOSIGNAL, 1))
        // Else a transfer that times out while it resolves a name waits for the resolver, and all others with it.
        set(ob_curl_set_long(easy, CURLOPT_QUICK_EXIT, 1))
        set(ob_curl_set_long(easy, CURLOPT_TIMEOUT_MS, Int(request.timeout.inMilliseconds)))
        let whole = request.timeout.inMilliseconds
        set(ob_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(whole > 0 ? min(whole, 10_000) : 10_000)))
        if let quietMax = request.quietMax {
            set(ob_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1))
            set(ob_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, Int(quietMax.components.seconds)))
        }
        set(ob_curl_set_long(easy, CURLOPT_BUFFERSIZE, 16_384))
        // A connection that idled longer may be about to be closed by the other side.
        set(ob_curl_set_long(easy, CURLOPT_MAXAGE_CONN, 30))
        // Debian's bundle without its directory of the same certificates: a tenth of the time per connection.
        _ = ob_curl_set_string(easy, CURLOPT_CAPATH, nil)
        if refusesAddress != nil { set(ob_curl_set_socket_callback(easy, transferWantsSocket, me)) }
        if let socket = request.unixSocket { set(ob_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, socket)) }
        set(ob_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList))
        set(ob_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer))
        set(ob_curl_set_pointer(easy, CURLOPT_PRIVATE, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION, transferGotBody))
        set(ob_curl_set_pointer(easy, CURLOPT_WRITEDATA, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION, transferGotHeader))
        set(ob_curl_set_pointer(easy, CURLOPT_HEADERDATA, me))
        if request.method == "GET" { return isWhole }
        // libcurl repeats a request by itself when a kept connection dies before the answer. A POST that may have
        // arrived must not be repeated: the body is given once, and the wish to have it again is refused.
        // Without a body there is nothing to refuse: such a request gets a connection of its own.
        if body.isEmpty { set(ob_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1)) }
        set(ob_curl_set_long(easy, CURLOPT_POST, 1))
        set(ob_curl_set_long(easy, CURLOPT_POSTFIELDSIZE, body.count))
        set(ob_curl_set_data_callback(easy, CURLOPT_READFUNCTION, transferWantsBody))
        set(ob_curl_set_pointer(easy, CURLOPT_READDATA, me))
        set(ob_curl_set_seek_callback(easy, transferWantsBodyAgain))
        set(ob_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method))
        return isWhole
    }

    // MARK: libcurl asks

    fileprivate func give(_ buffer: UnsafeMutablePointer<CChar>, _ room: Int) -> Int {
        let count = min(room, body.count - bodySent)
        body.withUnsafeBytes { bytes in
            if count > 0, let start = bytes.baseAddress { memcpy(buffer, start + bodySent, count) }
        }
        bodySent += count
        tellsSent?(bodySent)
        return count
    }

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let hear, (200...299).contains(status) { return hear(Array(bytes)) ? bytes.count : 0 }
        let room = answerBytesMax - answer.count
        guard bytes.count <= room || cutsAnswer else { return 0 }
        answer.append(contentsOf: bytes.prefix(room))
        return bytes.count
    }

    fileprivate func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headBytes += bytes.count
        guard headBytes <= Self.headBytesMax else { return 0 }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            headers = []
            headersEnded = false
        }
        // Lines behind it are trailers.
        if line == "\r\n" || line == "\n" {
            if let hear, !headersEnded, (200...299).contains(status), !hear([]) { return 0 }
            headersEnded = true
        }
        if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers.append(HTTPHeader(line[..<colon].lowercased(), trimmed(value)))
        }
        return bytes.count
    }

    /// A socket for the address that is about to be connected to, unless it is refused.
    fileprivate func openSocket(_ address: curl_sockaddr, _ bytes: [UInt8]?) -> Int32 {
        if let bytes, let problem = refusesAddress?(bytes) {
            refusedAddress = problem
            return CURL_SOCKET_BAD
        }
        return socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
    }

    private var status: Int {
        var status = 0
        ob_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    // MARK: The end

    func result(_ code: CURLcode) -> HTTPResult {
        if code == CURLE_OK {
            // libcurl takes a connection that ends among the headers for the end of an empty answer.
            guard headersEnded else { return .broken("the answer ended among its headers") }
            return .answered(status: status, headers: headers, body: answer)
        }
        if headSuffices, headersEnded, status >= 200 {
            return .answered(status: status, headers: headers, body: answer)
        }
        let detail = String(cString: errorBuffer)
        let refused = code == CURLE_COULDNT_CONNECT ? refusedAddress : nil
        let text = refused ?? words(code) ?? (detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail)
        if !body.isEmpty { return bodySent == 0 ? .notSent(text) : .broken(text) }
        var requestBytes = 0
        ob_curl_get_long(easy, CURLINFO_REQUEST_SIZE, &requestBytes)
        return requestBytes == 0 ? .notSent(text) : .broken(text)
    }
}

/// What libcurl says in its own terms, in ours.
private func words(_ code: CURLcode) -> String? {
    switch code {
    case CURLE_SEND_FAIL_REWIND, CURLE_GOT_NOTHING: "the connection was closed without an answer"
    case CURLE_PARTIAL_FILE: "the connection was closed in the middle of the answer"
    default: nil
    }
}

extension Duration {
    var inMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

private func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
}

// C callbacks are free functions: a closure written where an actor is implied would die on another thread.

private func transfer(_ pointer: UnsafeMutableRawPointer?) -> Transfer? {
    pointer.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

private func transferWantsBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let transfer = transfer(pointer) else { return Int(CURL_READFUNC_ABORT) }
    return transfer.give(buffer, size * count)
}

private func transferWantsBodyAgain(_ pointer: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32
{
    Int32(CURL_SEEKFUNC_FAIL)
}

private func transferGotBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = transfer(pointer) else { return 0 }
    return transfer.take(UnsafeRawBufferPointer(start: buffer, count: size * count))
}

private func transferGotHeader(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = transfer(pointer) else { return 0 }
    return transfer.takeHeader(UnsafeRawBufferPointer(start: buffer, count: size * count))
}

private func transferWantsSocket(
    _ pointer: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let transfer = transfer(pointer), let address else { return CURL_SOCKET_BAD }
    // libcurl has room there for any kind of address; Swift knows the first 16 bytes of it.
    let place = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0
    let raw = UnsafeRawPointer(address) + place
    let bytes: [UInt8]? =
        switch address.pointee.family {
        case AF_INET: withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { Array($0) }
        case AF_INET6: withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { Array($0) }
        default: nil
        }
    return transfer.openSocket(address.pointee, bytes)
}
