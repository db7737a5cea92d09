import { describe, expect, test } from "@jest/globals";

import { REDACTED, RedactingStream, Redactor } from "../../src/secrets/redactor.js";

const secret = "s3cr€t 'p\"ss$(word)";

describe("a redactor", () => {
  const redactor = new Redactor([secret]);

  test.each([
    ["as it is", `a ${secret} b`],
    ["in base64", `a ${Buffer.from(secret).toString("base64")} b`],
    ["in URL form", `a ${encodeURIComponent(secret)} b`],
    ["in JSON", JSON.stringify({ key: secret })],
    ["in single quotes of a shell", `a '${secret.replaceAll("'", "'\\''")}' b`],
    ["in hex", Buffer.from(secret).toString("hex")],
  ])("takes a secret out %s", (_form, text) => {
    expect(redactor.redact(text)).toContain(REDACTED);
    expect(redactor.redact(text)).not.toContain("word");
  });

  test("takes a secret out of base64 at each offset, with neighbours of any kind", () => {
    for (const before of ["", "a", "ab", "abc", "user:"]) {
      for (const after of ["", "x", "xy", "xyz"]) {
        const encoded = Buffer.from(before + secret + after).toString("base64");
        const shown = redactor.redact(encoded).replaceAll(REDACTED, "");
        // What is left are the neighbours and the few characters that the secret shares with them.
        expect(shown.length).toBeLessThanOrEqual(Buffer.from(before + after).toString("base64").length + 4);
      }
    }
  });

  test("leaves innocent text alone", () => {
    expect(redactor.redact("nothing to see: word, p, ss")).toBe("nothing to see: word, p, ss");
  });

  test("takes out the long lines of a secret text, one by one", () => {
    const key = new Redactor(["-----BEGIN KEY-----\nabcdefghijkl\nx\n-----END KEY-----\n"]);
    expect(key.redact("  abcdefghijkl\n  x\n")).toBe(`  ${REDACTED}\n  x\n`);
  });

  test("reaches every string of a document", () => {
    expect(redactor.redactData({ a: [secret, 1, null], b: { c: secret } })).toEqual({
      a: [REDACTED, 1, null],
      b: { c: REDACTED },
    });
  });

  test("passes everything through when there is no secret, or an empty one", () => {
    expect(new Redactor([""]).redact("anything")).toBe("anything");
  });
});

describe("a redactor and line breaks", () => {
  const long = "a long secret of sixty characters, which base64 breaks into lines, no doubt";

  test("takes a secret out of base64 that is broken into lines, at once and in a stream", () => {
    const encoded = Buffer.from(`user:${long}:x`).toString("base64").replace(/.{76}/g, "$&\n");
    expect(encoded).toContain("\n");
    expect(new Redactor([long]).redact(encoded).length).toBeLessThan(30);
    const stream = new RedactingStream(new Redactor([long]));
    expect(([...encoded].map((character) => stream.push(character)).join("") + stream.end()).length).toBeLessThan(30);
  });

  test("takes a text of many lines out, with other line ends too", () => {
    const text = `begin ${long}\nline two\nend`;
    expect(new Redactor([text]).redact(`<${text.replaceAll("\n", "\r\n")}>`)).toBe(`<${REDACTED}>`);
  });
});

describe("a redacting stream", () => {
  test("finds a secret wherever the stream is cut", () => {
    const text = `x${secret}y${secret}`;
    for (let cut = 0; cut <= text.length; cut += 1) {
      const stream = new RedactingStream(new Redactor([secret]));
      expect(stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.end()).toBe(
        `x${REDACTED}y${REDACTED}`,
      );
    }
  });

  test("finds it character by character, beside a secret that begins with it", () => {
    const stream = new RedactingStream(new Redactor(["abc", "abcdef", "cdx"]));
    const shown = [..."abcdef abcd abc cdx c"].map((character) => stream.push(character)).join("") + stream.end();
    expect(shown).toBe(`${REDACTED} ${REDACTED}d ${REDACTED} ${REDACTED} c`);
  });

  test("shows what cannot be the beginning of a secret at once", () => {
    const stream = new RedactingStream(new Redactor(["password"]));
    expect(stream.push("hello pass")).toBe("hello ");
    expect(stream.push("port\n")).toBe("passport\n");
  });

  test("takes a megabyte of secret in its stride", () => {
    const long = "ab".repeat(500_000);
    const stream = new RedactingStream(new Redactor([`${long}c`]));
    let shown = "";
    for (let at = 0; at < long.length; at += 65_536) shown += stream.push(long.slice(at, at + 65_536));
    expect(shown + stream.push("c!") + stream.end()).toBe(`${REDACTED}!`);
  });
});
