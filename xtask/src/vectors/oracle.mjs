// Reads the bits of doubles in hex, one a line, and writes each as JSON.stringify does.
// A bare integer beyond 2^53 - 1 is "refused", as wire.md section 1 has it.
import { readFileSync, writeSync } from "node:fs";

const view = new DataView(new ArrayBuffer(8));
const spell = (bits) => {
  view.setBigUint64(0, BigInt("0x" + bits));
  const text = JSON.stringify(view.getFloat64(0));
  return /^-?[0-9]+$/.test(text) && !Number.isSafeInteger(Number(text)) ? "refused" : text;
};
const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
let out = Buffer.from(lines.map((bits) => spell(bits) + "\n").join(""));
while (out.length > 0) out = out.subarray(writeSync(1, out));
