"""A client of waxwing/1 in one file: strict JSON, canonical bytes, signatures, jobs. Python 3.11, standard library.

    client = Client.of_profile("client.toml")
    client.call("batch_sum", {"numbers": [1, 2.5]})                   # {"count": 2, "total": 3.5}
    client.wait(client.call("long_task", {"seconds": 2})["job_id"])   # the job's output

Nothing is returned that the server has not signed as the answer to this very call. Sections are those of wire.md."""
import argparse, base64, contextlib, decimal, hashlib, hmac, http.client, json, math, os, re, secrets, sys, time
import tomllib, urllib.parse, uuid

VERSION, PAST_MS, FUTURE_MS, MAX_MESSAGE, MAX_DEPTH, MAX_INTEGER = "waxwing/1", 120_000, 30_000, 1 << 20, 64, 2**53 - 1
REFUSAL_CODES = {"too_large", "malformed", "unsupported_version", "wrong_server", "unauthenticated", "overloaded"}
CODES = REFUSAL_CODES | set("stale replayed forbidden unknown_tool tool_changed invalid_args conflict unknown_job "
                            "tool_failed job_failed invalid_output timeout rate_limited internal".split())
EXITS = dict(wrong_server=3, unauthenticated=3, stale=3, replayed=3, forbidden=3, overloaded=4, rate_limited=4)

class WaxwingError(Exception):
    """Any failure. The command line ends with its `exit_code`; `error` is what a peer said, if one did."""
    exit_code, check, code, error = 1, None, None, None
    def __init__(self, text, **more):
        super().__init__(text)
        self.__dict__.update(more)

class JsonError(WaxwingError):
    """Text that section 1 refuses, or a value that has no canonical form."""
    code = "malformed"
class Unreachable(WaxwingError):
    """No answer: whether the call was done is unknown."""
    exit_code = 4
class UntrustedReply(WaxwingError):
    """What came back is not the server's answer to this call; `check` names the check that failed."""
    exit_code = 3
class Refused(UntrustedReply):
    """An unsigned refusal: a hint that anybody on the way could have made."""
    check = "unsigned_refusal"
class CallFailed(WaxwingError):
    """The server's signed error: `code`, and `error` with its message and details."""

# Strict JSON (section 1): the standard library finds the tokens, what it would let pass is refused here.
def read_json(data, max_message=MAX_MESSAGE):
    """The value that these bytes spell; JsonError when section 1 refuses them."""
    if len(data) > max_message:
        raise JsonError(f"more than {max_message} bytes", code="too_large")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_int=_number, parse_float=_number,
                           parse_constant=_number)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"not JSON: {type(error).__name__}") from None
    canonical(value)  # refuses lone surrogates and too many levels
    return value

def _members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise JsonError("a member name occurs twice in its object")
    return dict(pairs)

def _number(spelling):
    value = float(spelling)
    if not math.isfinite(value):
        raise JsonError("not a finite double")
    return _safe(int(value)) if value.is_integer() and abs(value) < 1e21 else value

def _safe(value):
    if abs(value) > MAX_INTEGER:
        raise JsonError("an integer outside +-(2^53 - 1): send it as a string")
    return value

# Canonical form (RFC 8785).
def canonical(value, depth=1):
    """The canonical text of a value; JsonError when it has none."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        _utf16(value)
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return _spell(_number(value) if isinstance(value, float) else _safe(value))
    if not isinstance(value, (dict, list, tuple)) or depth > MAX_DEPTH:
        raise JsonError(f"not JSON: a {type(value).__name__} at depth {depth}")
    if not isinstance(value, dict):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    names = sorted(value, key=_utf16)
    return "{" + ",".join(canonical(name) + ":" + canonical(value[name], depth + 1) for name in names) + "}"

def _utf16(text):
    try:
        return text.encode("utf-16-be")
    except (UnicodeEncodeError, AttributeError):
        raise JsonError("a lone surrogate is not a character, and a name must be a string") from None

def _spell(value):
    """ECMAScript's spelling of a number: repr() has the same shortest digits, set differently."""
    if isinstance(value, int):
        return str(value)
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    digits, point = "".join(map(str, digits)), len(digits) + exponent
    if 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + text

# Messages (sections 2 to 5).
PARTY, TOKEN, SIGNATURE = "[A-Za-z0-9._:/@-]{1,128}", "[A-Za-z0-9._:-]{1,128}", "([0-9a-f]{64}){1,2}"
RULES = {"client_id": PARTY, "server_id": PARTY, "key_id": PARTY, "request_id": TOKEN, "nonce": "[A-Za-z0-9_-]{16,64}",
         "signature": SIGNATURE, "in_reply_to": SIGNATURE, "job_id": TOKEN, "message": "(?s:.*)", "reason": "(?s:.*)"}
