import OutboxHTTP
import OutboxStore

extension ExitStatus {
    package init(_ error: any Error) {
        self =
            switch error {
            case is InUse: .inUse
            case let error as StateProblem: error.status
            case OpenRefusal.newer: .newer
            case is OpenRefusal: .foreign
            case is ListenError: .unavailable
            case let error as StoreError: ExitStatus(error)
            default: .settings
            }
    }

    /// What the journal says of a start that failed so.
    package var kind: LogKind {
        switch self {
        case .usage, .settings: .settingWrong
        case .damaged: .databaseDamaged
        case .foreign: .databaseForeign
        case .newer: .databaseNewer
        case .unavailable: .socketUnavailable
        case .full: .diskFull
        case .cannotCreate: .databaseUnopenable
        case .storage: .storage
        case .inUse: .stateInUse
        case .notOurs: .filesNotOurs
        }
    }

    private init(_ error: StoreError) {
        self =
            error.isFull
            ? .full
            : error.isDamaged ? .damaged : error.isLink ? .foreign : error.isUnopenable ? .cannotCreate : .storage
    }
}
