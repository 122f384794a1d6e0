/// The `schema.sql` of each released version but the present one, oldest first.
package let oldSchemas: [(version: Int64, sql: String)] = [
    (1, String(decoding: PackageResources.schema_1_sql, as: UTF8.self)),
    (2, String(decoding: PackageResources.schema_2_sql, as: UTF8.self)),
    (3, String(decoding: PackageResources.schema_3_sql, as: UTF8.self)),
]

/// Rows for the tables of a version: a pool, a line, and messages of all kinds of state.
package func oldRows(_ version: Int64) -> String {
    version == 1
        ? rows
        : rows.replacing("INSERT INTO message (", with: "INSERT INTO message (lot, ").replacing(
            "SELECT (1700", with: "SELECT 0, (1700")
}

private let rows = """
    INSERT INTO property (name, value) VALUES ('id_key', x'000102030405060708090a0b0c0d0e0f');
    INSERT INTO pool (id, account, name, kept_for_high) VALUES (1, 1, 'main', 10);
    INSERT INTO line (id, account, name, phone_number_id, credential, unknown_policy, unknown_grace, burst, pool,
        pair_limit, when_full, closed_window, when_down, when_stopped, attempts_max, first_wait, wait_max, created_at,
        updated_at)
    VALUES (1, 1, 'main', '106', 'line.main.token', 0, 60, 1, 1, 1, 0, 1, 0, 0, 5, 1000, 60000, 0, 0);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO message (id, account, line, state, priority, due_at, last_event, recipient, person, type, content,
        created_at, cancelled_at)
    SELECT (1700000000000 << 16) + i, 1, 1, iif(i % 3 = 0, 8, 1), 1, 1700000000000, i, '1415555' || (i % 7),
        '1415555' || (i % 7), 'text', '{"body":"' || hex(zeroblob(400)) || '"}', 1700000000000, 1700000000000
    FROM n;
    INSERT INTO event (seq, account, line, message, at, kind, state, attempt)
    SELECT last_event, 1, 1, id, created_at, iif(state = 8, 8, 0), state, 0 FROM message;
    INSERT INTO counter (line, state, priority, gate, count) VALUES (1, 1, 1, 0, 200), (1, 8, 1, 0, 100);
    """
