"""Checks waxwing_client.py against the vectors: `python3 check_vectors.py ../vectors`; of requests it is the server."""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
import ed25519
import waxwing_client as waxwing

# What only a server reads (section 2).
waxwing.RULES.update(tool="[A-Za-z0-9_-]{1,64}", idempotency_key=waxwing.TOKEN, tool_digest="[0-9a-f]{64}",
                     traceparent="[0-9a-f-]{55,128}")
REQUEST = ("v typ request_id ts_ms client_id server_id key_id nonce tool args signature "
           "idempotency_key? tool_digest? traceparent?")


class Pair:
    """An ed25519 key as one side holds it: a secret of its own and the other side's public key."""
    def __init__(self, secret, public_key):
        self.secret, self.public_key = bytes.fromhex(secret), bytes.fromhex(public_key)


def key_of(key, side):
    """A key as the client or the server holds it."""
    if key["algorithm"] == "hmac-sha256":
        return bytes.fromhex(key["secret"])
    if side == "client":
        return Pair(key["secret"], key["server_public_key"])
    return Pair(key["server_secret"], key["public_key"])


def sign(key, message):
    if isinstance(key, Pair):
        return ed25519.sign(key.secret, waxwing.signed_bytes(message)).hex()
    return waxwing.sign(key, message)


def verifies(key, message, hmac_verifies=waxwing.verifies):
    if isinstance(key, Pair):
        signature = bytes.fromhex(message["signature"])
        return ed25519.verifies(key.public_key, waxwing.signed_bytes(message), signature)
    return hmac_verifies(key, message)


# The client speaks hmac-sha256 alone; its checks of a reply are the same with either algorithm.
waxwing.verifies = verifies


def is_usable(key, now_ms):
    """Whether a key may verify at that time: neither revoked nor before or after its time (section 4)."""
    return (key is not None and key.get("state") != "revoked"
            and key.get("not_before_ms", now_ms) <= now_ms < key.get("not_after_ms", now_ms + 1))


def judge_json(data, max_message):
    """Canonical text and verdict."""
    try:
        return waxwing.canonical(waxwing.read_json(data, max_message)), "accepted"
    except waxwing.JsonError as error:
        return None, error.code


def judge_request(data, head, now_ms):
    """What a server says: `accepted` or a code, in the order of section 5 up to the clock window."""
    try:
        request = waxwing.read_json(data)
        if isinstance(request, dict) and request.get("v", waxwing.VERSION) != waxwing.VERSION:
            return "unsupported_version"
        waxwing.closed(request, REQUEST)
        if request["typ"] != "request" or not isinstance(request["args"], dict):
            return "malformed"
    except waxwing.JsonError as error:
        return error.code
    except ValueError:
        return "malformed"
    if request["server_id"] != head["server_id"]:
        return "wrong_server"
    ids = (request["client_id"], request["key_id"])
    key = next((key for key in head["keys"] if ids == (key["client_id"], key["key_id"])), None)
    usable = is_usable(key, now_ms)
    held = key_of(key, "server") if usable else b"any key will do for the same work"
    if not verifies(held, request) or not usable:
        return "unauthenticated"
    window = head["window"]
    timely = now_ms - window["past_ms"] <= request["ts_ms"] <= now_ms + window["future_ms"]
    return "accepted" if timely else "stale"


def judge_reply(data, head, now_ms):
    """What a client says: `accepted`, or the check that failed and the code of an unsigned refusal."""
    try:
        waxwing.verify_reply(data, key_of(head["keys"][0], "client"), head["sent"], now_ms)
        return "accepted"
    except waxwing.UntrustedReply as error:
        return " ".join(filter(None, [error.check, error.code]))


def check(head, vector):
    """Raises AssertionError with what differs."""
    data = bytes.fromhex(vector["input_hex"]) if "input_hex" in vector else vector["input"].encode()
    canonical, verdict = judge_json(data, vector.get("max_message", waxwing.MAX_MESSAGE))
    assert canonical == vector.get("canonical"), f"canonical: {canonical}"
    if "kind" in vector:
        verdict = {"request": judge_request, "reply": judge_reply}[vector["kind"]](data, head, vector["now_ms"])
    expected = " ".join(filter(None, [vector.get("check"), vector.get("code")])) or "accepted"
    assert verdict == expected and (verdict == "accepted") == (vector["verdict"] == "accepted"), f"verdict: {verdict}"
    if "signed" in vector:
        message = waxwing.read_json(data)
        assert waxwing.signed_bytes(message).decode() == vector["signed"], "signed bytes"
        right = sign(key_of(head["keys"][0], "client" if vector["kind"] == "request" else "server"), message)
        assert right == vector["signature"], f"signature: {right}"
    if vector.get("flip"):
        check_flips(head, vector, data, canonical)


def check_flips(head, vector, data, canonical):
    """One bit of each byte flipped: never accepted, but where the bytes still spell the same message."""
    judge = {"request": judge_request, "reply": judge_reply}[vector["kind"]]
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]
        if judge_json(flipped, waxwing.MAX_MESSAGE)[0] != canonical:
            assert judge(flipped, head, vector["now_ms"]) != "accepted", f"bit {at % 8} of byte {at} flipped"


def main(folder):
    checked = 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        head = json.loads(path.read_text(encoding="utf-8"))
        for vector in head["vectors"]:
            try:
                check(head, vector)
            except AssertionError as error:
                sys.exit(f"{path.name}: {vector['name']}: {error}")
            checked += 1
    if checked == 0:
        sys.exit(f"no vectors in {folder}")
    print(f"{checked} vectors hold")


if __name__ == "__main__":
    main(sys.argv[1])
