// Checks waxwing_client.mjs against the vectors: `node check_vectors.mjs ../vectors`; of requests it is the server.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { RULES, VERSION, canonical, closed, readJson } from "./waxwing_client.mjs";
import { pair, sign, signedText, verifies, verifyReply } from "./waxwing_client.mjs";

// What only a server reads (section 2).
Object.assign(RULES, { tool: /^[A-Za-z0-9_-]{1,64}$/, idempotency_key: RULES.request_id, tool_digest: /^[0-9a-f]{64}$/,
  traceparent: /^[0-9a-f-]{55,128}$/ });
const REQUEST = `v typ request_id ts_ms client_id server_id key_id nonce tool args signature
  idempotency_key? tool_digest? traceparent?`;

/** A key as the client or the server holds it. */
function keyOf(key, side) {
  const texts = [key.secret, key.public_key, key.server_secret, key.server_public_key];
  const [secret, publicKey, serverSecret, serverPublicKey] = texts.map((text) => Buffer.from(text ?? "", "hex"));
  if (key.algorithm === "hmac-sha256") return secret;
  return side === "client" ? pair(secret, serverPublicKey) : pair(serverSecret, publicKey);
}

/** Whether a key may verify at that time: neither revoked nor before or after its time (section 4). */
const isUsable = (key, nowMs) => key !== undefined && key.state !== "revoked" &&
  (key.not_before_ms ?? -Infinity) <= nowMs && nowMs < (key.not_after_ms ?? Infinity);

/** Canonical text and verdict. */
function judgeJson(bytes, maxMessage) {
  try {
    return [canonical(readJson(bytes, maxMessage)), "accepted"];
  } catch (error) {
    if (error.kind !== "json") throw error;
    return [undefined, error.code];
  }
}

/** What a server says: `accepted` or a code, in the order of section 5 up to the clock window. */
function judgeRequest(bytes, head, nowMs) {
  let request;
  try {
    request = readJson(bytes);
    if (Object.entries(request ?? {}).some(([name, value]) => name === "v" && value !== VERSION)) {
      return "unsupported_version";
    }
    closed(request, REQUEST);
    if (request.typ !== "request" || canonical(request.args)[0] !== "{") return "malformed";
  } catch (error) {
    if (error.kind !== "json") throw error;
    return error.code;
  }
  if (request.server_id !== head.server_id) return "wrong_server";
  const key = head.keys.find((key) => key.client_id === request.client_id && key.key_id === request.key_id);
  const usable = isUsable(key, nowMs);
  const held = usable ? keyOf(key, "server") : Buffer.from("any key will do for the same work");
  if (!verifies(held, request) || !usable) return "unauthenticated";
  const timely = nowMs - head.window.past_ms <= request.ts_ms && request.ts_ms <= nowMs + head.window.future_ms;
  return timely ? "accepted" : "stale";
}

/** What a client says: `accepted`, or the check that failed and the code of an unsigned refusal. */
function judgeReply(bytes, head, nowMs) {
  try {
    verifyReply(bytes, keyOf(head.keys[0], "client"), head.sent, nowMs);
    return "accepted";
  } catch (error) {
    if (!error.check) throw error;
    return words(error.check, error.code);
  }
}

const words = (...parts) => parts.filter((part) => part !== undefined).join(" ");
const JUDGES = { request: judgeRequest, reply: judgeReply };

/** Throws with what differs. */
function check(head, vector) {
  const bytes = "input_hex" in vector ? Buffer.from(vector.input_hex, "hex") : Buffer.from(vector.input);
  let [text, verdict] = judgeJson(bytes, vector.max_message);
  assert.equal(text, vector.canonical);
  if ("kind" in vector) verdict = JUDGES[vector.kind](bytes, head, vector.now_ms);
  assert.equal(verdict, words(vector.check, vector.code) || "accepted");
  assert.equal(verdict === "accepted", vector.verdict === "accepted");
  if ("signed" in vector) {
    const message = readJson(bytes);
    assert.equal(signedText(message), vector.signed);
    const side = vector.kind === "request" ? "client" : "server";
    assert.equal(sign(keyOf(head.keys[0], side), message), vector.signature);
  }
  if (vector.flip) checkFlips(head, vector, bytes, text);
}

/** One bit of each byte flipped: never accepted, but where the bytes still spell the same message. */
function checkFlips(head, vector, bytes, text) {
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at] ^= 1 << at % 8;
    if (judgeJson(flipped)[0] === text) continue;
    const verdict = JUDGES[vector.kind](flipped, head, vector.now_ms);
    assert.notEqual(verdict, "accepted", `bit ${at % 8} of byte ${at} flipped`);
  }
}

const folder = process.argv[2];
let checked = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
  const head = JSON.parse(readFileSync(join(folder, file), "utf8"));
  for (const vector of head.vectors) {
    try {
      check(head, vector);
    } catch (error) {
      console.error(`${file}: ${vector.name}: ${error.message}`);
      process.exit(1);
    }
    checked += 1;
  }
}
assert.ok(checked > 0, `no vectors in ${folder}`);
console.log(`${checked} vectors hold`);
