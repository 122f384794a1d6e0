import CLinux
import Glibc

/// Before any thread starts, so that all inherit it.
package func blockSignals() {
    var signals = sigset_t()
    fillSignals(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    // A file as long as the limit allows is an error of the write, not the end.
    signal(SIGXFSZ, SIG_IGN)
}

func fillSignals(_ signals: inout sigset_t) {
    sigemptyset(&signals)
    for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, number) }
}

/// The signal that came, or 0 when it is time for a heartbeat.
func waitForSignal(_ signals: inout sigset_t, _ interval: Duration?) -> Int32 {
    guard let interval else {
        var number: Int32 = 0
        return sigwait(&signals, &number) == 0 ? number : 0
    }
    let (seconds, attoseconds) = interval.components
    var patience = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    return max(sigtimedwait(&signals, nil, &patience), 0)
}
