import Glibc

/// Files an operator or systemd puts there: the settings, and secrets, which may be anything.
func fuzzFiles(_ bytes: [UInt8]) {
    let folder = FileFolder.shared
    folder.write("settings", bytes)
    do throws(Settings.Problem) {
        let settings = try Settings.load(file: folder.path + "/settings", flags: [])
        precondition((1...1000).contains(settings.connections) && settings.socket != settings.webhookSocket)
    } catch {
        precondition(!error.description.isEmpty)
    }
    folder.write("secrets/token", bytes)
    guard let secrets = try? Secrets(credentials: nil, folder: folder.path + "/secrets") else {
        preconditionFailure("the secrets' folder is gone")
    }
    guard let secret = secrets.value("token") else { return }
    precondition(!secret.isEmpty && secret.first?.isWhitespace == false && secret.last?.isWhitespace == false)
    for key in CallbackSecret.all(in: secret) { precondition(CallbackSecret.all(in: key.text) == [key]) }
    guard (try? secrets.store("again", secret)) != nil else { preconditionFailure("a secret cannot be stored") }
    precondition(secrets.value("again") == secret, "a secret is stored and read as another")
    precondition(isSigned(bytes, header: webhookSignature(secret: secret, body: bytes), secret: secret))
    precondition(!isSigned(bytes + [0], header: webhookSignature(secret: secret, body: bytes), secret: secret))
    // A name is never a way out of the folder.
    let name = String(decoding: bytes, as: UTF8.self)
    if isSecretName(name) { precondition(!name.contains("/") && name != ".." && !name.hasPrefix(".")) }
}

private final class FileFolder: Sendable {
    static let shared = FileFolder()
    let path = "\(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp")/outboxd-fuzz-\(getpid())"

    private init() {
        mkdir(path, 0o700)
        mkdir(path + "/secrets", 0o700)
        atexit {
            let path = FileFolder.shared.path
            for name in ["settings", "secrets/token", "secrets/again"] { unlink("\(path)/\(name)") }
            rmdir(path + "/secrets")
            rmdir(path)
        }
    }

    func write(_ name: String, _ bytes: [UInt8]) {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }
}
