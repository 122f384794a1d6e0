import CCurl
import CLinux
import Glibc

/// A request on its way through libcurl: the easy handle and every byte it points at. Once it has ended well, the next
/// one may begin.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    /// What the present request needs; nil before the first.
    private var deal: Deal?
    private let errorBuffer: UnsafeMutablePointer<CChar>

    /// One request, and what has come of it so far.
    private struct Deal: ~Copyable {
        let body: UnsafeMutableRawBufferPointer
        let file: BodyFile?
        let bodyEnd: [UInt8]
        let answerBytesMax: Int
        let cutsAnswer: Bool
        let headSuffices: Bool
        let refusesAddress: (@Sendable ([UInt8]) -> String?)?
        let tellsSent: (@Sendable (Int) -> Void)?
        /// Takes the body's pieces of an answer that is no refusal, as they come, and says whether to go on. The first
        /// is empty and comes with the head.
        let hear: (([UInt8]) -> Bool)?
        var headerList: UnsafeMutablePointer<curl_slist>?
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
            refusesAddress = request.refusesAddress
            tellsSent = request.tellsSent
            self.hear = hear
        }

        deinit {
            body.deallocate()
            curl_slist_free_all(headerList)
        }
    }

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

    /// Nil when libcurl lacks memory.
    init?() {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
    }

    static var notMade: HTTPResult { .notSent("libcurl could not make the request: out of memory") }

    deinit {
        curl_easy_cleanup(easy)
        errorBuffer.deallocate()
    }

    /// False when libcurl lacks memory: nothing may be sent with a part of what was asked for, and the transfer is of
    /// no more use. `problem` was asked.
    func begin(_ request: OutgoingRequest, hear: (([UInt8]) -> Bool)? = nil) -> Bool {
        // Before the bytes go that the handle still points at.
        if deal != nil { curl_easy_reset(easy) }
        errorBuffer.initialize(to: 0)
        var headerList: UnsafeMutablePointer<curl_slist>?
        deal = Deal(request, hear)
        // An Expect header would cost a round trip before a body of more than 1 MB.
        for header in request.headers + ["Expect:"] {
            guard let longer = curl_slist_append(headerList, header) else {
                curl_slist_free_all(headerList)
                return false
            }
            headerList = longer
        }
        deal?.headerList = headerList
        return configure(request)
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
        if request.refusesAddress != nil { set(ob_curl_set_socket_callback(easy, transferWantsSocket, me)) }
        if let socket = request.unixSocket { set(ob_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, socket)) }
        set(ob_curl_set_pointer(easy, CURLOPT_HTTPHEADER, deal?.headerList))
        set(ob_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer))
        set(ob_curl_set_pointer(easy, CURLOPT_PRIVATE, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION, transferGotBody))
        set(ob_curl_set_pointer(easy, CURLOPT_WRITEDATA, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION, transferGotHeader))
        set(ob_curl_set_pointer(easy, CURLOPT_HEADERDATA, me))
        if request.method == "GET" { return isWhole }
        // libcurl repeats a request by itself when a kept connection dies before the answer. A POST that may have
        // arrived must not be repeated: it asks before it writes, and the second time it is refused.
        set(ob_curl_set_request_callback(easy, transferWantsToWrite, me))
        // A request without a body gets a connection of its own.
        if request.bodySize == 0 { set(ob_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1)) }
        set(ob_curl_set_long(easy, CURLOPT_POST, 1))
        set(ob_curl_set_long(easy, CURLOPT_POSTFIELDSIZE, request.bodySize))
        if request.tellsSent != nil || request.body.isEmpty || request.file != nil {
            set(ob_curl_set_data_callback(easy, CURLOPT_READFUNCTION, transferWantsBody))
            set(ob_curl_set_pointer(easy, CURLOPT_READDATA, me))
            set(ob_curl_set_seek_callback(easy, transferWantsBodyAgain))
        } else {
            // Head and body in one piece, where they are small.
            set(ob_curl_set_pointer(easy, CURLOPT_POSTFIELDS, deal?.body.baseAddress))
        }
        set(ob_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method))
        return isWhole
    }

    // MARK: libcurl asks

    /// Whether the request may be written, to a connection that is there: not when some of it was written already.
    fileprivate func mayWrite() -> Bool {
        let written = requestBytes
        if let before = deal?.writtenBefore, written > before || deal?.bodySent ?? 0 > 0 {
            deal?.isRepeat = true
            return false
        }
        deal?.writtenBefore = written
        return true
    }

    fileprivate func give(_ buffer: UnsafeMutablePointer<CChar>, _ room: Int) -> Int {
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

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let hear = deal?.hear, (200...299).contains(status) { return hear(Array(bytes)) ? bytes.count : 0 }
        guard let most = deal?.answerBytesMax, let has = deal?.answer.count, let cuts = deal?.cutsAnswer else {
            return 0
        }
        let room = most - has
        guard bytes.count <= room || cuts else { return 0 }
        deal?.answer.append(contentsOf: bytes.prefix(room))
        return bytes.count
    }

    fileprivate func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        deal?.headBytes += bytes.count
        guard deal?.headBytes ?? .max <= Self.headBytesMax else { return 0 }
        if bytes.starts(with: "HTTP/".utf8) {
            deal?.headers = []
            deal?.headersEnded = false
        }
        // Lines behind it are trailers.
        if bytes.elementsEqual("\r\n".utf8) || bytes.elementsEqual("\n".utf8) {
            if let hear = deal?.hear, deal?.headersEnded == false, (200...299).contains(status), !hear([]) { return 0 }
            deal?.headersEnded = true
        }
        if let header = readHeader(bytes) { deal?.headers.append(header) }
        return bytes.count
    }

    /// A socket for the address that is about to be connected to, unless it is refused.
    fileprivate func openSocket(_ address: curl_sockaddr, _ bytes: [UInt8]?) -> Int32 {
        if let bytes, let problem = deal?.refusesAddress?(bytes) {
            deal?.refusedAddress = problem
            return CURL_SOCKET_BAD
        }
        return socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
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

/// Nil where there is no colon.
private func readHeader(_ line: UnsafeRawBufferPointer) -> HTTPHeader? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    var value = line[(colon + 1)...]
    while let first = value.first, isSpace(first) { value.removeFirst() }
    while let last = value.last, isSpace(last) { value.removeLast() }
    let name = line[..<colon].map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return HTTPHeader(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
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

private func transferWantsToWrite(
    _ pointer: UnsafeMutableRawPointer?, _ address: UnsafeMutablePointer<CChar>?,
    _ ownAddress: UnsafeMutablePointer<CChar>?, _ port: Int32, _ ownPort: Int32
) -> Int32 {
    guard let transfer = transfer(pointer) else { return CURL_PREREQFUNC_ABORT }
    return transfer.mayWrite() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
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
