import OutboxAPI
import OutboxCore
import OutboxSystem

/// What a bulk with an idempotency key has beside the others.
struct KeyedBulk {
    /// Its digest is that of the array, or of the stream's items so far.
    private(set) var key: IdempotencyKey
    /// Read, not yet with the writer.
    private var waiting: [KeyedSlice.Item] = []
    /// What is wrong with items the writer has not seen.
    private var wrong: [Int: APIError] = [:]

    var isWaiting: Bool { !waiting.isEmpty }

    init(_ key: IdempotencyKey) { self.key = key }

    /// An item of an array, which the key covers whole, or of a stream, with its line.
    mutating func take(_ index: Int, _ item: Result<Draft, APIError>, line: ArraySlice<UInt8>) {
        var digest = IdempotencyKey.noDigest
        if key.form == .stream {
            digest = IdempotencyKey.digest(ofJSON: line)
            key.digest = IdempotencyKey.digest(key.digest + digest)
        }
        switch item {
        case .success(let draft): waiting.append(KeyedSlice.Item(index: index, digest: digest, draft: draft))
        case .failure(let error):
            waiting.append(KeyedSlice.Item(index: index, digest: digest, draft: nil))
            wrong[index] = error
        }
    }

    /// The next `countMax` items.
    mutating func nextSlice(batch: MessageID?, atomic: Bool, countMax: Int) -> KeyedSlice {
        let items = Array(waiting.prefix(atomic ? waiting.count : countMax))
        waiting.removeFirst(items.count)
        return KeyedSlice(key: key, batch: batch, items: items, atomic: atomic)
    }

    /// Why an item was refused, whose place the writer has answered for; nil: it was not.
    mutating func refusal(_ index: Int, _ result: KeyedSlice.Result, path: String) -> APIError? {
        let own = wrong.removeValue(forKey: index)
        switch result {
        case .queued: return nil
        case .refused(let refusal): return refusal.error(path: path)
        case .wrong: return own ?? APIError(.internalError, "an item was refused that was not wrong")
        }
    }

    func wrong(_ index: Int) -> APIError? { wrong[index] }
}

extension IdempotencyKey {
    static func digest(_ bytes: some Collection<UInt8>) -> [UInt8] { Array(sha256(bytes).prefix(digestBytes)) }

    /// Without the white space between its tokens: one call's JSON is written in several ways.
    static func digest(ofJSON text: some Collection<UInt8>) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count)
        var (isString, isEscape) = (false, false)
        for byte in text {
            switch byte {
            case _ where isEscape: isEscape = false
            case UInt8(ascii: "\\") where isString: isEscape = true
            case UInt8(ascii: "\""): isString.toggle()
            case _ where !isString && [0x20, 0x09, 0x0A, 0x0D].contains(byte): continue
            default: break
            }
            plain.append(byte)
        }
        return digest(plain)
    }
}
