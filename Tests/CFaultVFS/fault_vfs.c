#include "fault_vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

// MARK: What fails

static struct {
    unsigned kinds;
    int as, paused;
    int64_t nth, count, seen, hits, sync_hits;
} armed;

void fault_arm(unsigned kinds, int as, int64_t nth, int64_t count) {
    memset(&armed, 0, sizeof armed);
    armed.kinds = kinds;
    armed.as = as;
    armed.nth = nth;
    armed.count = count;
}
void fault_disarm(void) { armed.kinds = 0; }
void fault_pause(void) { armed.paused = 1; }
void fault_go_on(void) { armed.paused = 0; }
int64_t fault_seen(void) { return armed.seen; }
int64_t fault_hits(void) { return armed.hits; }
int64_t fault_sync_hits(void) { return armed.sync_hits; }

static int fails(unsigned kind) {
    if (armed.paused || !(armed.kinds & kind)) return 0;
    armed.seen++;
    if (armed.seen < armed.nth || armed.seen - armed.nth >= armed.count) return 0;
    armed.hits++;
    if (kind == FAULT_SYNC) armed.sync_hits++;
    return 1;
}

// MARK: What is written down

op *ops;
int64_t op_count;
static int64_t op_room;
static char recorded[512];

void log_op(int file, int kind, int64_t offset, int64_t length, const void *bytes) {
    if (file < 0) return;
    if (op_count == op_room) {
        op_room = op_room ? op_room * 2 : 1024;
        ops = realloc(ops, (size_t)op_room * sizeof *ops);
        if (!ops) abort();
    }
    unsigned char *copy = NULL;
    if (bytes) {
        copy = malloc((size_t)length);
        if (!copy) abort();
        memcpy(copy, bytes, (size_t)length);
    }
    ops[op_count++] = (op){kind, file, offset, length, copy};
}

void fault_record(const char *path) {
    for (int64_t index = 0; index < op_count; index++) free(ops[index].bytes);
    op_count = 0;
    snprintf(recorded, sizeof recorded, "%s", path);
}
void fault_stop_recording(void) { recorded[0] = 0; }
int64_t fault_op_count(void) { return op_count; }
int fault_op_kind(int64_t index) { return ops[index].kind; }
int fault_op_file(int64_t index) { return ops[index].file; }
int64_t fault_op_offset(int64_t index) { return ops[index].offset; }

static int file_of(const char *path) {
    size_t length = strlen(recorded);
    if (!path || !length || strncmp(path, recorded, length) != 0) return -1;
    if (!path[length]) return 0;
    if (strcmp(path + length, "-wal") == 0) return 1;
    if (strcmp(path + length, "-journal") == 0) return 2;
    return -1;
}

// MARK: Files

typedef struct {
    sqlite3_file base;
    int file;
    // Its first sync is one of its folder, too: os_unix.c does so for journals and logs.
    int syncs_folder;
    sqlite3_file *real;
} wrapped;

static sqlite3_vfs *under;
#define REAL(f) (((wrapped *)(f))->real)

static int x_close(sqlite3_file *f) {
    int code = REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
    free(REAL(f));
    return code;
}
static int x_read(sqlite3_file *f, void *bytes, int count, sqlite3_int64 offset) {
    if (fails(FAULT_READ)) return SQLITE_IOERR_READ;
    return REAL(f)->pMethods->xRead(REAL(f), bytes, count, offset);
}
static int x_write(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 offset) {
    int file = ((wrapped *)f)->file;
    if (fails(FAULT_WRITE)) {
        if (armed.as != FAULT_AS_ERROR && count > 1) {
            log_op(file, 'w', offset, count / 2, bytes);
            REAL(f)->pMethods->xWrite(REAL(f), bytes, count / 2, offset);
        }
        return armed.as == FAULT_AS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    log_op(file, 'w', offset, count, bytes);
    return REAL(f)->pMethods->xWrite(REAL(f), bytes, count, offset);
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 size) {
    if (fails(FAULT_TRUNCATE)) return SQLITE_IOERR_TRUNCATE;
    log_op(((wrapped *)f)->file, 't', size, 0, NULL);
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}
static int x_sync(sqlite3_file *f, int flags) {
    (void)flags;
    if (fails(FAULT_SYNC)) {
        log_op(((wrapped *)f)->file, 'f', 0, 0, NULL);
        return SQLITE_IOERR_FSYNC;
    }
    log_op(((wrapped *)f)->file, 's', ((wrapped *)f)->syncs_folder, 0, NULL);
    ((wrapped *)f)->syncs_folder = 0;
    return SQLITE_OK;
}
static int x_size(sqlite3_file *f, sqlite3_int64 *size) {
    if (fails(FAULT_SIZE)) return SQLITE_IOERR_FSTAT;
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int x_lock(sqlite3_file *f, int level) {
    if (fails(FAULT_LOCK)) return SQLITE_IOERR_LOCK;
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int x_unlock(sqlite3_file *f, int level) { return REAL(f)->pMethods->xUnlock(REAL(f), level); }
static int x_reserved(sqlite3_file *f, int *answer) {
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), answer);
}
static int x_control(sqlite3_file *f, int what, void *value) {
    return REAL(f)->pMethods->xFileControl(REAL(f), what, value);
}
static int x_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
static int x_traits(sqlite3_file *f) { return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f)); }
static int x_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **memory) {
    if (fails(FAULT_SHM_MAP)) {
        *memory = NULL;
        return SQLITE_IOERR_SHMMAP;
    }
    return REAL(f)->pMethods->xShmMap(REAL(f), region, size, extend, memory);
}
static int x_shm_lock(sqlite3_file *f, int offset, int count, int flags) {
    // To let go is no call that fails.
    if ((flags & SQLITE_SHM_LOCK) && fails(FAULT_SHM_LOCK)) return SQLITE_IOERR_SHMLOCK;
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, count, flags);
}
static void x_shm_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int x_shm_unmap(sqlite3_file *f, int removes) { return REAL(f)->pMethods->xShmUnmap(REAL(f), removes); }

