/** Ports that are no SSH server, and servers that have nothing in common with bootlevel or let nobody in. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { makeKey } from "../../../support/sshHost.js";
import { hostile, reach, refusal, untilTheEnd } from "./harness.js";
import { limited, silent, speaking, type Port } from "./proxies.js";

describe.each([
  [
    "cipher",
    "Ciphers aes128-cbc,aes256-cbc",
    "aes128-cbc, aes256-cbc; bootlevel offers aes128-gcm@openssh.com",
    "Ciphers",
  ],
  ["MAC", "MACs hmac-md5\nCiphers aes128-ctr", "hmac-md5; bootlevel offers hmac-sha2-256-etm@openssh.com", "MACs"],
  [
    "key exchange",
    "KexAlgorithms diffie-hellman-group1-sha1",
    "diffie-hellman-group1-sha1, kex-strict-s-v00@openssh.com; bootlevel offers curve25519-sha256",
    "KexAlgorithms",
  ],
])("a server without a common %s", (kind, config, offers, setting) => {
  test("is named with what both sides offer and the setting to change, at once", async () => {
    const host = await hostile({ config });
    const message = await refusal(reach(host.settings()));
    expect(message).toContain(
      `${host.user}@${host.address}:${host.port} and bootlevel have no ${kind} in common: it offers ${offers}`,
    );
    expect(message).toContain(`Allow one of these in the machine's sshd_config (${setting})`);
  });
});

test("a server whose host keys are of another type than the known one says which it has", async () => {
  const host = await hostile();
  const other = join(host.directory, "other");
  await makeKey(other, { type: "ecdsa" });
  const known = join(host.directory, "known-ecdsa");
  writeFileSync(known, `[${host.address}]:${host.port} ${readFileSync(`${other}.pub`, "utf8")}`);
  expect(await refusal(reach(host.settings({ knownHosts: known })))).toMatch(
    /offers no host key of a known type \(ecdsa-sha2-nistp256\), but ssh-ed25519; nothing was sent to it\. .*known_hosts/,
  );
});

describe("a port that is no SSH server says what it is, at once", () => {
  test.each([
    ["HTTP", "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", false, ': "HTTP/1.1 400 Bad Request"'],
    ["TLS", Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46]), false, "."],
    ["SMTP", "220 mail.example ESMTP Postfix\r\n", true, ': "220 mail.example ESMTP Postfix"'],
    ["FTP", "220 (vsFTPd 3.0.3)\r\n", true, ': "220 (vsFTPd 3.0.3)"'],
  ])("%s", async (protocol, words, first, said) => {
    const host = await hostile();
    for (const close of [true, false]) {
      const port = untilTheEnd(await speaking(words, { first, close }));
      const message = await refusal(reach(host.through(port)));
      const expected = `guest@127.0.0.1:${port.port} is no SSH server: the port speaks ${protocol}${said}`;
      expect(message.slice(0, expected.length)).toBe(expected);
    }
  });

  test("something unknown is quoted when the time is over", async () => {
    const host = await hostile();
    const port = untilTheEnd(await speaking("Exceeded MaxStartups\r\n", { first: true, close: true }));
    expect(await refusal(reach(host.through(port, { connectTimeoutMs: 500 })))).toMatch(
      /could not be reached within 0.5 s .*the machine said "Exceeded MaxStartups" instead of an SSH version/,
    );
  });
});

test("a host that closes at once: what may be the cause is told", async () => {
  const host = await hostile();
  const port = untilTheEnd(await limited(host.address, host.port, 0));
  expect(await refusal(reach(host.through(port, { connectTimeoutMs: 500 })))).toMatch(
    /closed the connection before the handshake: .*MaxStartups.*fail2ban, \/etc\/hosts.deny/,
  );
});

describe("a jump host", () => {
  const through = async (gate: Pick<Port, "address" | "port">) => {
    const host = await hostile();
    return refusal(
      reach(
        host.settings({
          jump: { host: gate.address, port: gate.port, user: "gatekeeper" },
          hostKeys: "accept-new",
          connectTimeoutMs: 700,
        }),
      ),
    );
  };

  test.each(["hangs", "refuses", "closes at once"])("that %s is the one that is blamed", async (how) => {
    const gone = createServer();
    await new Promise<void>((resolve) => {
      gone.listen(0, "127.0.0.1", resolve);
    });
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const gate =
      how === "hangs"
        ? untilTheEnd(await silent())
        : how === "refuses"
          ? { address: "127.0.0.1", port }
          : untilTheEnd(await limited("127.0.0.1", 1, 0));
    const message = await through(gate);
    expect(message).toMatch(
      new RegExp(
        `^the jump host gatekeeper@127.0.0.1:${gate.port} could not be reached within 0.7 s \\(tried .*\\), ` +
          "so guest@.* cannot be reached; last error: ",
      ),
    );
  });

  test("that is up blames the machine that it cannot reach", async () => {
    const gate = await hostile();
    const settings = gate.settings({
      host: "127.0.0.1",
      port: 1,
      jump: { host: gate.address, port: gate.port, user: gate.user },
      connectTimeoutMs: 4_000,
    });
    expect(await refusal(reach(settings))).toMatch(
      /^guest@127.0.0.1:1 could not be reached within 4.0 s .*the jump host cannot reach 127.0.0.1:1: /,
    );
  });
});
