/** A machine that lies while its files are fetched: what it sends has bounds, in memory, in time and on the disk. */
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { ServerChannel } from "ssh2";

import { gather, type Gathered } from "../../../src/engine/reports/gather.js";
import type { MachineConnection } from "../../../src/machines/contract/connection.js";
import { connectSsh } from "../../../src/machines/ssh/sshConnection.js";
import { ArchiveWriter } from "../../../src/state/files/archiveWriter.js";
import { listMembers } from "../../../src/state/files/archiveReader.js";
import { locateHome } from "../../../src/state/files/home.js";
import { localFiles } from "../../../src/state/files/localFiles.js";
import { exit, send, startLyingHost, type LyingHost } from "../../support/lyingHost.js";
import { LONGEST_PAUSE_MS, MOST_MEMORY, underPressure, type Pressure } from "../../support/pressure.js";
import { strangeHost } from "../../support/strangeHost.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const MIB = 1_048_576;
let host: LyingHost;
let connection: MachineConnection;
let archive: ArchiveWriter;

beforeEach(async () => {
  host = await startLyingHost(() => undefined);
  const { address, port } = host;
  connection = await connectSsh(await strangeHost({ host: address, port, connectTimeoutMs: 10_000 }), {
    signal: new AbortController().signal,
    onWarning: () => undefined,
  });
});
afterEach(async () => {
  await connection.close();
  await host.stop();
});

type Attack = (channel: ServerChannel, nonce: string) => Promise<unknown>;

