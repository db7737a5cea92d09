/** Output that is held until its secrets are known: its beginning and its end stay, and never half a secret. */
import { expect, test } from "@jest/globals";

import { HeldOutput } from "../../../src/engine/programs/heldOutput.js";
import { Redactor } from "../../../src/secrets/redactor.js";

const MIB = 1_048_576;
const secret = "TOPsecretVALUE0123456789";

test("output that fits comes whole, without secrets, wherever its pieces begin and end", () => {
  const held = new HeldOutput();
  for (const piece of ["say TOPsec", "retVALUE01", "23456789 twice\n"]) held.push(piece);
  expect(held.length).toBe("say  twice\n".length + secret.length);
  expect(held.release(new Redactor([secret]))).toEqual({ head: "say [secret] twice\n", dropped: 0, tail: "" });
  expect(held.length).toBe(0);
});

test("of too much output the middle is dropped; a secret at a cut does not show in halves", () => {
  // The beginning ends in the middle of a secret, at each of its characters.
  for (const shift of [0, 1, 5, secret.length - 1]) {
    const held = new HeldOutput();
    held.push("begun\n");
    for (let at = 0; at < 12 * MIB; at += secret.length * 1000) held.push(secret.repeat(1000));
    held.push("x".repeat(shift));
    held.push("\nthe end\n");
    const { head, dropped, tail } = held.release(new Redactor([secret]));
    expect(head.startsWith("begun\n[secret]")).toBe(true);
    expect(tail.endsWith("\nthe end\n")).toBe(true);
    expect(dropped).toBeGreaterThan(4 * MIB);
    const shown = (head + tail)
      .replaceAll("[secret]", "")
      .replace(/^begun\n/, "")
      .replace(/x*\nthe end\n$/, "");
    expect(shown).toBe("");
  }
});
