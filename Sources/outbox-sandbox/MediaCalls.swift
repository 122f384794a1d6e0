import CLinux
import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// `POST /{version}/{phone number id}/media`, `GET` and `DELETE /{version}/{media id}`, and the bytes behind it.
extension Sandbox {
    private static let pieceBytes = 256 << 10

    func planUpload(_ head: RequestHead, _ exchange: Exchange) -> BodyPlan? {
        guard head.method == "POST" else { return nil }
        let path = head.steps
        guard path.last == "media" else { return nil }
        let boundary = head["content-type"].flatMap(MultipartReader.boundary)
        if path == ["sandbox", "media"] {
            guard let upload = SandboxUpload(phoneNumberID: nil, boundary: nil) else { return .refuse(noRoom) }
            received[exchange] = head.parameter("type") ?? "image/jpeg"
            uploads[exchange] = upload
            return .stream(hasLeastRate: false)
        }
        guard path.count == 3, path[2] == "media" else { return nil }
        if let refusal = unauthorized(head) { return .refuse(refusal) }
        guard let boundary else {
            return .refuse(
                graphError(status: 400, code: 100, message: "(#100) The parameter messaging_product is required."))
        }
        guard let upload = SandboxUpload(phoneNumberID: path[1], boundary: boundary) else { return .refuse(noRoom) }
        uploads[exchange] = upload
        return .stream(hasLeastRate: false)
    }

    private var noRoom: HTTPResponse { graphError(status: 500, code: 131_000, message: "no room for the file") }

    func uploadPiece(_ piece: [UInt8], _ exchange: Exchange) {
        guard let upload = uploads[exchange] else { return }
        do throws(HTTPRefusal) {
            try upload.take(piece)
            server.resume(exchange)
        } catch {
            forgetUpload(exchange)
            server.respond(exchange, graphError(status: 400, code: 100, message: error.message))
        }
    }

    func forgetUpload(_ exchange: Exchange) {
        uploads[exchange] = nil
        received[exchange] = nil
    }

    func uploadEnded(_ exchange: Exchange) {
        guard let upload = uploads[exchange] else { return }
        let type = received[exchange]
        forgetUpload(exchange)
        if let type { return server.respond(exchange, keep(upload, nil, type)) }
        var wait = 0
        switch nextMediaFault() {
        case .mediaError(let code):
            return respond(exchange, graphError(status: 400, code: code, message: title(code)))
        case .mediaHTTP(let status):
            return respond(exchange, HTTPResponse(status: status, body: Array("<html></html>\n".utf8)))
        case .mediaDrop: return server.breakOff(exchange)
        case .mediaSlow(let milliseconds): wait = milliseconds
        default: break
        }
        if let refusal = refusal(of: upload) { return respond(exchange, refusal.response) }
        let mime = upload.fields["type"].flatMap(MediaType.named)?.mime ?? upload.fileType ?? ""
        respond(exchange, keep(upload, upload.phoneNumberID, mime), after: wait)
    }

    /// Read off Meta's page "Upload media" once more, apart from outboxd's own check.
    private func refusal(of upload: SandboxUpload) -> Refusal? {
        guard upload.isWhole else { return .parameter("The form has no end.") }
        guard upload.fields["messaging_product"] == "whatsapp" else {
            return .parameter("The parameter messaging_product is required.")
        }
        guard upload.hasFile, upload.size > 0 else { return .parameter("The parameter file is required.") }
        guard let type = MediaType.named(upload.fields["type"] ?? upload.fileType ?? ""),
            let stated = MediaType.named(upload.fileType ?? type.mime), stated == type
        else {
            let types = MediaType.all.map(\.mime).joined(separator: ", ")
            return .parameter("Param file must be a file with one of the following types: \(types).")
        }
        guard upload.size <= type.bytesMax else { return .parameter("Media file size too big for \(type.mime).") }
        return nil
    }

    private func keep(_ upload: SandboxUpload, _ phoneNumberID: String?, _ mime: String) -> HTTPResponse {
        let id = MediaShelf.newID(&dice)
        let digest = hexadecimal(upload.digest())
        shelf.put(
            ShelvedFile(
                id: id, phoneNumberID: phoneNumberID, mime: mime, size: upload.size, sha256: digest,
                descriptor: upload.takeDescriptor(),
                expiresAt: steadyNanoseconds() + UInt64(settings.mediaSeconds) * 1_000_000_000))
        return json(200) {
            $0.field("id", id)
            if phoneNumberID == nil { $0.field("sha256", digest) }
        }
    }

    // MARK: Out

    /// Nil: it is no media id of the sandbox's.
    func mediaNode(_ id: String, _ request: HTTPRequest) -> HTTPResponse? {
        guard MediaShelf.isOwn(id) else { return nil }
        if let refusal = unauthorized(request) { return refusal }
        guard let file = shelf.file(id, steadyNanoseconds()) else { return noObject(id) }
        if let number = request.head.parameter("phone_number_id"), number != file.phoneNumberID {
            return graphError(
                status: 400, code: 100,
                message: "Param phone_number_id is not a valid whatsapp business phone number id ID")
        }
        if request.head.method == "DELETE" {
            _ = shelf.remove(id)
            return json(200) { $0.field("success", true) }
        }
        let place = "http://\(request.head["host"] ?? "127.0.0.1")/whatsapp_business/attachments/?mid=\(id)"
        return json(200) {
            $0.field("messaging_product", "whatsapp")
            $0.field("url", place)
            $0.field("mime_type", file.mime)
            $0.field("sha256", file.sha256)
            $0.field("file_size", file.size)
            $0.field("id", id)
        }
    }

    private func noObject(_ id: String) -> HTTPResponse {
        graphError(
            status: 400, code: 100,
            message: "Unsupported get request. Object with ID '\(id)' does not exist, cannot be loaded due to missing "
                + "permissions, or does not support this operation")
    }

    /// `GET /whatsapp_business/attachments/?mid=…`, which wants the token as well.
    func mediaBytes(_ request: HTTPRequest, _ exchange: Exchange) {
        guard unauthorized(request) == nil, let id = request.head.parameter("mid"),
            let file = shelf.file(id, steadyNanoseconds())
        else { return server.respond(exchange, HTTPResponse(status: 404, body: Array("<html></html>\n".utf8))) }
        shelf.fetched()
        sending[exchange] = (file, 0)
        let head = HTTPResponse(status: 200, headers: [HTTPHeader("content-type", file.mime)])
        if !server.begin(exchange, head, endless: false) { sending[exchange] = nil }
    }

    func sendOn(_ exchange: Exchange) {
        guard let (file, at) = sending[exchange] else { return }
        var bytes = [UInt8](repeating: 0, count: Self.pieceBytes)
        let count = pread(file.descriptor, &bytes, bytes.count, at)
        guard count > 0 else {
            sending[exchange] = nil
            return server.end(exchange)
        }
        sending[exchange] = (file, at + count)
        server.write(exchange, Array(bytes[..<count]))
    }
}
