import OutboxCore
import Testing

@Suite struct CallbackTargetTests {
    /// The address as libcurl would hand it over.
    private func bytes(_ text: String) throws -> [UInt8] {
        if text.contains(":") { return try #require(CallbackTarget.sixteen(text), "\(text)") }
        return text.split(separator: ".").compactMap { UInt8($0) }
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "169.254.170.2", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::", "fe80::1",
        "febf:ffff::1", "fec0::1", "ff02::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "::ffff:169.254.169.254",
        "::ffff:0.0.0.0", "::ffff:0:169.254.169.254", "::169.254.169.254", "::2", "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1",
        "2001:0:1:2:3:4:5601:5601", "2001:db8::5efe:a9fe:a9fe", "2001:db8::200:5efe:169.254.169.254",
    ]) func neverCalled(_ address: String) throws {
        #expect(CallbackTarget.problem(try bytes(address)) != nil)
        let host = address.contains(":") ? "[\(address)]" : address
        #expect(CallbackAddress.problem("https://\(host)/", allowsHTTP: true) != nil)
    }

    @Test(arguments: [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "8.8.8.8", "169.253.1.1", "::1",
        "fd12:3456::1", "2001:db8::1", "2606:4700::1111", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8",
        "64:ff9b:1:808:8:800::", "64:ff9b:1::808:808", "2002:808:808::1",
    ]) func called(_ address: String) throws {
        #expect(CallbackTarget.problem(try bytes(address)) == nil)
        let host = address.contains(":") ? "[\(address)]" : address
        #expect(CallbackAddress.problem("https://\(host)/", allowsHTTP: false) == nil)
    }

    @Test func aNameForThisMachineLeadsToThisMachine() throws {
        for address in ["127.0.0.1", "127.9.9.9", "::1"] {
            #expect(CallbackTarget.problem(try bytes(address), onlyLoopback: true) == nil)
        }
        for address in ["10.0.0.1", "8.8.8.8", "2001:db8::1", "::ffff:127.0.0.1", "169.254.169.254"] {
            #expect(CallbackTarget.problem(try bytes(address), onlyLoopback: true) != nil)
        }
    }

    @Test(arguments: [
        "", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "12345::", "g::", "+1::",
        "-1::", "::1.2.3", "::1.2.3.256", "1.2.3.4::", "::01.2.3.4", "fe80::1%eth0", ":1::", "1:",
    ]) func noAddress(_ text: String) { #expect(CallbackTarget.sixteen(text) == nil) }

    @Test func addressesAreRead() {
        #expect(CallbackTarget.sixteen("::") == [UInt8](repeating: 0, count: 16))
        #expect(CallbackTarget.sixteen("1:2:3:4:5:6:7:8") == [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8])
        #expect(CallbackTarget.sixteen("a::B:1.2.3.4") == [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 1, 2, 3, 4])
    }
}

@Suite struct PrintableTextTests {
    @Test func nothingSpeaksToATerminal() {
        let text = "a\u{1B}[2J\u{9B}31m\u{7F}b\u{202E}c\u{2066}d\0"
        let shown = "a\u{FFFD}[2J\u{FFFD}31m\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}"
        #expect(text.onOneLine == shown && text.withoutControls == shown)
        #expect("a\r\nb\tc\u{85}d\u{2028}e".onOneLine == "a  b c d e")
        #expect("a\nb\tc\r".withoutControls == "a\nb\tc\u{FFFD}")
        let plain = "Zoë schrieb: שלום 👩‍👩‍👧 ok"
        #expect(plain.onOneLine == plain && plain.withoutControls == plain)
    }
}
