#!/usr/bin/env node
// Sends a template and waits until it is delivered; with nothing but Node.
//
// usage: send.mjs NUMBER      exits with 0 when it was delivered, 1 when it was refused or failed
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const socketPath = process.env.OUTBOXD_SOCKET ?? "/run/outboxd/outboxd.sock";

function call(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
        const call = request({ socketPath, host: "localhost", method, path, headers }, resolve);
        call.on("error", reject);
        call.end(body);
    });
}

async function json(answer) {
    let text = "";
    for await (const piece of answer.setEncoding("utf8")) text += piece;
    return JSON.parse(text);
}

// The message's id. Sent again with the same key, should the answer get lost, it is still queued once.
async function submit(message) {
    const headers = { "Idempotency-Key": randomUUID(), "Content-Type": "application/json" };
    for (const wait of [1, 2, 4, 8, null]) {
        try {
            const answer = await call("POST", "/v1/messages", JSON.stringify(message), headers);
            const body = await json(answer);
            if (answer.statusCode === 202) return body.data.id;
            // 503: nothing is stored, and it may work in a moment.
            if (answer.statusCode !== 503 || wait === null) {
                console.error("refused:", body.error.message, JSON.stringify(body.error.details));
                process.exit(1);
            }
        } catch (error) {
            if (wait === null) throw error;
        }
        await setTimeout(wait * 1000);
    }
}

const id = await submit({ to: process.argv[2], template: { name: "hello_world", language: "en_US" } });
console.log(id);
const log = await call("GET", `/v1/events?follow=true&after=0&event=message.status_updated&message=${id}`);
for await (const line of createInterface({ input: log })) {
    if (line === "") continue; // outboxd is still there
    const { event, data } = JSON.parse(line);
    if (event !== "message.status_updated") continue;
    if (data.status === "delivered" || data.status === "read") process.exit(0);
    if (data.status === "failed" || data.status === "cancelled") {
        console.error("not delivered:", data.errorCode, data.errorMessage);
        process.exit(1);
    }
}
