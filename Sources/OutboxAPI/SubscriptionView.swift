package import OutboxCore
package import OutboxJSON

extension Subscription {
    /// `secret` is told once. `logEnd` and the counts are of now, where they are known.
    package func write(
        to json: inout JSONWriter, name: String? = nil, secret: CallbackSecret? = nil, logEnd: Int64? = nil,
        waiting: Int64? = nil, failed: Int64? = nil
    ) {
        json.object(name) {
            $0.field("id", id)
            $0.field("url", settings.url)
            $0.field("line", settings.line)
            if let events = settings.events {
                $0.array("events") { for event in events { $0.value(event) } }
            } else {
                $0.field("events", nil as String?)
            }
            $0.field("active", settings.isActive)
            $0.field("format", settings.format.name)
            $0.field("eventsPerCall", Int64(settings.eventsPerCall))
            $0.field("inactiveReason", reason)
            if let secret { $0.field("secret", secret.text) }
            $0.field("cursor", cursor)
            if let logEnd { $0.field("behind", max(0, logEnd - cursor)) }
            if let waiting { $0.field("waiting", waiting) }
            if let failed { $0.field("givenUp", failed) }
            $0.field("failingSince", breaker?.since.rfc3339)
            $0.field("failures", breaker?.failures ?? 0)
            $0.field("nextTryAt", breaker?.until?.rfc3339)
            $0.field("lastError", breaker?.error ?? replyError)
            $0.field("lastDeliveredAt", lastDeliveredAt?.rfc3339)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("updatedAt", updatedAt.rfc3339)
        }
    }
}

extension Delivery {
    /// `id` is the event's, and the `webhook-id` of calls that tell it alone.
    package func write(to json: inout JSONWriter, id: String?, messageID: String?) {
        json.object {
            $0.field("seq", event)
            $0.field("id", id)
            $0.field("messageId", messageID)
            $0.field("status", status.name)
            $0.field("attempts", attempts)
            $0.field("nextAttemptAt", nextAt?.rfc3339)
            $0.field("httpStatus", httpStatus)
            $0.field("error", error)
            $0.field("firstAttemptAt", firstAt?.rfc3339)
            $0.field("endedAt", endedAt?.rfc3339)
        }
    }
}
