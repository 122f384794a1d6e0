#pragma once

// A file layer (VFS) for SQLite that writes its write-ahead log in large pieces. SQLite itself makes two calls for each
// page: 22 for the smallest commit of ours, a few thousand for a large one. What it writes one behind the other is kept,
// up to 124 KiB, until it asks for anything else of the log: to sync it, to read it, or to tell its size. Until a sync
// SQLite shows nobody what it wrote, so nothing that others may see comes later than without this.
//
// After a rollback the log has to be told to forget what is kept (ob_log_writes_forget): another process may write there
// next.
//
// All other files, and what this does not concern, go straight to the layer that is SQLite's default when this is first
// called. With a synchronous setting below FULL commits would stay in memory: with a write-ahead log that is not to be.
//
// Answers the name to open a database with, or null where memory is short: to be called by one thread at a time.
const char *ob_log_writes_gathered(void);

// For the log's xFileControl. SQLite leaves numbers above 100 to others.
static const int ob_log_writes_forget = 0x6f75;
