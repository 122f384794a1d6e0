import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

extension Answerer {
    /// `{"data":{"at":"…","ages":[60,…],"rows":[{"line":"…","gate":"…","total":3,"counts":[…],"oldestAt":"…"}]}}`
    func queueShape() throws -> HTTPResponse {
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        let rows = try byLineGate(try reader.shape(account: account, now: now))
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

    /// What is at no gate of its own may be held back with its whole line.
    private func byLineGate(_ rows: [QueueShapeRow]) throws -> [QueueShapeRow] {
        var told: [QueueShapeRow] = []
        for var row in rows {
            if row.gate == QueueShapeRow.ready {
                row.gate = try lineGate(row.line) ?? row.gate
            }
            if let same = told.firstIndex(where: { $0.line == row.line && $0.gate == row.gate }) {
                told[same].add(row)
            } else {
                told.append(row)
            }
        }
        return told
    }
}