// Without xFetch: everything is read and written by calls.
static const sqlite3_io_methods methods = {
    2, x_close, x_read, x_write, x_truncate, x_sync, x_size, x_lock, x_unlock, x_reserved, x_control, x_sector,
    x_traits, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap, NULL, NULL,
};

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *flags_out) {
    (void)vfs;
    wrapped *file = (wrapped *)f;
    file->base.pMethods = NULL;
    if (fails(FAULT_OPEN)) return SQLITE_CANTOPEN;
    file->file = file_of(path);
    file->real = calloc(1, (size_t)under->szOsFile);
    if (!file->real) return SQLITE_NOMEM;
    int code = under->xOpen(under, path, file->real, flags, flags_out);
    if (code != SQLITE_OK) {
        if (file->real->pMethods) file->real->pMethods->xClose(file->real);
        free(file->real);
        return code;
    }
    file->base.pMethods = &methods;
    file->syncs_folder = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
    return SQLITE_OK;
}
static int x_delete(sqlite3_vfs *vfs, const char *path, int syncs) {
    (void)vfs;
    if (fails(FAULT_DELETE)) return SQLITE_IOERR_DELETE;
    int code = under->xDelete(under, path, 0);
    if (code == SQLITE_OK) log_op(file_of(path), 'd', syncs, 0, NULL);
    return code;
}
static int x_access(sqlite3_vfs *vfs, const char *path, int flags, int *answer) {
    (void)vfs;
    if (fails(FAULT_ACCESS)) return SQLITE_IOERR_ACCESS;
    return under->xAccess(under, path, flags, answer);
}

// MARK: Memory

static sqlite3_mem_methods memory_under;

static void *m_malloc(int size) { return fails(FAULT_MEMORY) ? NULL : memory_under.xMalloc(size); }
static void *m_realloc(void *pointer, int size) {
    return fails(FAULT_MEMORY) ? NULL : memory_under.xRealloc(pointer, size);
}

static sqlite3_vfs faulty;

int fault_install(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory_under) != SQLITE_OK) return 1;
    sqlite3_mem_methods memory = memory_under;
    memory.xMalloc = m_malloc;
    memory.xRealloc = m_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK) return 1;
    under = sqlite3_vfs_find("unix");
    if (!under) return 1;
    faulty = *under;
    faulty.zName = "faulty";
    faulty.szOsFile = (int)sizeof(wrapped);
    faulty.pNext = NULL;
    faulty.xOpen = x_open;
    faulty.xDelete = x_delete;
    faulty.xAccess = x_access;
    return sqlite3_vfs_register(&faulty, 1) == SQLITE_OK ? 0 : 1;
}

// MARK: Looking into a file

static uint64_t mix(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    for (size_t index = 0; index < count; index++) hash = (hash ^ at[index]) * 0x100000001b3u;
    return hash;
}

static int digest_of(sqlite3 *db, const char *table, uint64_t *digest) {
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) return 1;
    uint64_t hash = mix(*digest, table, strlen(table));
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int column = 0; column < sqlite3_column_count(rows); column++) {
            int type = sqlite3_column_type(rows, column);
            hash = mix(hash, &type, sizeof type);
            if (type == SQLITE_INTEGER) {
                sqlite3_int64 number = sqlite3_column_int64(rows, column);
                hash = mix(hash, &number, sizeof number);
            } else if (type != SQLITE_NULL) {
                const void *bytes = sqlite3_column_blob(rows, column);
                hash = mix(hash, bytes, (size_t)sqlite3_column_bytes(rows, column));
            }
        }
    }
    sqlite3_finalize(rows);
    *digest = hash;
    return code == SQLITE_DONE ? 0 : 1;
}

static int examine(sqlite3 *db, uint64_t *digest, char *problem, size_t room) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK) return 0;
    int whole = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0)
        && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    if (!whole) snprintf(problem, room, "integrity_check: %s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    if (!whole) return 0;
    const char *sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) return 0;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (digest_of(db, (const char *)sqlite3_column_text(statement, 0), digest)) whole = 0;
    }
    sqlite3_finalize(statement);
    return whole && code == SQLITE_DONE;
}

int fault_examine(const char *path, uint64_t *digest, char *problem, size_t room) {
    sqlite3 *db = NULL;
    *digest = 0;
    *problem = 0;
    fault_pause();
    int whole = 0;
    // Not through the layer above: this is no operation of the program under test.
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, "unix") == SQLITE_OK) {
        whole = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK && examine(db, digest, problem, room);
        if (!whole && !*problem) snprintf(problem, room, "%s", sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    fault_go_on();
    return whole;
}

int fault_execute(const char *path, const char *sql) {
    sqlite3 *db = NULL;
    fault_pause();
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, "unix");
    if (code == SQLITE_OK) code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    fault_go_on();
    return code;
}
