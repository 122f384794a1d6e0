// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A part of the program: a folder of Sources/ and what it may import.
func module(
    _ name: String, _ dependencies: [String], exclude: [String] = [], resources: [Resource]? = nil
) -> Target {
    .target(
        name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, exclude: exclude,
        resources: resources, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [String]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [String]) -> Target {
    .testTarget(name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, swiftSettings: strict)
}

func debian(_ name: String, pkgConfig: String? = nil, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

// Of the newer one that clang would choose Debian's valgrind dies.
let debugFormat = "-gdwarf-4"

let package = Package(
    name: "outboxd",
    products: [
        .executable(name: "outboxd", targets: ["outboxd"]),
        .executable(name: "outboxctl", targets: ["outboxctl"]),
        .executable(name: "outbox-sandbox", targets: ["outbox-sandbox"]),
    ],
    targets: [
        // Doors to C, most of them without logic.
        debian("CSQLite", pkgConfig: "sqlite3", package: "libsqlite3-dev"),
        debian("CCurl", pkgConfig: "libcurl", package: "libcurl4-openssl-dev"),
        debian("CSystemd", pkgConfig: "libsystemd", package: "libsystemd-dev"),
        debian("CCrypto", pkgConfig: "libcrypto", package: "libssl-dev"),
        .systemLibrary(name: "CLinux"),
        .target(
            name: "CJSONIndex", cxxSettings: [.unsafeFlags(["-O2", debugFormat])],
            linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CLogWrites", dependencies: ["CSQLite"], cSettings: [.unsafeFlags(["-O2", debugFormat])]),

        module("OutboxSystem", ["CLinux", "CCrypto"]),
        module("OutboxJSON", ["CJSONIndex"]),
        module("OutboxCore", []),
        module(
            "OutboxStore", ["OutboxCore", "OutboxJSON", "OutboxSystem", "CLogWrites", "CSQLite"],
            resources: [.embedInCode("schema.sql")]),
        module("OutboxHTTP", ["OutboxSystem", "CCurl", "CLinux"]),
        module("OutboxMeta", ["OutboxCore", "OutboxHTTP", "OutboxJSON", "OutboxSystem"]),
        .target(name: "CDocuments", cSettings: [.unsafeFlags(["-std=c23", debugFormat])]),
        module("OutboxAPI", ["OutboxCore", "OutboxJSON", "OutboxMeta", "CDocuments"], exclude: ["Documents"]),
        module(
            "OutboxService",
            [
                "OutboxCore", "OutboxAPI", "OutboxStore", "OutboxMeta", "OutboxHTTP", "OutboxJSON", "OutboxSystem",
                "CSystemd", "CLinux",
            ]),
        module("OutboxCommandLine", ["OutboxCore"]),
        program("outboxd", ["OutboxService", "OutboxCore", "OutboxStore", "OutboxSystem", "OutboxCommandLine"]),
        program(
            "outboxctl",
            [
                "OutboxAPI", "OutboxCore", "OutboxHTTP", "OutboxJSON", "OutboxMeta", "OutboxSystem",
                "OutboxCommandLine", "CLinux",
            ]),
        program(
            "outbox-sandbox",
            [
                "OutboxHTTP", "OutboxJSON", "OutboxMeta", "OutboxCore", "OutboxSystem", "OutboxCommandLine", "CLinux",
            ]),

        .executableTarget(
            name: "outbox-load", dependencies: ["OutboxSystem", "CLinux"], path: "Tests/Load", swiftSettings: strict),
        .target(
            name: "CFaultVFS", dependencies: ["CSQLite"], path: "Tests/CFaultVFS",
            cSettings: [.unsafeFlags(["-O2"])]),
        .executableTarget(
            name: "outbox-faults",
            dependencies: [
                "CFaultVFS", "CCurl", "OutboxService", "OutboxStore", "OutboxCore", "OutboxAPI", "OutboxHTTP",
                "OutboxJSON", "OutboxSystem", "TestKit",
            ],
            path: "Tests/Faults", swiftSettings: strict),
        .target(
            name: "TestKit", dependencies: ["CLinux", "OutboxSystem", "OutboxJSON"], path: "Tests/TestKit",
            resources: [1, 2, 3].map { .embedInCode("Schemas/schema-\($0).sql") },
            swiftSettings: strict),
        tests("OutboxJSONTests", ["OutboxJSON"]),
        tests("OutboxCoreTests", ["OutboxCore", "TestKit"]),
        tests("OutboxStoreTests", ["OutboxStore", "OutboxCore", "TestKit", "CSQLite"]),
        tests("OutboxHTTPTests", ["OutboxHTTP", "OutboxSystem", "TestKit"]),
        tests("OutboxMetaTests", ["OutboxMeta", "OutboxCore", "OutboxHTTP", "OutboxJSON", "OutboxSystem", "TestKit"]),
        tests("OutboxAPITests", ["OutboxAPI", "OutboxCore", "OutboxJSON", "OutboxMeta"]),
        tests(
            "OutboxServiceTests",
            [
                "OutboxService", "OutboxAPI", "OutboxMeta", "OutboxStore", "OutboxCore", "OutboxHTTP", "OutboxJSON",
                "OutboxSystem",
                "TestKit",
            ]),
        tests(
            "SimulationTests",
            [
                "OutboxService", "OutboxAPI", "OutboxMeta", "OutboxStore", "OutboxCore", "OutboxHTTP", "OutboxJSON",
                "OutboxSystem",
                "TestKit",
            ]),
        tests(
            "EndToEndTests",
            [
                "OutboxCore", "OutboxHTTP", "OutboxJSON", "OutboxMeta", "OutboxSystem", "TestKit", "outboxd",
                "outboxctl",
                "outbox-sandbox", "outbox-faults",
            ]),
    ],
    cxxLanguageStandard: .cxx17
)
