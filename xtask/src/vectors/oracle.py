"""Reads the bits of doubles in hex, one a line, and writes each as the package rfc8785 does.

A bare integer beyond 2^53 - 1 is "refused", as wire.md section 1 has it.
"""

import struct
import sys

import rfc8785

for line in sys.stdin:
    (double,) = struct.unpack(">d", bytes.fromhex(line.strip().rjust(16, "0")))
    text = rfc8785.dumps(double).decode()
    bare = text.lstrip("-").isdigit()
    print("refused" if bare and abs(int(text)) > 2**53 - 1 else text)
