package import OutboxCore
package import OutboxJSON
import OutboxMeta

extension StoredMessage {
    /// The message as the socket shows it; `parser` reads the content back.
    package func write(
        to json: inout JSONWriter, name: String? = nil, id: String, batchID: String?, timeline: [StoredEvent]?,
        copies: [StoredCopy]? = nil, parser: JSONParser
    ) {
        json.object(name) {
            $0.field("id", id)
            $0.field("direction", "outbound")
            $0.field("status", state.name)
            $0.field("gate", waitsAt?.name)
            $0.field("line", line)
            $0.field("to", to)
            writeContent(to: &$0, parser)
            $0.field("priority", priority.name)
            $0.field("batchId", batchID)
            $0.field("onUnknown", onUnknown?.name)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("scheduledFor", sendAt?.rfc3339)
            $0.field("expiresAt", expiresAt?.rfc3339)
            $0.field("attempts", attempts)
            $0.field("nextAttemptAt", state == .retrying ? dueAt.rfc3339 : nil)
            $0.field("whatsappMessageId", wamid)
            if let copies {
                $0.array("duplicates") {
                    for copy in copies {
                        $0.object {
                            $0.field("whatsappMessageId", copy.wamid)
                            $0.field("attempt", copy.attempt)
                            $0.field("duplicateOf", wamid)
                        }
                    }
                }
            }
            $0.field("sentAt", sentAt?.rfc3339)
            if isSimulated { $0.field("simulated", true) }
            if hasNoReceipt { $0.field("noReceipt", true) }
            $0.field("deliveredAt", deliveredAt?.rfc3339)
            $0.field("readAt", readAt?.rfc3339)
            $0.field("repliedAt", repliedAt?.rfc3339)
            $0.field("failedAt", failedAt?.rfc3339)
            $0.field("cancelledAt", cancelledAt?.rfc3339)
            $0.field("errorCode", failure?.code)
            $0.field("errorMessage", failure?.message)
            if let pricing {
                $0.object("pricing") {
                    $0.field("category", pricing.category)
                    $0.field("type", pricing.type)
                    $0.field("billable", pricing.isBillable)
                }
            }
            $0.field("metadata", raw: metadata)
            if let timeline { write(timeline, to: &$0) }
        }
    }

    private func writeContent(to json: inout JSONWriter, _ parser: JSONParser) {
        json.field("type", type)
        // What was stored was checked; a damaged row still shows the rest.
        guard let kept = KeptContent(content, parser) else { return }
        let value = kept.content
        switch type {
        case "text":
            json.field("message", raw: value["body"]?.raw)
            if let preview = value["preview_url"]?.bool { json.field("previewUrl", preview) }
        case "template":
            json.object("template") {
                $0.field("name", raw: value["name"]?.raw)
                $0.field("language", raw: value["language"]?["code"]?.raw)
                if let components = value["components"] { $0.field("components", raw: components.raw) }
            }
        default:
            json.field(type, raw: value.raw)
            if verdict(on: value, of: type) != .fits { json.field("checked", false) }
        }
        if let answers = kept.answers { json.field("replyTo", answers) }
    }

    private func write(_ timeline: [StoredEvent], to json: inout JSONWriter) {
        json.array("timeline") {
            for event in timeline {
                $0.object {
                    $0.field("status", event.state.name)
                    $0.field("at", event.at.rfc3339)
                    $0.field("event", event.kind.name)
                    if event.attempt > 0 { $0.field("attempt", event.attempt) }
                    if let detail = event.detail { $0.field("detail", raw: detail) }
                }
            }
        }
    }
}

extension Line {
    package func write(to json: inout JSONWriter, name: String? = nil) {
        json.object(name) {
            $0.field("line", settings.name)
            $0.field("phoneNumberId", settings.phoneNumberID)
            $0.field("wabaId", settings.wabaID)
            $0.field("tokenSecret", settings.credential)
            $0.field("onUnknown", settings.unknownPolicy.name)
            $0.field("unknownGraceSeconds", settings.unknownGrace.components.seconds)
            $0.field("messagesPerSecond", settings.messagesPerSecond)
            $0.field("burst", settings.burst)
            $0.field("pool", settings.pool)
            $0.field("pairLimit", settings.pairLimit)
            $0.field("whenFull", settings.whenFull.name)
            $0.field("closedWindow", settings.closedWindow.name)
            $0.field("whenStopped", settings.whenStopped.name)
            $0.field("whenDown", settings.whenDown.name)
            $0.field("attemptsMax", settings.retry.attemptsMax)
            $0.field("firstWaitSeconds", settings.retry.firstWait.components.seconds)
            $0.field("maxWaitSeconds", settings.retry.waitMax.components.seconds)
            $0.field("maxAgeSeconds", settings.ageMax?.components.seconds)
            $0.array("optOutKeywords") { for word in settings.optOutKeywords.stop { $0.value(word) } }
            $0.array("optInKeywords") { for word in settings.optOutKeywords.start { $0.value(word) } }
            $0.field("bot", settings.bot)
            $0.object("autoReply") {
                $0.field("enabled", settings.autoReply.isEnabled)
                $0.field("text", settings.autoReply.text)
            }
            $0.field("autoReplySeconds", settings.autoReply.interval.components.seconds)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("updatedAt", updatedAt.rfc3339)
        }
    }
}
