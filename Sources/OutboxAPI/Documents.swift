import CDocuments

/// What the socket tells of itself, as it lies in Documents/ beside this file.
package enum Documents {
    /// The description of every call, OpenAPI 3.1.
    package static let openAPI = bytes(of: ob_openapi())

    /// A short introduction for programs that write programs.
    package static let llms = String(decoding: bytes(of: ob_llms()), as: UTF8.self)

    /// What whoever opens a link sees.
    package static let onboardingPage = bytes(of: ob_onboarding_page())
    package static let inboxPage = bytes(of: ob_inbox_page())

    private static func bytes(of document: ob_document) -> [UInt8] {
        Array(UnsafeBufferPointer(start: document.start, count: document.length))
    }
}
