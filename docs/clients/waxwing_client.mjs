// A client of waxwing/1 in one file: strict JSON, canonical bytes, signatures, jobs. Node 20, no packages.
//
//     const client = Client.ofProfile("client.toml");
//     await client.call("batch_sum", { numbers: [1, 2.5] });                          // { count: 2, total: 3.5 }
//     await client.wait((await client.call("long_task", { seconds: 2 })).job_id);     // the job's output
//
// Nothing is returned that the server has not signed as the answer to this very call. Sections are those of wire.md.
import { isUtf8 } from "node:buffer";
import * as crypto from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const VERSION = "waxwing/1", PAST_MS = 120_000, FUTURE_MS = 30_000;
const MAX_MESSAGE = 1 << 20, MAX_DEPTH = 64;
const words = (text) => text.trim().split(/\s+/);
const REFUSAL_CODES = words("too_large malformed unsupported_version wrong_server unauthenticated overloaded");
const CODES = [...REFUSAL_CODES, ...words(`stale replayed forbidden unknown_tool tool_changed invalid_args conflict
  unknown_job tool_failed job_failed invalid_output timeout rate_limited internal`)];
const EXITS = { wrong_server: 3, unauthenticated: 3, stale: 3, replayed: 3, forbidden: 3, overloaded: 4,
  rate_limited: 4 };

// Any failure. `kind`: usage, json, unreachable (no answer: whether the call was done is unknown), untrusted (not the
// server's answer to this call; `check` says why), refused (unsigned: a hint that anybody could have made), failed (the
// server's signed error) or ended (a job without output). `error` is what a peer said, `exitCode` the command's end.
export class WaxwingError extends Error {
  constructor(kind, text, more = {}) {
    super(text);
    Object.assign(this, { kind, exitCode: { unreachable: 4, untrusted: 3 }[kind] ?? 1 }, more);
  }
}
const bad = (text, code = "malformed") => new WaxwingError("json", text, { code });
// Strict JSON (section 1).
/** The value that these bytes spell; an error of kind json when section 1 refuses them. Objects have no prototype. */
export function readJson(bytes, maxMessage = MAX_MESSAGE) {
  if (bytes.length > maxMessage) throw bad(`more than ${maxMessage} bytes`, "too_large");
  if (!isUtf8(bytes)) throw bad("not UTF-8");
  const text = Buffer.from(bytes).toString();
  let at = 0;
  const take = (sticky) => {
    sticky.lastIndex = at;
    const found = sticky.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const mark = (sticky) => [take(/[ \t\n\r]*/y), take(sticky), take(/[ \t\n\r]*/y)][1];
  const string = () => {
    const quoted = take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    const found = quoted && JSON.parse(quoted);
    if (!found?.isWellFormed()) throw bad("a well-formed string must stand here");
    return found;
  };
  const scalar = () => {
    const found = take(/true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (found === undefined) return string();
    const value = JSON.parse(found);
    return typeof value === "number" ? checked(value) : value;
  };
  const value = (depth) => {
    const open = mark(/[{[]/y);
    if (!open) return scalar();
    if (depth > MAX_DEPTH) throw bad(`more than ${MAX_DEPTH} nested objects and arrays`);
    const found = open === "[" ? [] : Object.create(null);
    let joint = mark(/[\]}]/y);
    if (!joint) do {
      if (open === "[") found.push(value(depth + 1));
      else {
        const name = string();
        if (name in found || !mark(/:/y)) throw bad("a member name must stand here once, and a colon behind it");
        found[name] = value(depth + 1);
      }
    } while ((joint = mark(/[,\]}]/y)) === ",");
    if (joint !== (open === "[" ? "]" : "}")) throw bad("a comma or the end must stand here");
    return found;
  };
  const found = value(1);
  if (mark(/$/y) === undefined) throw bad("something follows the value");
  return found;
}
function checked(number) {
  if (!Number.isFinite(number)) throw bad("not a finite double");
  if (!Number.isInteger(number) || Math.abs(number) >= 1e21 || Number.isSafeInteger(number)) return number;
  throw bad("an integer outside +-(2^53 - 1): send it as a string");
}

