/** A secret is found in every spelling in which programs print it, wherever the output is cut. */
import { execFileSync } from "node:child_process";

import { describe, expect, test } from "@jest/globals";

import { REDACTED, RedactingStream, Redactor } from "../../src/secrets/redactor.js";
import { random, randomBytes } from "../support/seed.js";

const SECRET = `Tr0ub4dor&3 <it's> "q"/\\n €é😀 100%41+end`;

const units = (text: string, write: (unit: number) => string, keep = /[A-Za-z0-9]/) =>
  Array.from({ length: text.length }, (_, at) =>
    keep.test(text[at] as string) ? text[at] : write(text.charCodeAt(at)),
  ).join("");
const bytes = (text: string, write: (byte: number) => string, keep = /[A-Za-z0-9]/) =>
  [...Buffer.from(text)]
    .map((byte) => (keep.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : write(byte)))
    .join("");
const hex = (number: number, length: number) => number.toString(16).padStart(length, "0");
const json = (text: string) => JSON.stringify(text).slice(1, -1);
const percent = (text: string) => bytes(text, (byte) => `%${hex(byte, 2).toUpperCase()}`, /[A-Za-z0-9._~-]/);
const entities = (text: string, write: (point: number) => string) =>
  [...text].map((one) => (/[A-Za-z0-9]/.test(one) ? one : write(one.codePointAt(0) as number))).join("");

