import CSystemd
import Glibc

/// What systemd hands in and is told.
enum Systemd {
    /// The sockets of the socket units, by `FileDescriptorName=`; a unit may listen in several places.
    static func sockets() -> [String: [Int32]] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        defer { names.map { free($0) } }
        guard count > 0, let names else { return [:] }
        var sockets: [String: [Int32]] = [:]
        for index in 0..<Int(count) {
            guard let name = names[index] else { continue }
            sockets[String(cString: name), default: []].append(SD_LISTEN_FDS_START + Int32(index))
            free(name)
        }
        return sockets
    }

    /// Does nothing where systemd does not listen.
    static func notify(_ state: String) { sd_notify(0, state) }

    /// How often the watchdog wants to hear of us; nil when there is none.
    static func watchdogInterval() -> Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
        return .microseconds(Int64(microseconds) / 2)
    }
}
