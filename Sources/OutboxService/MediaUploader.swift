import CLinux
import Glibc
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// How a try to upload a file ended.
struct UploadEnd: Sendable {
    var task: UploadTask
    var outcome: MediaOutcome
}

/// Takes files to Meta, on connections of their own so that no message waits behind 100 MB. Bytes are read from the disk
/// as they are sent.
final class MediaUploader: Sendable {
    static let connections = 4
    private static let patience = Duration.seconds(1800)
    private static let quietMax = Duration.seconds(60)

    private let folder: String
    private let client: HTTPClient<UploadTask>
    private let target: @Sendable () -> GraphEndpoint
    private let secrets: Secrets
    private let ended: @Sendable ([UploadEnd]) -> Void

    /// `folder` is that of the files.
    init(
        folder: String, target: @escaping @Sendable () -> GraphEndpoint, secrets: Secrets,
        ended: @escaping @Sendable ([UploadEnd]) -> Void
    ) {
        self.folder = folder
        self.target = target
        self.secrets = secrets
        self.ended = ended
        let parser = Handover(JSONParser())
        client = HTTPClient(name: "uploads", connectionsMax: Self.connections) { completions in
            ended(
                completions.map {
                    UploadEnd(task: $0.context, outcome: mediaOutcome(of: $0.result, parser: parser.value))
                })
        }
    }

    /// Called on the writer's thread; each task comes back once.
    func upload(_ tasks: [UploadTask]) {
        for task in tasks {
            switch request(task) {
            case .success(let request): client.send([(request, task)])
            case .failure(let stop): ended([UploadEnd(task: task, outcome: stop.outcome)])
            }
        }
    }

    private struct Stop: Error { var outcome: MediaOutcome }

    private func request(_ task: UploadTask) -> Result<OutgoingRequest, Stop> {
        guard let token = secrets.value(task.credential) else {
            let failure = Failure(code: "NO_TOKEN", message: "the secret \(task.credential) holds no access token")
            return .failure(Stop(outcome: .later(failure, askedFor: .seconds(30), counts: false)))
        }
        let descriptor = open("\(folder)/\(hexadecimal(task.sha256))", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            let number = errno
            guard number == ENOENT else {
                let words = "the file's bytes cannot be read: \(String(cString: strerror(number)))"
                let failure = Failure(code: "MEDIA_UNREADABLE", message: words)
                return .failure(Stop(outcome: .later(failure, askedFor: .seconds(30), counts: false)))
            }
            let words = "the file's bytes are not in \(folder): hand it in again"
            return .failure(Stop(outcome: .refused(Failure(code: "MEDIA_MISSING", message: words))))
        }
        var request = target().upload(
            phoneNumberID: task.phoneNumberID, token: token,
            file: BodyFile(descriptor: descriptor, size: Int(task.size)),
            mime: task.mime, filename: name(task), boundary: "outboxd-\(hexadecimal(randomBytes(16)))",
            timeout: Self.patience)
        request.quietMax = Self.quietMax
        return .success(request)
    }

    private func name(_ task: UploadTask) -> String {
        if let filename = task.filename { return filename }
        let ending = MediaType.named(task.mime)?.ending ?? "bin"
        return "file.\(ending)"
    }

    /// Lets uploads under way end; what takes longer is broken off, and made again after the next start.
    func finish(within patience: Duration) { client.finish(within: patience) }
}
