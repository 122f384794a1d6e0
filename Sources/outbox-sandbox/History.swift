import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// Every status there was, told or not: `GET /{version}/{phone number id}/message_history?message_id=…`
struct History {
    private struct Event {
        var status: String
        var seconds: Int64
        var code: Int64?
    }

    /// Messages remembered; older ones have no history.
    private static let messagesMin = 200_000
    /// So that what has several statuses has several pages.
    private static let eventsOnAPage = 2
    private var events: [String: [Event]] = [:]
    private var olderEvents: [String: [Event]] = [:]
    private(set) var asked = 0

    mutating func happened(_ status: OutgoingStatus) {
        if events.count >= Self.messagesMin {
            olderEvents = events
            events = [:]
        }
        let event = Event(status: status.status, seconds: wallClockMilliseconds() / 1000, code: status.code)
        events[status.wamid, default: olderEvents[status.wamid] ?? []].append(event)
    }

    mutating func answer(_ head: RequestHead) -> HTTPResponse {
        asked += 1
        guard let wamid = head.parameter("message_id") else {
            return graphError(status: 400, code: 100, message: "The parameter message_id is required here")
        }
        let all = events[wamid] ?? olderEvents[wamid] ?? []
        let start = min(head.parameter("after").flatMap { Int($0) } ?? 0, all.count)
        let page = all.dropFirst(max(0, start)).prefix(Self.eventsOnAPage)
        let next = start + page.count
        return json(200) { json in
            json.array("data") {
                guard !page.isEmpty else { return }
                $0.object {
                    $0.field("id", "history-\(start)")
                    $0.field("message_id", wamid)
                    $0.object("events") { $0.array("data") { for event in page { write(event, to: &$0) } } }
                }
            }
            guard !page.isEmpty else { return }
            json.object("paging") {
                $0.object("cursors") {
                    $0.field("before", String(start))
                    $0.field("after", String(next))
                }
                if next < all.count { $0.field("next", "https://graph.facebook.com/?after=\(next)") }
            }
        }
    }

    private func write(_ event: Event, to json: inout JSONWriter) {
        json.object {
            $0.field("id", "event-\(event.status)")
            $0.field("delivery_status", event.status.uppercased())
            $0.field("webhook_update_state", "DELIVERED")
            $0.field("timestamp", event.seconds)
            if let code = event.code { $0.field("error_description", "(#\(code)) \(title(code))") }
        }
    }
}