// Canonical form (RFC 8785): JSON.stringify spells numbers and strings as it asks, sort() compares UTF-16 units.
/** The canonical text of a value; an error of kind json when it has none. */
export function canonical(value, depth = 1) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return JSON.stringify(checked(value));
  if (typeof value === "string" && !value.isWellFormed()) throw bad("a lone surrogate is not a character");
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || depth > MAX_DEPTH) throw bad(`not JSON: a ${typeof value} at depth ${depth}`);
  if (Array.isArray(value)) return "[" + Array.from(value, (item) => canonical(item, depth + 1)).join(",") + "]";
  const names = Object.keys(value).sort();
  return "{" + names.map((name) => canonical(name) + ":" + canonical(value[name], depth + 1)).join(",") + "}";
}

// Messages (sections 2 to 5).
const PARTY = /^[A-Za-z0-9._:/@-]{1,128}$/, TOKEN = /^[A-Za-z0-9._:-]{1,128}$/, SIGNATURE = /^([0-9a-f]{64}){1,2}$/;
export const RULES = { __proto__: null, client_id: PARTY, server_id: PARTY, key_id: PARTY, request_id: TOKEN,
  signature: SIGNATURE, in_reply_to: SIGNATURE, nonce: /^[\w-]{16,64}$/, job_id: TOKEN, message: /^/, reason: /^/ };
const COUNTS = ["poll_after_ms", "ttl_ms", "retry_after_ms", "done", "total"];
const REPLY = "v typ request_id in_reply_to ts_ms nonce client_id server_id key_id status signature ";
const RESULTS = { __proto__: null, accepted: "job_id poll_after_ms ttl_ms", running: "job_id poll_after_ms progress?",
  input_required: "job_id requests", done: "job_id output", cancelled: "job_id reason?" };
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** Throws unless `value` is an object of just these members, each by the rule of its name. */
export function closed(value, members) {
  const names = words(members);
  const fits = isObject(value) && names.every((name) => name.endsWith("?") || name in value) &&
    Object.keys(value).every((name) => names.includes(name) || names.includes(name + "?"));
  if (!fits) throw bad(`not an object of ${members}`);
  for (const [name, member] of Object.entries(value)) {
    const least = name === "ts_ms" ? -Infinity : COUNTS.includes(name) ? 0 : undefined;
    const wrong = (name in RULES && !(typeof member === "string" && RULES[name].test(member))) ||
      (least !== undefined && !(Number.isSafeInteger(member) && member >= least));
    if (wrong) throw bad(`${name} is not as it must be`);
  }
}

/** Throws unless `message` is a reply or a refusal (section 3). */
function checkShape(message) {
  const { typ, status } = isObject(message) ? message : {};
  closed(message, typ === "refusal" ? "v typ error" : REPLY + (status === "error" ? "error" : "result"));
  if (message.v !== VERSION || (typ !== "reply" && typ !== "refusal")) throw bad(`not a reply of ${VERSION}`);
  if ("error" in message) {
    closed(message.error, "code message details? retry_after_ms?");
    if (!(typ === "refusal" ? REFUSAL_CODES : CODES).includes(message.error.code)) throw bad("not a code of section 8");
  } else if (status !== "ok") {
    if (typeof status !== "string" || !(status in RESULTS)) throw bad("not a status");
    closed(message.result, RESULTS[status]);
    if ("progress" in message.result) closed(message.result.progress, "done total? message?");
    if (status === "input_required" && !isObject(message.result.requests)) throw bad("requests is no object");
  }
}

/** The text that a message's signature covers, and that signature (section 4); a key is bytes, or an ed25519 `pair`. */
export const signedText = ({ signature: _, ...message }) => canonical(message);
export const sign = (key, message) => (key.own ? crypto.sign(null, Buffer.from(signedText(message)), key.own)
  : crypto.createHmac("sha256", key).update(signedText(message)).digest()).toString("hex");
export function verifies(key, message) {
  const given = Buffer.from(message.signature, "hex");
  if (given.length !== (key.peer ? 64 : 32)) return false;
  return key.peer ? crypto.verify(null, Buffer.from(signedText(message)), key.peer, given)
    : crypto.timingSafeEqual(Buffer.from(sign(key, message), "hex"), given);
}
/** Of one's own secret and the other side's public key, behind the heads that PKCS #8 and SPKI put before them. */
const der = (head, bytes, type) => ({ key: Buffer.concat([Buffer.from(head, "hex"), bytes]), format: "der", type });
export const pair = (secret, other) => ({ peer: crypto.createPublicKey(der("302a300506032b6570032100", other, "spki")),
  own: crypto.createPrivateKey(der("302e020100300506032b657004220420", secret, "pkcs8")) });