/** Collects a report of at most 64 MiB from a machine that does this. */
async function collect(attack: Attack, bytes = 64 * MIB): Promise<{ readonly value: Gathered } & Pressure> {
  host.answer = async (channel, _script, nonce) => {
    await attack(channel, nonce);
    // Like the real script, it waits for its dismissal then.
    channel.stderr.write(`\nbl-done ${nonce} -\n`);
  };
  const home = locateHome(temporaryDirectory(), {});
  archive = new ArchiveWriter(join(temporaryDirectory(), "a.tar.gz"), bytes);
  const about = { run: "r", uid: "u", plan: "p", service: "a", level: "l", machine: null, collectedAt: 1 };
  const found = await underPressure(() =>
    gather({
      archive,
      about,
      logs: localFiles(home).logs,
      fetches: [{ connection, request: { report: null, patterns: ["*"], base: [], sudo: false } }],
      limits: { bytes, fileBytes: bytes },
      redact: (text) => text,
      signal: AbortSignal.timeout(120_000),
    }),
  );
  expect(found.growth).toBeLessThan(MOST_MEMORY);
  expect(found.longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
  // What came until then can be read.
  await listMembers(archive.path);
  return found;
}

const mark = (nonce: string, word = "relative") => `\nbl-${nonce} ${word}\n`;

function* repeat(piece: Buffer | string, times: number): Generator<Buffer | string> {
  for (let count = 0; count < times; count += 1) yield piece;
}

/** A header of a tar archive, with padding for content that is given. */
function member(fields: {
  readonly name?: string;
  readonly size?: number;
  readonly type?: string;
  readonly linkname?: string;
  readonly content?: Buffer;
}): Buffer {
  const { name = "f", type = "0", linkname = "", content = Buffer.alloc(0), size = content.length } = fields;
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100), 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  if (size < 8 ** 11) header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(linkname.slice(0, 100), 157);
  header.write("ustar\0" + "00", 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const pax = (records: string, type = "x") => member({ name: "x", type, content: Buffer.from(records) });
const record = (key: string, value: string) => {
  const text = ` ${key}=${value}\n`;
  let length = text.length + 1;
  while (`${length}${text}`.length !== length) length = `${length}${text}`.length;
  return `${length}${text}`;
};

test("what is no tar archive ends at the limit", async () => {
  const noise = Buffer.alloc(MIB, "noise ");
  const { value } = await collect(async (channel, nonce) => {
    await send(channel, [mark(nonce)]);
    await send(channel, repeat(noise, 2_000));
  });
  expect(value.problem?.message).toMatch(/^the machine sent more than 192 MiB/);
}, 120_000);

test("archives that are damaged are named, and the others come", async () => {
  const { value } = await collect(async (channel, nonce) => {
    for (const content of [
      Buffer.from("no tar at all, ".repeat(100)),
      member({ name: "good", content: Buffer.from("1") }),
    ])
      await send(channel, [mark(nonce), content, Buffer.alloc(1024)]);
    await send(channel, [mark(nonce), member({ name: "half", size: 5_000 }), "only this", mark(nonce, "end")]);
  });
  expect(value.problem?.message).toBe("the machine sent a damaged tar archive: it is no tar archive; it breaks off");
  expect((await listMembers(archive.path)).map(({ file }) => file)).toEqual(["about.json", "files/good", "files/half"]);
});

test("lines, words and segments without an end are not held", async () => {
  const line = await collect(async (channel, nonce) => {
    await send(channel, [`\nbl-${nonce} `]);
    await send(channel, repeat(Buffer.alloc(MIB, "x"), 400));
  });
  expect(line.value.problem).not.toBeNull();
  const segments = await collect(async (channel, nonce) => {
    await send(channel, repeat(mark(nonce).repeat(1_000), 400));
  });
  expect(segments.value.problem?.message).toMatch(/the patterns match more than 100000 files/);
}, 120_000);

test("headers have a size and a number: long names, pax records for one member and for all", async () => {
  const name = "n".repeat(60_000);
  const attacks: Buffer[][] = [
    [member({ name: "x", type: "L", size: 500 * MIB })],
    Array.from({ length: 20 }, () => member({ name: "x", type: "L", content: Buffer.from(name) })),
    [
      pax(
        Array.from({ length: 5_000 }, (_, at) => record(`k${at}`, "v"))
          .join("")
          .slice(0, -3),
      ),
    ],
    [pax("99999 path=x\n"), member({})],
    [pax("-5 =\n"), member({})],
    [pax("9007199254740993 a=b\n"), member({})],
    [pax(record("size", "99999999999999999999")), member({})],
  ];
  for (const pieces of attacks) {
    const { value } = await collect(async (channel, nonce) => {
      await send(channel, [mark(nonce), ...pieces, member({}), Buffer.alloc(1024)]);
      await send(channel, [mark(nonce), member({ name: "after", content: Buffer.from("1") }), Buffer.alloc(1024)]);
      await send(channel, [mark(nonce, "end")]);
    });
    expect(value.problem?.message).toMatch(/damaged tar archive/);
    expect((await listMembers(archive.path)).map(({ file }) => file)).toContain("files/after");
  }
  const all = pax(record("comment", "c".repeat(60_000)), "g");
  const many = Buffer.concat(Array.from({ length: 128 }, () => member({ name: "same" })));
  const { value } = await collect(async (channel, nonce) => {
    await send(channel, [mark(nonce), all]);
    await send(channel, repeat(many, 1_000));
    await send(channel, [Buffer.alloc(1024), mark(nonce, "end")]);
  });
  expect(value).toMatchObject({ problem: null });
}, 120_000);

test("so do members, their names, and links, and a chain of links is followed in no time", async () => {
  const numbered = (type: string, linkname: (at: number) => string) =>
    (function* (): Generator<Buffer> {
      for (let from = 0; from < 150_000; from += 500)
        yield Buffer.concat(
          Array.from({ length: 500 }, (_, at) =>
            member({ name: `m${from + at}`, type, linkname: linkname(from + at) }),
          ),
        );
    })();
  for (const [type, linkname] of [
    ["0", () => ""],
    ["5", () => ""],
    ["2", (at: number) => `m${at + 1}`],
  ] as const) {
    const { value } = await collect(async (channel, nonce) => {
      await send(channel, [mark(nonce)]);
      await send(channel, numbered(type, linkname));
    }, 128 * MIB);
    expect(value.problem?.message).toMatch(/it was cut off before files\/m\d+: a report holds at most 100000 files/);
    expect(value.leftOut.length).toBeLessThanOrEqual(1_001);
  }
}, 300_000);

test("sizes are believed only as far as content comes; maps of sparse files have to fit", async () => {
  const sparse = (records: string, content: string, size?: number) => [
    pax(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "s") + records),
    member({ name: "s", content: Buffer.from(content.padEnd(512, "\0")), ...(size === undefined ? {} : { size }) }),
  ];
  const real = record("GNU.sparse.realsize", "1000000");
  for (const pieces of [
    sparse(real, "1\n0\n99999999999999999999\n"),
    sparse(real, "99999999999999\n"),
    sparse(real, "2\n100\n0\n0\n0\n"),
    sparse(real, "no map"),
    sparse(record("GNU.sparse.realsize", "5"), "1\n10\n0\n"),
    [member({ name: "huge", size: 2 ** 52 })],
  ]) {
    const { value } = await collect(async (channel, nonce) => {
      await send(channel, [mark(nonce), ...pieces, Buffer.alloc(1024), mark(nonce, "end")]);
    });
    expect(value.problem !== null || value.cut.length === 1).toBe(true);
  }
});

test("notes and messages are bounded, and none of them is parsed twice", async () => {
  const { value } = await collect(async (channel, nonce) => {
    const note = `bl-${nonce} none relative x`;
    await send(channel, repeat(`${note}\n`.repeat(5_000), 200), channel.stderr);
    await send(channel, repeat("x\n".repeat(100_000), 100), channel.stderr);
    await send(channel, [mark(nonce, "end")]);
  });
  expect(value.leftOut.length).toBeLessThanOrEqual(1_001);
}, 60_000);

test("a report of 400 MB takes no more memory than a small one", async () => {
  const block = Buffer.alloc(MIB, "0123456789abcdef");
  const { value } = await collect(async (channel, nonce) => {
    await send(channel, [mark(nonce), member({ name: "big", size: 400 * MIB })]);
    await send(channel, repeat(block, 400));
    await send(channel, [Buffer.alloc(1024), mark(nonce, "end")]);
  }, 1024 * MIB);
  expect(value).toMatchObject({ problem: null, cut: [] });
  expect(value.bytes).toBe(400 * MIB);
}, 120_000);

test("what a machine sends beyond the window of its channel is not kept, and the report is not whole", async () => {
  const { value } = await collect(async (channel, nonce) => {
    const { outgoing } = channel as unknown as { outgoing: { window: number } };
    outgoing.window = Number.MAX_SAFE_INTEGER;
    await send(channel, [mark(nonce), member({ name: "big", size: 900 * MIB })]);
    await send(channel, repeat(Buffer.alloc(MIB, "x"), 900));
    // What was dropped never comes.
    exit(channel, 0);
  }, 1024 * MIB);
  expect(value.problem).not.toBeNull();
}, 120_000);
