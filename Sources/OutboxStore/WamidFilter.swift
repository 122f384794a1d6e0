/// Tells at once of most of Meta's ids that a run has not that they are none of its: a Bloom filter of eight bits an id and
/// four places each (Bloom, Communications of the ACM 13 (7), 1970). Of a full run, some 24 in 1,000 others seem to be its.
struct WamidFilter: Equatable {
    private var words = [UInt64](repeating: 0, count: 1024)

    init() {}

    /// As `bytes` says it; nil: that is none.
    init?(bytes: [UInt8]) {
        guard bytes.count == words.count * 8 else { return nil }
        bytes.withUnsafeBytes { bytes in
            for index in words.indices {
                words[index] = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
        }
    }

    var bytes: [UInt8] { words.flatMap { word in withUnsafeBytes(of: word.littleEndian, Array.init) } }

    mutating func insert(_ hash: Int64) {
        for place in Self.places(hash) { words[place >> 6] |= 1 << UInt64(place & 63) }
    }

    func mayHave(_ hash: Int64) -> Bool {
        Self.places(hash).allSatisfy { words[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 }
    }

    /// The hash is as good as drawn by lot: each quarter of it names one of 65,536 bits.
    private static func places(_ hash: Int64) -> some Sequence<Int> {
        (0..<4).lazy.map { Int(UInt64(bitPattern: hash) >> UInt64(16 * $0) & 0xFFFF) }
    }
}
