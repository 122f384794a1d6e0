import CCrypto
import CLinux
import Glibc

/// HMAC-SHA256 of `bytes`, 32 bytes. Who signs again and again keeps an `HMACSHA256`.
package func hmacSHA256(key: some Collection<UInt8>, _ bytes: some Collection<UInt8>) -> [UInt8] {
    HMACSHA256(key: Array(key)).sign(Array(bytes))
}

/// HMAC-SHA256 under a key that is prepared once, which takes libcrypto much longer than to sign. Belongs to one thread.
package final class HMACSHA256 {
    private let context: OpaquePointer

    package init(key: [UInt8]) {
        // An empty array gives no address, and without one libcrypto would look for an earlier key.
        let bytes = key.isEmpty ? [0] : key
        guard let mac = EVP_MAC_fetch(nil, "HMAC", nil), let context = EVP_MAC_CTX_new(mac) else {
            preconditionFailure("HMAC is not available in this libcrypto")
        }
        EVP_MAC_free(mac)
        var digest = Array("SHA256".utf8CString)
        // A parameter points to its name and its value: both have to be there until it was read.
        let done = OSSL_MAC_PARAM_DIGEST.withCString { name in
            digest.withUnsafeMutableBufferPointer { digest in
                let parameters = [
                    OSSL_PARAM_construct_utf8_string(name, digest.baseAddress, 0), OSSL_PARAM_construct_end(),
                ]
                return EVP_MAC_init(context, bytes, key.count, parameters)
            }
        }
        precondition(done == 1, "HMAC-SHA256 is not available in this libcrypto")
        self.context = context
    }

    deinit { EVP_MAC_CTX_free(context) }

    /// Of the pieces, one behind the other; 32 bytes.
    package func sign(_ pieces: [UInt8]...) -> [UInt8] {
        var isDone = EVP_MAC_init(context, nil, 0, nil) == 1
        for piece in pieces where isDone { isDone = EVP_MAC_update(context, piece, piece.count) == 1 }
        var digest = [UInt8](repeating: 0, count: 32)
        var length = 0
        isDone = isDone && EVP_MAC_final(context, &digest, &length, digest.count) == 1
        precondition(isDone && length == 32, "HMAC-SHA256 failed")
        return digest
    }
}

/// SHA-256 of `bytes`, 32 bytes.
package func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
    func digest(_ input: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let done = EVP_Digest(input.baseAddress, input.count, &digest, &length, EVP_sha256(), nil)
        precondition(done == 1 && length == 32, "SHA-256 is not available in this libcrypto")
        return digest
    }
    return bytes.withContiguousStorageIfAvailable(digest) ?? Array(bytes).withUnsafeBufferPointer(digest)
}

/// Equal or not, in a time that depends on the lengths alone.
package func equalInConstantTime(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    let a = Array(a)
    let b = Array(b)
    return a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
}

/// Random bytes from the kernel.
package func randomBytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
        let got = bytes[filled...].withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
        precondition(got > 0 || errno == EINTR, "the kernel gave no random bytes: errno \(errno)")
        filled += max(0, got)
    }
    return bytes
}

/// Lower-case hexadecimal digits.
package func hexadecimal(_ bytes: some Collection<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(2 * bytes.count)
    for byte in bytes {
        text.append(hexadecimalDigit(byte >> 4))
        text.append(hexadecimalDigit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
}

/// The lower-case hexadecimal digit of a number below 16.
package func hexadecimalDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}

/// One block of AES-128 under a fixed key: a keyed scrambling of 16 bytes. Belongs to one thread.
package final class BlockCipher {
    private let context: OpaquePointer

    /// `key` is 16 bytes.
    package init(key: [UInt8]) {
        precondition(key.count == 16, "AES-128 wants a key of 16 bytes")
        guard let context = EVP_CIPHER_CTX_new(),
            EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), nil, key, nil) == 1
        else { preconditionFailure("AES-128 is not available in this libcrypto") }
        self.context = context
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    package func scramble(_ high: UInt64, _ low: UInt64) -> (UInt64, UInt64) {
        var input = (high, low)
        var output: (UInt64, UInt64) = (0, 0)
        var length: Int32 = 0
        let done = withUnsafeBytes(of: &input) { input in
            withUnsafeMutableBytes(of: &output) { output in
                EVP_EncryptUpdate(
                    context, output.bindMemory(to: UInt8.self).baseAddress, &length,
                    input.bindMemory(to: UInt8.self).baseAddress, 16)
            }
        }
        precondition(done == 1 && length == 16, "AES-128 failed on a block")
        return output
    }
}

/// SHA-256 of what comes in pieces. Belongs to one thread.
package final class SHA256Sum {
    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("SHA-256 is not available in this libcrypto")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    package func add(_ bytes: some Collection<UInt8>) {
        let done =
            bytes.withContiguousStorageIfAvailable { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
            ?? Array(bytes).withUnsafeBufferPointer { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        precondition(done == 1, "SHA-256 failed on a piece")
    }

    /// 32 bytes, of all that was added; nothing may be added any more.
    package func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let done = EVP_DigestFinal_ex(context, &digest, &length)
        precondition(done == 1 && length == 32, "SHA-256 failed at its end")
        return digest
    }
}
