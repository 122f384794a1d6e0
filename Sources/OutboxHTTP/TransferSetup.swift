import CCurl
import CLinux
import Glibc

extension Transfer {
    /// What a handle is told once and keeps for all requests that are alike in this.
    struct Setup: Equatable {
        let method: String
        let protocols: String
        let timeout: Duration
        let quietMax: Duration?
        let unixSocket: [UInt8]?
        let bypassesProxy: Bool
        let looksAtAddresses: Bool
        let hasBody: Bool
        /// libcurl asks for the body piece by piece, and has it not from the start.
        let isBodyRead: Bool

        init(_ request: OutgoingRequest) {
            method = request.method
            protocols = request.protocols
            timeout = request.timeout
            quietMax = request.quietMax
            unixSocket = request.unixSocket.map { Array($0.utf8) }
            bypassesProxy = request.bypassesProxy
            looksAtAddresses = request.refusesAddress != nil
            hasBody = request.bodySize > 0
            isBodyRead = request.tellsSent != nil || request.body.isEmpty || request.file != nil
        }
    }

    /// Of a new handle, or one that was reset. False when something could not be set.
    func apply(_ setup: Setup) -> Bool {
        var isWhole = true
        func set(_ code: CURLcode) { isWhole = isWhole && code == CURLE_OK }
        let me = Unmanaged.passUnretained(self).toOpaque()
        set(ob_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, setup.protocols))
        // A proxy is nobody to ask for a socket of this machine.
        if setup.bypassesProxy || setup.unixSocket != nil { set(ob_curl_set_string(easy, CURLOPT_NOPROXY, "*")) }
        set(ob_curl_set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1))
        set(ob_curl_set_long(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2))
        set(ob_curl_set_long(easy, CURLOPT_NOSIGNAL, 1))
        // Else a transfer that times out while it resolves a name waits for the resolver, and all others with it.
        set(ob_curl_set_long(easy, CURLOPT_QUICK_EXIT, 1))
        let whole = setup.timeout.inMilliseconds
        set(ob_curl_set_long(easy, CURLOPT_TIMEOUT_MS, Int(whole)))
        set(ob_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(whole > 0 ? min(whole, 10_000) : 10_000)))
        if let quietMax = setup.quietMax {
            set(ob_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1))
            set(ob_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, Int(quietMax.components.seconds)))
        }
        set(ob_curl_set_long(easy, CURLOPT_BUFFERSIZE, 16_384))
        // A connection that idled longer may be about to be closed by the other side.
        set(ob_curl_set_long(easy, CURLOPT_MAXAGE_CONN, 30))
        // Debian's bundle without its directory of the same certificates: a tenth of the time per connection.
        _ = ob_curl_set_string(easy, CURLOPT_CAPATH, nil)
        if let path = setup.unixSocket {
            set(ob_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, String(decoding: path, as: UTF8.self)))
        }
        if setup.looksAtAddresses || sockets != nil { set(ob_curl_set_socket_callback(easy, transferWantsSocket, me)) }
        if let sockets {
            // A connection outlives the transfer that made it.
            let watch = Unmanaged.passUnretained(sockets).toOpaque()
            set(ob_curl_set_close_callback(easy, connectionClosesSocket, watch))
        }
        set(ob_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer))
        set(ob_curl_set_pointer(easy, CURLOPT_PRIVATE, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION, transferGotBody))
        set(ob_curl_set_pointer(easy, CURLOPT_WRITEDATA, me))
        set(ob_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION, transferGotHeader))
        set(ob_curl_set_pointer(easy, CURLOPT_HEADERDATA, me))
        if setup.method == "GET" { return isWhole }
        // libcurl repeats a request by itself when a kept connection dies before the answer. A POST that may have
        // arrived must not be repeated: it asks before it writes, and the second time it is refused.
        set(ob_curl_set_request_callback(easy, transferWantsToWrite, me))
        // A request without a body gets a connection of its own.
        if !setup.hasBody { set(ob_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1)) }
        set(ob_curl_set_long(easy, CURLOPT_POST, 1))
        if setup.isBodyRead {
            set(ob_curl_set_data_callback(easy, CURLOPT_READFUNCTION, transferWantsBody))
            set(ob_curl_set_pointer(easy, CURLOPT_READDATA, me))
            set(ob_curl_set_seek_callback(easy, transferWantsBodyAgain))
        }
        set(ob_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, setup.method))
        return isWhole
    }
}

// C callbacks are free functions: a closure written where an actor is implied would die on another thread.

private func transferWantsBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let transfer = Transfer.of(told: pointer) else { return Int(CURL_READFUNC_ABORT) }
    return transfer.give(buffer, size * count)
}

private func transferWantsToWrite(
    _ pointer: UnsafeMutableRawPointer?, _ address: UnsafeMutablePointer<CChar>?,
    _ ownAddress: UnsafeMutablePointer<CChar>?, _ port: Int32, _ ownPort: Int32
) -> Int32 {
    guard let transfer = Transfer.of(told: pointer) else { return CURL_PREREQFUNC_ABORT }
    return transfer.mayWrite() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

private func transferWantsBodyAgain(_ pointer: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32
{
    Int32(CURL_SEEKFUNC_FAIL)
}

private func transferGotBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = Transfer.of(told: pointer) else { return 0 }
    return transfer.take(UnsafeRawBufferPointer(start: buffer, count: size * count))
}

private func transferGotHeader(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = Transfer.of(told: pointer) else { return 0 }
    return transfer.takeHeader(UnsafeRawBufferPointer(start: buffer, count: size * count))
}

private func transferWantsSocket(
    _ pointer: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let transfer = Transfer.of(told: pointer), let address else { return CURL_SOCKET_BAD }
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

private func connectionClosesSocket(_ watch: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> Int32 {
    if let watch { Unmanaged<SocketWatch>.fromOpaque(watch).takeUnretainedValue().closed(socket) }
    return close(socket)
}
