/// What the socket tells of itself, as it lies in Documents/ beside this file.
package enum Documents {
    /// The description of every call, OpenAPI 3.1.
    package static let openAPI = PackageResources.openapi_json

    /// A short introduction for programs that write programs.
    package static let llms = String(decoding: PackageResources.llms_txt, as: UTF8.self)
}
