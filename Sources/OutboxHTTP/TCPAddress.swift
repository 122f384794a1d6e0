import Glibc
import OutboxSystem

/// A numeric address and a port of TCP: `127.0.0.1:8080`, `[::1]:8080`.
package struct TCPAddress: Equatable, Sendable, CustomStringConvertible {
    /// Without brackets.
    package let host: String
    package let port: UInt16

    /// Nil: the text is none. Port 0 has the kernel pick one.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy(\.isNumber), let port = UInt16(digits) else { return nil }
        let isSix = host.hasPrefix("[") && host.hasSuffix("]")
        if isSix { host = host.dropFirst().dropLast() }
        var four = in_addr()
        var six = in6_addr()
        guard isSix ? inet_pton(AF_INET6, String(host), &six) == 1 : inet_pton(AF_INET, String(host), &four) == 1
        else { return nil }
        self.host = String(host)
        self.port = port
    }

    private var isSix: Bool { host.contains(":") }

    package var description: String { isSix ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Nothing sent there leaves the machine.
    package var isLoopback: Bool {
        if isSix {
            var six = in6_addr()
            return inet_pton(AF_INET6, host, &six) == 1
                && withUnsafeBytes(of: six) { bytes in
                    bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
                }
        }
        var four = in_addr()
        return inet_pton(AF_INET, host, &four) == 1 && UInt32(bigEndian: four.s_addr) >> 24 == 127
    }

    /// Hands the address in the kernel's form to `body`.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        func call<Address>(_ address: Address) -> Result {
            withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        if isSix {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            return call(address)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return call(address)
    }

    var family: Int32 { isSix ? AF_INET6 : AF_INET }
}