/** The server's clock, when an error says `stale` and gives it. */
function serverTime(error) {
  const time = error?.code === "stale" && isObject(error.details) ? error.details.server_ts_ms : undefined;
  return Number.isSafeInteger(time) ? time : undefined;
}

function said(kind, prefix, error, check, { code, message } = error) {
  return new WaxwingError(kind, `${prefix}${code}: ${message}`, { code, error, check, exitCode: EXITS[code] ?? 5 });
}

/** The reply to the request `sent`, after every check of section 5; kind untrusted or refused when one fails. */
export function verifyReply(bytes, secret, sent, nowMs) {
  const untrusted = (check, text) => new WaxwingError("untrusted", text, { check });
  let reply;
  try {
    checkShape(reply = readJson(bytes));
  } catch (error) {
    throw untrusted("not_a_reply", `not a reply: ${error.message}`);
  }
  if (reply.typ === "refusal") throw said("refused", "refused, unsigned: ", reply.error, "unsigned_refusal");
  if (!verifies(secret, reply)) throw untrusted("wrong_signature", "the reply's signature does not verify");
  const bound = reply.in_reply_to === sent.signature && reply.request_id === sent.request_id;
  if (!bound) throw untrusted("wrong_request", "the reply answers another request");
  const other = ["client_id", "server_id", "key_id"].find((name) => reply[name] !== sent[name]);
  if (other) throw untrusted("wrong_party", `the reply's ${other} is not the request's`);
  // A server whose clock is far from ours can say that, by `stale`, and nothing else.
  const timely = nowMs - PAST_MS <= reply.ts_ms && reply.ts_ms <= nowMs + FUTURE_MS;
  if (!timely && serverTime(reply.error) === undefined) {
    throw untrusted("outside_window", `the reply's time is ${reply.ts_ms - nowMs} ms from ours`);
  }
  return reply;
}
// Calls and jobs (sections 6 and 9).
export class Client {
  #url; #ids; #secret; #timeout; #pins; #requirePins; #offsetMs = 0;
  /** `secret` is bytes; times are in milliseconds. */
  constructor({ url, secret, timeout = 60_000, pins = {}, require_pins: requirePins = false, ...ids }) {
    if (!/^https?:\/\/[^/@?#]+(\/[^?#]*)?$/.test(url)) throw new WaxwingError("usage", "no url http(s)://HOST[:PORT]");
    this.#url = new URL(url.replace(/\/*$/, "/v1/call"));
    [this.#ids, this.#secret, this.#timeout, this.#pins, this.#requirePins] = [ids, secret, timeout, pins, requirePins];
  }
  /** The client that a `client.toml` describes: lines of `key = "value"`. */
  static ofProfile(path) {
    try {
      if (process.platform !== "win32" && statSync(path).mode & 0o077) throw new Error("others can read it: chmod 600");
      const profile = Object.create(null), pins = Object.create(null), tables = [profile];
      for (const [at, line] of readFileSync(path, "utf8").split("\n").entries()) {
        if (/^\s*(#.*)?$/.test(line)) continue;
        if (/^\s*\[pins\]\s*(#.*)?$/.test(line) && tables.unshift(pins)) continue;
        const [, name, text, flag] = /^\s*([\w-]+)\s*=\s*(?:"([^"\\]*)"|(true|false))\s*(?:#.*)?$/.exec(line) ?? [];
        if (!name || name in tables[0]) throw new Error(`line ${at + 1} is not key = "value", or comes twice`);
        tables[0][name] = text ?? flag === "true";
      }
      const { algorithm, secret, server_public_key: server = secret, ...rest } = profile;
      const isPair = algorithm === "ed25519", names = "url client_id server_id key_id algorithm secret require_pins?";
      closed(profile, names + (isPair ? " server_public_key" : ""));
      const [own, peer] = [secret, server].map((text) => /^[\w-]{43,}$/.test(text) && Buffer.from(text, "base64url"));
      if (!own || !peer || (!isPair && algorithm !== "hmac-sha256")) {
        throw new Error("it needs algorithm hmac-sha256 or ed25519, and secrets of 32 bytes or more in base64url");
      }
      return new Client({ ...rest, pins, secret: isPair ? pair(own, peer) : own });
    } catch (error) {
      throw new WaxwingError("usage", `${path}: ${error.message}`);
    }
  }
  #nowMs = () => Date.now() + this.#offsetMs;
  /** Status and result of one call; `optional` are idempotency_key, tool_digest, traceparent. */
  async exchange(tool, args, { timeout = this.#timeout, ...optional } = {}, mayRetry = true) {
    if (!isObject(args)) throw bad("the arguments must be an object");
    const more = Object.hasOwn(this.#pins, tool) ? { tool_digest: this.#pins[tool], ...optional } : optional;
    const needsPin = this.#requirePins && !/^(server_identity|list_tools|(poll|cancel|answer)_job)$/.test(tool);
    if (needsPin && !more.tool_digest) throw new WaxwingError("usage", `${tool} is not pinned: waxwing pin ${tool}`);
    const message = { v: VERSION, typ: "request", request_id: crypto.randomUUID(), ts_ms: this.#nowMs(), ...this.#ids,
      nonce: crypto.randomBytes(18).toString("base64url"), tool, args, ...more };
    message.signature = sign(this.#secret, message);
    const reply = verifyReply(await this.#post(canonical(message), timeout), this.#secret, message, this.#nowMs());
    if (reply.status !== "error") return { status: reply.status, result: reply.result };
    const clock = serverTime(reply.error);
    if (clock === undefined || !mayRetry) throw said("failed", "", reply.error);
    this.#offsetMs += clock - this.#nowMs(); // a signed `stale` told the server's clock: once more with that
    return this.exchange(tool, args, { timeout, ...optional }, false);
  }
  #post(body, timeout) {
    return new Promise((resolve, reject) => {
      const { host, protocol } = this.#url, chunks = [];
      const failed = ({ message }) => reject(new WaxwingError("unreachable", `${host} cannot be reached: ${message}`));
      const headers = { "Content-Type": "application/json" }, signal = AbortSignal.timeout(timeout);
      const options = { method: "POST", headers, agent: false, signal };
      (protocol === "https:" ? https : http).request(this.#url, options, (response) => {
        let length = 0;
        const done = () => resolve(Buffer.concat(chunks));
        response.on("data", (chunk) => {
          chunks.push(chunk), length += chunk.length;
          if (length > MAX_MESSAGE) done(), response.destroy(); // too large: refused by the reader
        }).on("end", done).on("error", failed);
      }).on("error", failed).end(body);
    });
  }
  /** The result of a call: a tool's output, or `{job_id, ...}` of the job that it started. */
  call = async (tool, args, options) => (await this.exchange(tool, args, options)).result;
  /** Status and result of a job; with `waitMs`, as soon as it changes or the time is over. */
  async poll(jobId, waitMs = 0) {
    const args = { job_id: jobId, wait_ms: waitMs };
    const answer = await this.exchange("poll_job", args, { timeout: this.#timeout + waitMs });
    if (!["ok", "accepted"].includes(answer.status) && answer.result.job_id === jobId) return answer;
    throw new WaxwingError("untrusted", "the answer to a poll is not the status of that job", { check: "wrong_job" });
  }
  /** A job's output once it is there; a server that is away is tried again for `patience` milliseconds. */
  async wait(jobId, patience = 60_000) {
    for (let until = Date.now() + patience; ;) {
      const began = Date.now();
      try {
        const { status, result } = await this.poll(jobId, 20_000);
        if (status === "done") return result.output;
        const ended = `job ${jobId} is ${status}: ${canonical(result)}`;
        if (status !== "running") throw new WaxwingError("ended", ended, { exitCode: 5 });
        await sleep(Math.max(0, began + result.poll_after_ms - Date.now()));
        until = Date.now() + patience;
      } catch (error) {
        if (error.exitCode !== 4 || began > until) throw error;
        await sleep(Math.max(200, error.error?.retry_after_ms ?? 0));
      }
    }
  }
}

async function main(line) {
  const wait = line.includes("--wait"), at = line.indexOf("--profile");
  const profile = at < 0 ? "client.toml" : line.splice(at, 2)[1];
  const [command, name, args = "{}", ...more] = line.filter((word) => word !== "--wait");
  if (!["call", "poll", "wait"].includes(command) || !name || more.length || !profile) {
    throw new Error("usage: waxwing_client.mjs [--profile FILE] [--wait] call TOOL [JSON] | poll JOB | wait JOB");
  }
  const client = Client.ofProfile(profile);
  if (command === "wait") return client.wait(name);
  if (command === "poll") return client.poll(name).then(({ status, result }) => ({ status, ...result }));
  const { status, result } = await client.exchange(name, readJson(Buffer.from(args)));
  return wait && status === "accepted" ? client.wait(result.job_id) : result;
}
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).then((result) => console.log(canonical(result)), (error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = error.exitCode ?? 1;
  });
}
