#pragma once

// A file layer (VFS) for SQLite that writes its write-ahead log in large pieces. SQLite itself makes two calls for each
// page: 22 for the smallest commit of ours, a few thousand for a large one. What it writes one behind the other is kept,
// up to 124 KiB, until it asks for anything else of the log: to sync it, to read it, or to tell its size. Until a sync
// SQLite shows nobody what it wrote, so nothing that others may see comes later than without this.
//
// All other files, and what this does not concern, go straight to the layer that is SQLite's default when this is first
// called. With a synchronous setting below FULL commits would stay in memory: not to be used there.
//
// Answers the name to open a database with, or null where memory is short: to be called by one thread at a time.
const char *ob_log_writes_gathered(void);
