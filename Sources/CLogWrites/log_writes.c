#include "log_writes.h"

#include <sqlite3.h>
#include <string.h>

// os_unix.c writes less than 128 KiB at a time: of more it would write a part, and take the disk for full.
static const int kept_max = 124 * 1024;

typedef struct {
    sqlite3_file base;
    // Bytes that belong at `offset` and are not written.
    unsigned char *kept;
    int count;
    sqlite3_int64 offset;
} log_file;

static sqlite3_vfs *below;

// The layer below has its own part of the memory SQLite gives a file.
static int part_below(void) { return ((int)sizeof(log_file) + 15) / 16 * 16; }
static sqlite3_file *real(sqlite3_file *file) { return (sqlite3_file *)((char *)file + part_below()); }

// What fails is given up: whoever gets an error that is no constraint's has to take the whole transaction back, for it
// may be of pages that earlier statements wrote.
static int flush(sqlite3_file *file) {
    log_file *log = (log_file *)file;
    if (!log->count) return SQLITE_OK;
    int count = log->count;
    log->count = 0;
    return real(file)->pMethods->xWrite(real(file), log->kept, count, log->offset);
}

static int x_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    log_file *log = (log_file *)file;
    if (offset != log->offset + log->count || count > kept_max - log->count) {
        int code = flush(file);
        if (code != SQLITE_OK) return code;
    }
    if (count > kept_max) return real(file)->pMethods->xWrite(real(file), bytes, count, offset);
    if (!log->count) log->offset = offset;
    memcpy(log->kept + log->count, bytes, (size_t)count);
    log->count += count;
    return SQLITE_OK;
}

static int x_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    int code = flush(file);
    return code != SQLITE_OK ? code : real(file)->pMethods->xRead(real(file), bytes, count, offset);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int code = flush(file);
    return code != SQLITE_OK ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int x_sync(sqlite3_file *file, int flags) {
    int code = flush(file);
    return code != SQLITE_OK ? code : real(file)->pMethods->xSync(real(file), flags);
}

static int x_size(sqlite3_file *file, sqlite3_int64 *size) {
    int code = flush(file);
    return code != SQLITE_OK ? code : real(file)->pMethods->xFileSize(real(file), size);
}

// What was not synced is of no transaction that was committed.
static int x_close(sqlite3_file *file) {
    int code = real(file)->pMethods->xClose(real(file));
    sqlite3_free(((log_file *)file)->kept);
    return code;
}

static int x_lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }
static int x_unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
static int x_is_reserved(sqlite3_file *file, int *is) {
    return real(file)->pMethods->xCheckReservedLock(real(file), is);
}
static int x_control(sqlite3_file *file, int what, void *with) {
    if (what == ob_log_writes_forget) {
        ((log_file *)file)->count = 0;
        return SQLITE_OK;
    }
    return real(file)->pMethods->xFileControl(real(file), what, with);
}
static int x_sector(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }
static int x_characteristics(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_is_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_characteristics,
};

static int open_log(const char *path, sqlite3_file *file, int flags, int *flags_out) {
    log_file *log = (log_file *)file;
    memset(log, 0, sizeof *log);
    unsigned char *kept = sqlite3_malloc(kept_max);
    if (!kept) return SQLITE_NOMEM;
    // SQLite leaves its methods null where it could not be opened, and then closes nothing.
    real(file)->pMethods = NULL;
    int code = below->xOpen(below, path, real(file), flags, flags_out);
    if (code != SQLITE_OK) {
        if (real(file)->pMethods) real(file)->pMethods->xClose(real(file));
        sqlite3_free(kept);
        return code;
    }
    log->kept = kept;
    log->base.pMethods = &log_methods;
    return SQLITE_OK;
}

// MARK: The layer

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *flags_out) {
    (void)vfs;
    if (flags & SQLITE_OPEN_WAL) return open_log(path, file, flags, flags_out);
    return below->xOpen(below, path, file, flags, flags_out);
}

const char *ob_log_writes_gathered(void) {
    static sqlite3_vfs layer;
    if (below) return layer.zName;
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);
    if (!found) return NULL;
    // All but opening is done by the functions of the one below, which know theirs by what it brings along.
    layer = *found;
    layer.zName = "outboxd-log";
    layer.szOsFile = part_below() + found->szOsFile;
    layer.pNext = NULL;
    layer.xOpen = x_open;
    if (sqlite3_vfs_register(&layer, 0) != SQLITE_OK) return NULL;
    below = found;
    return layer.zName;
}
