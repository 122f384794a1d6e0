// What a bulk comes to in the database and nothing else: the same rows as outboxd writes for messages due much later,
// by prepared statements in transactions of 1,000, with outboxd's pragmas.
//
//   bare_insert DATABASE SECONDS      a file outboxd made, with one line; prints messages per second
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const content =
    "{\"name\":\"order_ready\",\"language\":{\"code\":\"en_US\"},\"components\":[{\"type\":\"body\",\"parameters\":"
    "[{\"type\":\"text\",\"text\":\"Sarah\"},{\"type\":\"text\",\"text\":\"order 1042\"}]}]}";

static sqlite3 *database;

static void check(int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE) return;
    fprintf(stderr, "bare_insert: %s\n", sqlite3_errmsg(database));
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
    return statement;
}

static void run(sqlite3_stmt *statement) {
    check(sqlite3_step(statement));
    check(sqlite3_reset(statement));
}

static sqlite3_int64 milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static sqlite3_int64 number(const char *sql) {
    sqlite3_stmt *statement = prepare(sql);
    sqlite3_int64 found = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return found;
}

int main(int count, char **words) {
    if (count != 3) return 64;
    if (sqlite3_open_v2(words[1], &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return 1;
    check(sqlite3_exec(
        database,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA foreign_keys = ON;"
        "PRAGMA wal_autocheckpoint = 3000; PRAGMA cache_size = -16384",
        NULL, NULL, NULL));
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *event = prepare(
        "INSERT INTO event (seq, account, line, message, previous, at, kind, state, attempt, detail)"
        " VALUES (?1, 1, 1, ?2, NULL, ?3, 0, 0, 0, NULL)");
    sqlite3_stmt *message = prepare(
        "INSERT INTO message (id, account, line, batch, state, priority, due_at, last_event, recipient, type, content,"
        " metadata, send_at, expires_at, created_at, turn, gate, gated_at, person, template, fallback, any_order,"
        " on_unknown, lot) VALUES (?1, 1, 1, ?2, 0, 1, ?3, ?4, ?5, 'template', ?6, NULL, ?3, NULL, ?7, 0, 0, NULL, ?5,"
        " 'order_ready/en_US', NULL, 0, NULL, ?8)");
    sqlite3_stmt *counter = prepare(
        "INSERT INTO counter (line, state, priority, gate, count) VALUES (1, 0, 1, 0, 1000)"
        " ON CONFLICT (line, state, priority, gate) DO UPDATE SET count = count + 1000");
    sqlite3_stmt *batch = prepare(
        "INSERT INTO batch (id, account, queued, failed_count, created_at) VALUES (?1, 1, 1000, 0, ?2)");
    const sqlite3_int64 due = 4070908800000LL;  // 2099
    const sqlite3_int64 lot = number("SELECT max(lot) + 1 FROM message");
    sqlite3_int64 sequence = number("SELECT max(seq) FROM event"), id = number("SELECT max(id) FROM message");
    long done = 0;
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    double passed;
    do {
        run(begin);
        const sqlite3_int64 moment = milliseconds();
        const sqlite3_int64 batch_id = id = id < moment << 16 ? moment << 16 : id + 1;
        sqlite3_bind_int64(batch, 1, batch_id);
        sqlite3_bind_int64(batch, 2, moment);
        run(batch);
        for (int i = 0; i < 1000; i++) {
            char recipient[16];
            const int length = snprintf(recipient, sizeof recipient, "1415%07ld", (done + i) % 10000000);
            id += 1;
            sequence += 1;
            sqlite3_bind_int64(event, 1, sequence);
            sqlite3_bind_int64(event, 2, id);
            sqlite3_bind_int64(event, 3, moment);
            run(event);
            sqlite3_bind_int64(message, 1, id);
            sqlite3_bind_int64(message, 2, batch_id);
            sqlite3_bind_int64(message, 3, due);
            sqlite3_bind_int64(message, 4, sequence);
            sqlite3_bind_text(message, 5, recipient, length, SQLITE_STATIC);
            sqlite3_bind_text(message, 6, content, (int)strlen(content), SQLITE_STATIC);
            sqlite3_bind_int64(message, 7, moment);
            sqlite3_bind_int64(message, 8, lot + (done + i) / 16384);
            run(message);
        }
        run(counter);
        run(commit);
        done += 1000;
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9;
    } while (passed < atof(words[2]));
    printf("%.0f\n", done / passed);
    return 0;
}
