#!/usr/bin/env php
<?php
// Sends a template and waits until it is delivered; needs PHP's curl.
//
// usage: send.php NUMBER      exits with 0 when it was delivered, 1 when it was refused or failed

function outboxd(string $path, array $options = []): array
{
    $call = curl_init("http://localhost" . $path);
    curl_setopt($call, CURLOPT_UNIX_SOCKET_PATH, getenv("OUTBOXD_SOCKET") ?: "/run/outboxd/outboxd.sock");
    curl_setopt($call, CURLOPT_RETURNTRANSFER, true);
    curl_setopt_array($call, $options);
    $body = curl_exec($call);
    return [$body === false ? 0 : curl_getinfo($call, CURLINFO_RESPONSE_CODE), $body];
}

function quit(string $words): never
{
    fwrite(STDERR, $words . "\n");
    exit(1);
}

$message = ["to" => $argv[1], "template" => ["name" => "hello_world", "language" => "en_US"]];
// Sent again with the same key, should the answer get lost, it is still queued once.
$headers = ["Idempotency-Key: " . bin2hex(random_bytes(16)), "Content-Type: application/json"];
foreach ([1, 2, 4, 8, 0] as $wait) {
    [$status, $body] = outboxd(
        "/v1/messages",
        [CURLOPT_POSTFIELDS => json_encode($message), CURLOPT_HTTPHEADER => $headers]
    );
    // No answer, or 503: nothing is stored, and it may work in a moment.
    if ($wait === 0 || ($status !== 0 && $status !== 503)) {
        break;
    }
    sleep($wait);
}
if ($status !== 202) {
    quit("refused: " . ($body ?: "no answer"));
}
$id = json_decode($body, true)["data"]["id"];
echo $id, "\n";

// Every event comes as a line of its own; curl hands them over in pieces of any size.
$rest = "";
$end = null;
$heard = function ($call, string $piece) use (&$rest, &$end): int {
    $lines = explode("\n", $rest . $piece);
    $rest = array_pop($lines);
    foreach (array_filter($lines) as $line) {
        $event = json_decode($line, true);
        $status = $event["data"]["status"] ?? null;
        if (in_array($status, ["delivered", "read", "failed", "cancelled"], true)) {
            $end = $event["data"];
            return 0; // enough: curl breaks off
        }
    }
    return strlen($piece);
};
$query = ["follow" => "true", "after" => 0, "event" => "message.status_updated", "message" => $id];
outboxd("/v1/events?" . http_build_query($query), [CURLOPT_WRITEFUNCTION => $heard]);
if (!in_array($end["status"] ?? null, ["delivered", "read"], true)) {
    quit("not delivered: " . json_encode($end));
}
