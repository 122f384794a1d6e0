import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

extension Answerer {
    /// `{"data":{"at":"…","ages":[60,…],"rows":[{"line":"…","gate":"…","total":3,"counts":[…],"oldestAt":"…"}]}}`
    func queueShape() throws -> HTTPResponse {
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        let rows = try reader.shape(account: account, now: now)
        return .json(200) { json in
            json.object("data") {
                $0.field("at", now.rfc3339)
                $0.array("ages") { for age in QueueShapeRow.ages { $0.value(raw: Array(String(age).utf8)) } }
                $0.array("rows") {
                    for row in rows {
                        $0.object {
                            $0.field("line", row.line)
                            $0.field("gate", row.gate)
                            $0.field("total", row.counts.reduce(0, +))
                            $0.array("counts") {
                                for count in row.counts { $0.value(raw: Array(String(count).utf8)) }
                            }
                            $0.field("oldestAt", row.oldest.rfc3339)
                        }
                    }
                }
            }
        }
    }
}
