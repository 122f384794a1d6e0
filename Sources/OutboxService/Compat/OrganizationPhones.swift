import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Phones: lines with what Meta last said of their numbers.
extension Organization {
    /// A line and its health.
    struct Phone {
        var line: JSONValue
        var health: JSONValue?
    }

    func phones(_ page: OrganizationPage) -> Translation {
        withLines { lines in
            let some = Array(lines.dropFirst(page.offset).prefix(page.limit))
            let hasMore = page.offset + some.count < lines.count
            return withHealth(of: some) { phones in
                list(page, total: Int64(lines.count), hasMore: hasMore) { json in
                    for phone in phones { write(phone, to: &json) }
                }
            }
        }
    }

    func answer(_ phone: Phone) -> Translation { .answer(.json(200) { write(phone, to: &$0, "data") }) }

    /// Asks for one after the other.
    func withHealth(
        of lines: [JSONValue], _ known: [Phone] = [], _ then: @escaping ([Phone]) -> Translation
    ) -> Translation {
        guard known.count < lines.count else { return then(known) }
        let line = lines[known.count]
        return ask(OwnCall(.lineHealth(line["line"]?.string ?? ""), "\(path(line))/health")) { answer, _ in
            withHealth(of: lines, known + [Phone(line: line, health: answer["data"])], then)
        }
    }

    /// What is known; Meta is asked in the background for what the next call will say.
    func health(_ line: JSONValue) -> Translation {
        let call = OwnCall(.lineHealth(line["line"]?.string ?? ""), "\(path(line))/health?refresh=true")
        return ask(call) { answer, _ in
            let health = answer["data"]
            return .answer(
                .json(200) {
                    $0.object("data") {
                        $0.field("phoneId", ids.phone(line["line"]?.string ?? ""))
                        $0.field("metaPhoneNumberId", raw: line["phoneNumberId"]?.raw)
                        writeReadiness(health, to: &$0)
                        $0.field("canSendMessage", raw: health?["canSendMessage"]?.raw)
                        $0.field("messagesPerSecond", raw: health?["messagesPerSecond"]?.raw)
                        $0.field("issues", raw: health?["reasons"]?.raw ?? Array("[]".utf8)[...])
                        $0.field("lastError", raw: health?["problem"]?.raw)
                        $0.field("lastSyncedAt", raw: health?["readAt"]?.raw)
                    }
                })
        }
    }

    private func write(_ phone: Phone, to json: inout JSONWriter, _ name: String? = nil) {
        let line = phone.line["line"]?.string ?? ""
        json.object(name) {
            $0.field("id", ids.phone(line))
            $0.field("name", line)
            $0.field("metaPhoneNumberId", raw: phone.line["phoneNumberId"]?.raw)
            $0.field("metaWabaId", raw: phone.line["wabaId"]?.raw)
            writeReadiness(phone.health, to: &$0)
            $0.field("createdAt", raw: phone.line["createdAt"]?.raw)
            $0.field("updatedAt", raw: phone.line["updatedAt"]?.raw)
        }
    }

    /// Before Meta was asked a phone counts as not ready.
    private func writeReadiness(_ health: JSONValue?, to json: inout JSONWriter) {
        let status = health?["status"]?.string
        json.field("isRegistered", status.map { $0 != LineStatus.notRegistered.name } ?? false)
        json.field("status", status)
        json.field("qualityRating", raw: health?["qualityRating"]?.raw)
        json.field("messagingLimitTier", raw: health?["messagingLimitTier"]?.raw)
        json.object("capabilities") {
            for name in ["canReceiveMessages", "canSendMessages", "canSendTemplates"] {
                $0.field(name, health?["capabilities"]?[name]?.bool ?? false)
            }
        }
    }
}
