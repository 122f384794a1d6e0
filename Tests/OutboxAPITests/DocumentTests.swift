import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxMeta
import Testing

/// /openapi.json against what the program is made of; Tests/Machines compares it with what is answered.
@Suite struct DocumentTests {
    let document: JSONValue

    init() throws { document = try JSONParser().parse(Documents.openAPI) }

    private func names(_ value: JSONValue?) -> [String] { value?.members.map(\.name) ?? [] }

    private func words(_ schema: String...) -> [String] {
        let found = schema.reduce(document["components"]?["schemas"]) { $0?[$1] }
        return found?["enum"]?.elements.compactMap(\.string) ?? []
    }

    @Test func itHasEveryRouteAndNoOther() throws {
        #expect(names(document["paths"]).sorted() == Route.places.map(\.template).sorted())
        for place in Route.places {
            let described = names(document["paths"]?[place.template])
            #expect(described.sorted() == place.methods.map { $0.method.lowercased() }.sorted(), "\(place.template)")
        }
    }

    @Test func everyRouteIsFoundAtItsOwnPlace() throws {
        var found: Set<String> = []
        for place in Route.places {
            let path = place.template.split(separator: "/").map { $0.hasPrefix("{") ? "x7" : String($0) }
            for (method, make) in place.methods {
                let route = try Route.of(method: method, path: path)
                #expect(route == make("x7"))
                #expect(found.insert("\(route)").inserted, "\(route) stands at two places")
            }
            #expect(throws: APIError.self) { try Route.of(method: "TRACE", path: path) }
            #expect(throws: APIError.self) { try Route.of(method: "GET", path: path + ["more", "and", "more"]) }
        }
    }

    @Test func aNamePartIsNotEmptyAndAKnownWordCountsFirst() throws {
        #expect(throws: APIError.self) { try Route.of(method: "GET", path: ["v1", "lines", ""]) }
        #expect(try Route.of(method: "POST", path: ["v1", "messages", "bulk"]) == .submitBulk)
        #expect(try Route.of(method: "HEAD", path: ["v1", "status"]) == .status)
    }

    @Test func itNamesRolesAndParametersAsTheRoutesHaveThem() throws {
        for place in Route.places {
            for (method, make) in place.methods {
                let route = make("x")
                let operation = document["paths"]?[place.template]?[method.lowercased()]
                #expect(operation?["x-role"]?.string == route.role.name, "\(method) \(place.template)")
                let parameters = operation?["parameters"]?.elements.map { $0 } ?? []
                let places = parameters.map { parameter in
                    guard let reference = parameter["$ref"]?.string?.split(separator: "/").last else {
                        return parameter["in"]?.string
                    }
                    return document["components"]?["parameters"]?[String(reference)]?["in"]?.string
                }
                #expect(places.contains("path") == place.template.contains("{"), "\(method) \(place.template)")
                // A health check may bring anything along.
                if route != .health {
                    #expect(places.contains("query") == route.takesParameters, "\(method) \(place.template)")
                }
            }
        }
    }

    @Test func itsWordsAreTheProgrammes() throws {
        #expect(document["info"]?["version"]?.string == outboxVersion)
        #expect(words("State").sorted() == MessageState.allCases.map(\.name).sorted())
        #expect(words("Gate").sorted() == WaitsAt.names.sorted())
        #expect(words("Priority").sorted() == Priority.allCases.map(\.name).sorted())
        #expect(words("Event", "properties", "event") == EventKind.publicNames)
        #expect(words("Pool", "properties", "tier") == Tier.allCases.map(\.name))
        #expect(words("Retention", "properties", "kind") == RetentionKind.allCases.map(\.name))
        #expect(words("NewMessage", "properties", "onUnknown").sorted() == UnknownPolicy.allCases.map(\.name).sorted())
        #expect(words("ErrorBody", "properties", "code").sorted() == APIError.Code.allCases.map(\.rawValue).sorted())
    }

    @Test func itsExamplesOfMessagesAreTakenAndHaveEveryKind() throws {
        let examples = document["components"]?["schemas"]?["NewMessage"]?["examples"]?.elements.map { $0 } ?? []
        var types: Set<String> = []
        for example in examples {
            guard case .complete(let message) = MessageBody.read(example, now: Timestamp(milliseconds: 0)) else {
                Issue.record("refused: \(String(decoding: example.raw, as: UTF8.self))")
                continue
            }
            types.insert(message.draft.type)
            #expect(message.draft.isChecked == (message.draft.type != "poll"))
        }
        #expect(types == Set(ContentKind.allCases.map(\.rawValue) + ["template", "poll"]))
        let fields = Set(names(document["components"]?["schemas"]?["NewMessage"]?["properties"]))
        #expect(fields.isSuperset(of: ContentKind.allCases.map(\.rawValue) + ["voice", "type", "replyTo", "check"]))
    }

    @Test func theIntroductionNamesOnlyCallsThatExist() throws {
        let paths = Documents.llms.split(separator: "`").filter { $0.contains("/v1/") }
            .flatMap { $0.split(whereSeparator: { " ,\n?".contains($0) }) }.filter { $0.hasPrefix("/v1/") }
        #expect(paths.count > 10)
        for path in paths {
            #expect(Route.places.contains { $0.template == path }, "\(path)")
        }
        for word in MessageState.allCases.map(\.name) + EventKind.publicNames {
            #expect(Documents.llms.contains(word), "\(word)")
        }
    }
}

@Suite struct OpenMetricsTests {
    @Test func aPageIsWrittenAsTheFormatWantsIt() {
        var metrics = OpenMetrics()
        metrics.family("a_seconds", .counter, "Time \"spent\"\nhere.") {
            $0.sample(real: 1.5, ["line": "a\"b\\c\nd", "gate": "tier"])
        }
        var histogram = Histogram([0.1, 1])
        for value in [0.0625, 0.0625, 0.25, 7] { histogram.add(value) }
        metrics.family("b", .histogram, "B.") { $0.histogram(histogram) }
        metrics.family("c", .info, "C.") { $0.sample(1) }
        metrics.family("d", .gauge, "D.") { $0.sample(real: .infinity) }
        metrics.end()
        #expect(
            metrics.text == #"""
                # TYPE a_seconds counter
                # UNIT a_seconds seconds
                # HELP a_seconds Time \"spent\"\nhere.
                a_seconds_total{line="a\"b\\c\nd",gate="tier"} 1.5
                # TYPE b histogram
                # HELP b B.
                b_bucket{le="0.1"} 2
                b_bucket{le="1.0"} 3
                b_bucket{le="+Inf"} 4
                b_count 4
                b_sum 7.375
                # TYPE c info
                # HELP c C.
                c_info 1
                # TYPE d gauge
                # HELP d D.
                d +Inf
                # EOF

                """#)
    }
}