COUNTS = {"poll_after_ms", "ttl_ms", "retry_after_ms", "done", "total"}
REPLY = "v typ request_id in_reply_to ts_ms nonce client_id server_id key_id status signature "
RESULTS = {"accepted": "job_id poll_after_ms ttl_ms", "running": "job_id poll_after_ms progress?",
           "input_required": "job_id requests", "done": "job_id output", "cancelled": "job_id reason?"}

def closed(value, members):
    """Raises ValueError unless `value` is an object of just these members, each by the rule of its name."""
    required = {name for name in members.split() if name[-1] != "?"}
    if not isinstance(value, dict) or not required <= value.keys() <= set(members.replace("?", "").split()):
        raise ValueError(f"not an object of {members}")
    for name, member in value.items():
        if name in RULES and not (isinstance(member, str) and re.fullmatch(RULES[name], member)):
            raise ValueError(f"{name} is not as it must be")
        if name in COUNTS and not (type(member) is int and member >= 0) or name == "ts_ms" and type(member) is not int:
            raise ValueError(f"{name} is not such an integer")

def _check_shape(message):
    """Raises ValueError unless `message` is a reply or a refusal (section 3)."""
    typ, status = (message.get("typ"), message.get("status")) if isinstance(message, dict) else (None, None)
    closed(message, "v typ error" if typ == "refusal" else REPLY + ("error" if status == "error" else "result"))
    if message["v"] != VERSION or typ not in ("reply", "refusal"):
        raise ValueError(f"not a reply of {VERSION}")
    if "error" in message:
        closed(message["error"], "code message details? retry_after_ms?")
        if message["error"]["code"] not in (REFUSAL_CODES if typ == "refusal" else CODES):
            raise ValueError("not a code of section 8 for such a message")
    elif status != "ok":
        closed(message["result"], RESULTS[status])
        if "progress" in message["result"]:
            closed(message["result"]["progress"], "done total? message?")
        if status == "input_required" and not isinstance(message["result"]["requests"], dict):
            raise ValueError("requests is no object")

def signed_bytes(message):
    """The bytes that a message's signature covers (section 4)."""
    return canonical({name: message[name] for name in message if name != "signature"}).encode()

def sign(secret, message):
    """The signature of a message, whether it has one or not (section 4)."""
    return hmac.new(secret, signed_bytes(message), hashlib.sha256).hexdigest()

def verifies(secret, message):
    """Whether a message carries that signature."""
    return hmac.compare_digest(sign(secret, message), message["signature"])

def server_time(error):
    """The server's clock, when an error says `stale` and gives it."""
    details = error.get("details") if error.get("code") == "stale" else None
    time_ms = details.get("server_ts_ms") if isinstance(details, dict) else None
    return time_ms if type(time_ms) is int else None

def _said(kind, prefix, error):
    code, text = error["code"], f"{prefix}{error['code']}: {error['message']}"
    return kind(text, code=code, error=error, exit_code=EXITS.get(code, 5))

def verify_reply(data, secret, sent, now_ms):
    """The reply to the request `sent`, after every check of section 5; UntrustedReply when one fails."""
    try:
        _check_shape(reply := read_json(data))
    except (LookupError, TypeError, ValueError, JsonError) as error:
        raise UntrustedReply(f"not a reply: {error}", check="not_a_reply") from None
    if reply["typ"] == "refusal":
        raise _said(Refused, "refused, unsigned: ", reply["error"])
    if not verifies(secret, reply):
        raise UntrustedReply("the reply's signature does not verify", check="wrong_signature")
    if (reply["in_reply_to"], reply["request_id"]) != (sent["signature"], sent["request_id"]):
        raise UntrustedReply("the reply answers another request", check="wrong_request")
    for name in ("client_id", "server_id", "key_id"):
        if reply[name] != sent[name]:
            raise UntrustedReply(f"the reply's {name} is not the request's", check="wrong_party")
    # A server whose clock is far from ours can say that, by `stale`, and nothing else.
    if not now_ms - PAST_MS <= reply["ts_ms"] <= now_ms + FUTURE_MS and server_time(reply.get("error", {})) is None:
        raise UntrustedReply(f"the reply's time is {reply['ts_ms'] - now_ms} ms from ours", check="outside_window")
    return reply