const SPELLINGS: Record<string, (secret: string) => string> = {
  "as it is": (s) => s,
  "JSON of JavaScript": json,
  "JSON of Go": (s) => json(s).replace(/[&<>\u2028\u2029]/g, (one) => `\\u${hex(one.charCodeAt(0), 4)}`),
  "JSON of PHP": (s) => units(json(s), (unit) => `\\u${hex(unit, 4)}`, /[\x20-\x7e]/).replaceAll("/", "\\/"),
  "JSON of Python, ASCII only": (s) => units(json(s), (unit) => `\\u${hex(unit, 4)}`, /[\x20-\x7e]/),
  "JSON of .NET": (s) => units(s, (unit) => `\\u${hex(unit, 4).toUpperCase()}`, /[A-Za-z0-9 ]/),
  "JSON of Gson": (s) => json(s).replace(/[&<>='+]/g, (one) => `\\u${hex(one.charCodeAt(0), 4)}`),
  "each unit escaped": (s) => units(s, (unit) => `\\u${hex(unit, 4)}`, /(?!)/),
  "JSON in JSON": (s) => json(JSON.stringify({ s })),
  "JSON in JSON in JSON": (s) => json(JSON.stringify(JSON.stringify({ s }))),
  "braces of JavaScript": (s) => entities(s, (point) => `\\u{${point.toString(16)}}`),
  "YAML, double quotes": (s) => bytes(s, (byte) => `\\x${hex(byte, 2)}`, /[A-Za-z0-9 ]/),
  "YAML, single quotes": (s) => s.replaceAll("'", "''"),
  TOML: (s) => entities(s, (point) => `\\U${hex(point, 8).toUpperCase()}`),
  CSV: (s) => s.replaceAll('"', '""'),
  "C, octal": (s) => bytes(s, (byte) => `\\${byte.toString(8).padStart(3, "0")}`),
  URL: encodeURIComponent,
  "URL, every sign": percent,
  "URL, lower case": (s) => percent(s).replace(/%../g, (one) => one.toLowerCase()),
  "URL, some signs": (s) => s.replace(/[ %&€é😀"]/gu, (one) => encodeURIComponent(one)),
  "URL, twice": (s) => encodeURIComponent(encodeURIComponent(s)),
  "URL, three times": (s) => encodeURIComponent(encodeURIComponent(encodeURIComponent(s))),
  form: (s) => new URLSearchParams({ s }).toString().slice(2),
  HTML: (s) =>
    s.replace(
      /[&<>"']/g,
      (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[one] ?? "",
    ),
  "HTML, decimal": (s) => entities(s, (point) => `&#${point};`),
  "HTML, hexadecimal": (s) => entities(s, (point) => `&#x${point.toString(16)};`),
  "HTML, named": (s) =>
    encodeURI("x") &&
    s.replace(
      /[&<>"'/%+€é]/g,
      (one) =>
        `&${{ "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "%": "percnt", "+": "plus", "€": "euro", é: "eacute" }[one] ?? ""};`,
    ),
  "shell, single quotes": (s) => `'${s.replaceAll("'", "'\\''")}'`,
  "shell, changing quotes": (s) => `'${s.replaceAll("'", `'"'"'`)}'`,
  "shell, double quotes": (s) => `"${s.replace(/["\\$`]/g, "\\$&")}"`,
  "shell, backslashes": (s) => s.replace(/[^A-Za-z0-9]/gu, "\\$&"),
  "shell, %q": (s) =>
    execFileSync("bash", ["--norc", "-c", 'printf %q "$1"', "bash", s], {
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
      env: { LC_ALL: "C" },
    }),
  "shell, ${v@Q}": (s) =>
    execFileSync("bash", ["--norc", "-c", 'echo "${1@Q}"', "bash", s], {
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    }),
  base64: (s) => Buffer.from(s).toString("base64"),
  "base64, URL-safe": (s) => Buffer.from(s).toString("base64url"),
  "base64 after one byte": (s) => Buffer.from(`u${s}`).toString("base64"),
  "base64 after two bytes": (s) => Buffer.from(`u:${s}`).toString("base64"),
  "base64 in lines": (s) => Buffer.from(s).toString("base64").replace(/.{20}/g, "$&\r\n"),
  "base64 in lines in JSON": (s) => json(Buffer.from(s).toString("base64").replace(/.{20}/g, "$&\n")),
  "base64 in a URL": (s) => encodeURIComponent(Buffer.from(s).toString("base64")),
  "base64 in JSON of .NET": (s) => Buffer.from(s).toString("base64").replaceAll("+", "\\u002B"),
  hexadecimal: (s) => Buffer.from(s).toString("hex"),
  "hexadecimal, upper case": (s) => Buffer.from(s).toString("hex").toUpperCase(),
  "hexadecimal, spaced": (s) => bytes(s, (byte) => `${hex(byte, 2)} `, /(?!)/),
  "wrapped by a terminal": (s) => s.replace(/.{13}/gu, "$&\n"),
  "UTF-16": (s) => [...s].map((one) => `${one}\0`).join(""),
};

/** What is left of each secret's spelling: quotes and a few characters at its ends. */
const left = (shown: string) => shown.replaceAll(REDACTED, "").replace(/['"$\\\n]/g, "");

describe.each([
  ["signs of every kind", SECRET],
  ["a short password", "pa$$w&rd's"],
  ["letters only", "correcthorsebatterystaple"],
  ["words", "correct horse battery staple, 2 & 4"],
  ["escapes of its own", "a%41\\x42&amp;c\\u0043-%2541 \\\\n"],
  ["backslashes at its ends", "\\domain\\n4me&secret\\"],
])("a secret of %s", (_what, secret) => {
  test.each(Object.keys(SPELLINGS))("is found as %s", (name) => {
    const spelling = (SPELLINGS[name] as (secret: string) => string)(secret);
    if ((secret.length < 16 || secret.startsWith("a%")) && /wrapped|in lines|spaced|UTF-16|changing/.test(name)) return; // only long ones
    for (const [before, after] of [
      ["", ""],
      ["token=", " ok"],
      ['{"a":"x","b":"', '"}\n'],
    ] as const) {
      const shown = new Redactor([secret]).redact(`${before}${spelling}${after}`);
      expect(shown).toContain(REDACTED);
      const rest = left(shown.replace(before, "").replace(after, ""));
      expect({ name, rest: rest.length > 6 ? `${shown} of ${spelling}` : "" }).toEqual({ name, rest: "" });
    }
  });
});

test("is found wherever its spelling is cut, and the same is shown as for the whole", () => {
  const redactor = new Redactor([SECRET, "another secret, of words"]);
  for (const [name, spell] of Object.entries(SPELLINGS)) {
    const text = `50% of {"a":"C:\\\\new"} ${spell(SECRET)} and ${spell("another secret, of words")}; &c. \\`;
    const whole = redactor.redact(text);
    for (let time = 0; time < 12; time += 1) {
      const stream = new RedactingStream(redactor);
      let shown = "";
      for (let at = 0; at < text.length;) {
        const end = at + 1 + Math.floor(random() * (time < 2 ? 1 : 40));
        shown += stream.push(text.slice(at, end));
        at = end;
      }
      expect({ name, shown: shown + stream.end() }).toEqual({ name, shown: whole });
    }
  }
});

describe("innocent text", () => {
  const redactor = new Redactor(["hunter2hunter2", "Tr0ub4dor&3-and-more", "80", "s3cret/with+signs=="]);

  test.each([
    ["a log line", "2026-11-30 20:00:00 GET /index.html?a=%20b&amp;c=\\u0041 200 in 12 ms\n"],
    ["a listing", "drwxr-xr-x 2 root root 4096 Nov 30 20:07 lib\n".repeat(50)],
    ["JSON", JSON.stringify({ text: 'a "quoted" <thing> & more', path: "C:\\new\\table" })],
    ["a shell trace", "+ echo 'it'\\''s' $'\\t' \"${x}\"\n"],
    [
      "signs",
      `${"-".repeat(200)}\n${" ".repeat(500)}${"=".repeat(100)}${"%".repeat(100)}${"&".repeat(99)}${"\\".repeat(99)}\n`,
    ],
  ])("stays as it is: %s", (_what, text) => {
    expect(redactor.redact(text)).toBe(text);
  });

  test("is shown at once at the end of each line", () => {
    const stream = new RedactingStream(new Redactor(["hunter2hunter2"]));
    for (const line of ["listening on port 80\n", "100%\n", "a & b\n", "C:\\dir\n", "done: ok.\n"])
      expect(stream.push(line)).toBe(line);
  });

  test("is held back no longer than a secret with everything that may stand in it", () => {
    for (const endless of ["hunter2 hunt ", "%25", "%2525", "\\", "&", "-", " ", "h", "\\u00"]) {
      const stream = new RedactingStream(new Redactor(["hunter2hunter2hunter2", "h".repeat(100)]));
      let [given, shown] = [0, 0];
      for (let time = 0; time < 400; time += 1) {
        given += endless.length * 50;
        shown += stream.push(endless.repeat(50)).length;
        if (endless !== "h") expect({ endless, held: given - shown > 20_000 }).toEqual({ endless, held: false });
      }
      expect(shown).toBeGreaterThan(0);
    }
  });
});

describe("a long secret", () => {
  const long = randomBytes(30_000).toString("base64");

  test("is found whole, in parts, and in other spellings, in a stream", () => {
    const redactor = new Redactor([long]);
    for (const text of [
      long,
      long.replace(/.{64}/g, "$&\n"),
      encodeURIComponent(long),
      Buffer.from(long).toString("base64"),
      Buffer.from(`x${long}`).toString("hex"),
      json(long.replace(/.{64}/g, "$&\n")),
    ]) {
      for (const size of [text.length, 4096, 61]) {
        const stream = new RedactingStream(redactor);
        let shown = stream.push("begin ");
        for (let at = 0; at < text.length; at += size) shown += stream.push(text.slice(at, at + size));
        shown += stream.push(" end\n") + stream.end();
        expect(shown.replace("begin ", "").replace(" end\n", "").length).toBeLessThan(16);
      }
    }
    expect(redactor.redact(`head: ${long.slice(0, 500)}…`).length).toBeLessThan(100);
    expect(redactor.redact(`middle: ${long.slice(777, 1777)}…`).length).toBeLessThan(200);
  });

  test("does not make lines of blanks and dashes secret", () => {
    const text = `${randomBytes(90).toString("hex")}\n${" ".repeat(300)}${"=".repeat(200)}\n${randomBytes(90).toString("hex")}`;
    const line = `title\n${"=".repeat(200)}\n`;
    expect(new Redactor([text]).redact(line)).toBe(line);
    expect(new Redactor([text]).redact(`<${text}>`)).not.toMatch(/[0-9a-f]{8}/);
  });
});

describe("what is inside a secret", () => {
  const account = JSON.stringify({
    type: "service_account",
    private_key: `-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString("base64")}\n-----END PRIVATE KEY-----\n`,
    nested: [{ client_secret: "GOCSPX-abcdef123456" }],
    inner: JSON.stringify({ password: "inside&inside" }),
  });

  test.each([
    ["a field of JSON", account, "GOCSPX-abcdef123456"],
    ["a key in a field of JSON", account, (JSON.parse(account) as { private_key: string }).private_key],
    ["a field of JSON in JSON", account, "inside&inside"],
    ["a setting of a dotenv file", "A=1\nexport DB_PASSWORD='hunter2&hunter2'\nB=2\n", "hunter2&hunter2"],
    ["a value of YAML", "db:\n  user: app\n  pass: s3cr3t-value\n", "s3cr3t-value"],
    ["the password of a URL", "postgres://app:p%40ss-w0rd@db.example:5432/shop?sslmode=require", "p@ss-w0rd"],
    ["the password of a URL, as written", "postgres://app:p%40ss-w0rd@db.example:5432/shop", "p%40ss-w0rd"],
    ["the password of a connection string", "Server=db;User Id=app;Password=hunter22;Encrypt=yes", "hunter22"],
    [
      "the key of a storage account",
      `AccountName=x;AccountKey=${"Ab1+".repeat(8)}==;Suffix=y`,
      `${"Ab1+".repeat(8)}==`,
    ],
    ["a password of libpq", "host=db user=app password='hunter22' dbname=shop", "hunter22"],
  ])("is a secret too: %s", (_what, secret, inside) => {
    const redactor = new Redactor([secret]);
    for (const text of [`got ${inside}!`, `got ${json(inside)}!`, `got ${encodeURIComponent(inside)}!`])
      expect(redactor.redact(text).replaceAll(/\s|\\n|%0A/g, "")).toBe(`got${REDACTED}!`);
  });

  test("but for short values and names", () => {
    const redactor = new Redactor([account, "Server=db;User Id=app;Password=hunter22;Encrypt=yes"]);
    const text = "type private_key client_secret app db Server yes true";
    expect(redactor.redact(text)).toBe(text);
  });
});
