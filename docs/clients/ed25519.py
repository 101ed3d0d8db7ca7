"""Ed25519 (RFC 8032 section 5.1) for checking vectors, verified strictly. It takes milliseconds and its time depends on
the secret: never sign with it what an attacker can time."""
import hashlib

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ZERO = (0, 1, 1, 0)  # points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * D * p[3] * q[3], 2 * p[2] * q[2]
    e, f, g, h = b - a, (d - c) % P, (d + c) % P, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(*terms):
    """The sum of the points, each as often as its number says."""
    total = ZERO
    for bit in reversed(range(256)):
        total = _add(total, total)
        for number, point in terms:
            if number >> bit & 1:
                total = _add(total, point)
    return total


def _encode(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    """The point, or None when these bytes are not its one encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _is_small(point):
    for _ in range(3):
        point = _add(point, point)
    return (point[0] % P, (point[1] - point[2]) % P) == (0, 0)


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


BASE = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sign(secret, message):
    half = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(half[:32], "little") & (1 << 254) - 8 | 1 << 254
    nonce = _hash(half[32:], message)
    r, public_key = _encode(_times((nonce, BASE))), _encode(_times((scalar, BASE)))
    return r + ((nonce + _hash(r, public_key, message) * scalar) % L).to_bytes(32, "little")


def verifies(public_key, message, signature):
    """Strictly: one encoding of each point, S below the order, no point of small order."""
    if len(signature) != 64 or (s := int.from_bytes(signature[32:], "little")) >= L:
        return False
    a, r = _decode(public_key), _decode(signature[:32])
    if a is None or r is None or _is_small(a) or _is_small(r):
        return False
    minus_a = (P - a[0], a[1], 1, P - a[3])
    return _encode(_times((s, BASE), (_hash(signature[:32], public_key, message), minus_a))) == signature[:32]