# Calls and jobs (sections 6 and 9).
class Client:
    """Calls one server; `secret` is bytes. A call is a connection of its own, so threads may share a client."""
    def __init__(self, url, client_id, server_id, key_id, secret, timeout=60.0, pins=(), require_pins=False):
        self._url, self._secret, self._timeout, self._offset_ms = urllib.parse.urlsplit(url), secret, timeout, 0
        self._ids = {"client_id": client_id, "server_id": server_id, "key_id": key_id}
        self._pins, self._require_pins, self._path = dict(pins), require_pins, self._url.path.rstrip("/") + "/v1/call"
        if self._url.scheme not in ("http", "https") or not self._url.hostname or "@" in self._url.netloc:
            raise WaxwingError("the url must be http(s)://HOST[:PORT]")

    @classmethod
    def of_profile(cls, path):
        """The client that a `client.toml` describes."""
        try:
            with open(path, "rb") as file:
                profile = tomllib.load(file)
                if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                    raise ValueError("it holds a secret and can be read by others: chmod 600 it")
            closed(profile, "url client_id server_id key_id algorithm secret pins? require_pins?")
            secret = profile.pop("secret")
            if profile.pop("algorithm") != "hmac-sha256" or not re.fullmatch("[A-Za-z0-9_-]{43,}", secret):
                raise ValueError("it needs algorithm hmac-sha256 and a secret of 32 bytes or more in base64url")
            return cls(**profile, secret=base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
        except (OSError, TypeError, ValueError, WaxwingError) as error:
            raise WaxwingError(f"{path}: {error}") from None

    def exchange(self, tool, args, timeout=None, **optional):
        """Status and result of one call; `optional` are idempotency_key, tool_digest, traceparent."""
        if not isinstance(args, dict):
            raise JsonError("the arguments must be an object")
        optional = {"tool_digest": self._pins[tool], **optional} if tool in self._pins else optional
        free = not self._require_pins or re.fullmatch("server_identity|list_tools|(poll|cancel|answer)_job", tool)
        if not (free or "tool_digest" in optional):
            raise WaxwingError(f"{tool} is not pinned; look at its definition, then: waxwing pin {tool}")
        for _ in range(2):  # a second time with the clock that a signed `stale` told
            message = {"v": VERSION, "typ": "request", "request_id": str(uuid.uuid4()), "ts_ms": self._now_ms(),
                       "nonce": secrets.token_urlsafe(18), "tool": tool, "args": args, **self._ids, **optional}
            message["signature"] = sign(self._secret, message)
            data = self._post(canonical(message).encode(), timeout or self._timeout)
            reply = verify_reply(data, self._secret, message, self._now_ms())
            if reply["status"] != "error":
                return reply["status"], reply["result"]
            if (clock := server_time(reply["error"])) is None:
                break
            self._offset_ms += clock - self._now_ms()
        raise _said(CallFailed, "", reply["error"])

    def _now_ms(self): return time.time_ns() // 1_000_000 + self._offset_ms

    def _post(self, body, timeout):
        kind = http.client.HTTPConnection if self._url.scheme == "http" else http.client.HTTPSConnection
        try:
            with contextlib.closing(kind(self._url.netloc, timeout=timeout)) as connection:
                connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                data = response.read(MAX_MESSAGE + 1)
                if response.length and len(data) <= MAX_MESSAGE:
                    raise http.client.IncompleteRead(data)
                return data
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self._url.netloc} cannot be reached: {error}") from None

    def call(self, tool, args, **optional):
        """The result of a call: a tool's output, or `{job_id, ...}` of the job that it started."""
        return self.exchange(tool, args, **optional)[1]

    def poll(self, job_id, wait_ms=0):
        """Status and result of a job; with `wait_ms`, as soon as it changes or the time is over."""
        status, result = self.exchange("poll_job", dict(job_id=job_id, wait_ms=wait_ms), self._timeout + wait_ms / 1000)
        if status in ("ok", "accepted") or result["job_id"] != job_id:
            raise UntrustedReply("the answer to a poll is not the status of that job", check="wrong_job")
        return status, result

    def wait(self, job_id, patience=60.0):
        """A job's output once it is there; a server that is away is tried again for `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            began = time.monotonic()
            try:
                status, result = self.poll(job_id, 20_000)
            except (Unreachable, CallFailed, Refused) as error:
                if error.exit_code != 4 or began > until:
                    raise
                time.sleep(max(0.2, (error.error or {}).get("retry_after_ms", 0) / 1000))
                continue
            if status == "done":
                return result["output"]
            if status != "running":
                raise WaxwingError(f"job {job_id} is {status}: {canonical(result)}", exit_code=5)
            time.sleep(max(0, began + result["poll_after_ms"] / 1000 - time.monotonic()))
            until = time.monotonic() + patience

def main():
    parser = argparse.ArgumentParser(description="Calls a waxwing server; the result is canonical JSON on stdout.")
    parser.add_argument("--profile", default="client.toml")
    parser.add_argument("--wait", action="store_true", help="when the tool starts a job, wait for its output")
    parser.add_argument("command", choices=["call", "poll", "wait"])
    parser.add_argument("name", help="a tool to call, or a job")
    parser.add_argument("args", nargs="?", default="{}", help="the tool's arguments, a JSON object")
    given = parser.parse_args()
    try:
        client = Client.of_profile(given.profile)
        if given.command == "poll":
            status, result = client.poll(given.name)
            result = {"status": status, **result}
        elif given.command == "call":
            status, result = client.exchange(given.name, read_json(given.args.encode("utf-8", "surrogateescape")))
        if given.command == "wait" or given.wait and status == "accepted":
            result = client.wait(result["job_id"] if given.command == "call" else given.name)
        print(canonical(result))
    except WaxwingError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

if __name__ == "__main__":
    main()
