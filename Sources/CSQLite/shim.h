#pragma once
#include <sqlite3.h>

// Variadic in C. Nobody asks SQLite how much memory it uses: without counting, no lock is taken for every allocation.
static inline int ob_leave_memory_uncounted(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

// Variadic in C. A connection that only looks leaves the log as it found it.
static inline int ob_keep_log_at_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

// SQLITE_STATIC is a cast Swift cannot import.
// The bytes must stay where they are until the statement is reset.
static inline int ob_bind_text_static(sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_text(statement, index, (const char *)bytes, length, SQLITE_STATIC);
}
static inline int ob_bind_blob_static(sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_blob(statement, index, bytes, length, SQLITE_STATIC);
}
