import Glibc
import OutboxCore
import OutboxJSON
import OutboxSystem

/// Meta's prices as the file that the setting `rates` names tells them; read at the start and at every reload.
final class Rates: Sendable {
    private let known: Lock<RateCard?>

    init(_ path: String? = nil) throws(Settings.Problem) { known = Lock(try Self.read(path)) }

    /// Nil: no file is named, and no costs are told.
    var card: RateCard? { known.withLock { $0 } }

    func set(_ card: RateCard?) { known.withLock { $0 = card } }

    static func read(_ path: String?) throws(Settings.Problem) -> RateCard? {
        guard let path else { return nil }
        return try RateFile.read(path)
    }
}

/// The file itself.
enum RateFile {
    private static let bytesMax = 4 << 20

    /// CSV or JSON, by what it begins with.
    static func read(_ path: String) throws(Settings.Problem) -> RateCard {
        guard let bytes = readFile(path, bytesMax: bytesMax) else {
            throw Settings.Problem(
                description: "the rates file \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        do throws(RateCard.Problem) {
            return try RateCard(try rows(bytes))
        } catch {
            throw Settings.Problem(description: "the rates file \(path) \(error.description)")
        }
    }

    static func rows(_ bytes: [UInt8]) throws(RateCard.Problem) -> [RateCard.Row] {
        let first = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw RateCard.Problem(description: "is not UTF-8")
            }
            return try RateCard.rows(csv: text)
        }
        do {
            return rows(try JSONParser().parse(bytes))
        } catch {
            throw RateCard.Problem(description: "is \(error)")
        }
    }

    private static func rows(_ value: JSONValue) -> [RateCard.Row] {
        let items = value.kind == .array ? value.elements : value["rates"]?.elements
        let shared = value.kind == .object ? value["currency"]?.string : nil
        // What is missing is empty, and refused with the row's number.
        return (items.map(Array.init) ?? []).map { item in
            let number = item["price"].flatMap { $0.isNull ? nil : String(decoding: $0.raw, as: UTF8.self) }
            return RateCard.Row(
                country: item["country"]?.string ?? "", category: item["category"]?.string ?? "",
                price: item["price"]?.string ?? number ?? "", currency: item["currency"]?.string ?? shared ?? "")
        }
    }
}
