/** User data as Python's readers of YAML and MIME see it: cloud-init reads it with them. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import { expect, test } from "@jest/globals";
import { utils } from "ssh2";

import { userData } from "../../../src/drivers/ec2/userData.js";
import { makeKeyPair } from "../../../src/machines/ssh/keyPair.js";
import { eventually } from "../../support/eventually.js";

const KEYS = { authorizedKeys: ["ssh-ed25519 AAAAlauncher launcher"], hostKey: true };
const HOST = {
  privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
  publicKey: "ssh-ed25519 AAAApublic",
};
const OURS = {
  ssh_authorized_keys: KEYS.authorizedKeys,
  ssh_deletekeys: true,
  ssh_keys: { ed25519_private: HOST.privateKey, ed25519_public: HOST.publicKey },
};

/** What a program of Python prints as JSON about what it is given. */
function python<T>(program: string, input: Buffer | string): T {
  return JSON.parse(execFileSync("python3", ["-c", program], { input }).toString()) as T;
}

const yaml = (input: Buffer | string): Record<string, unknown> =>
  python(
    "import sys,json,yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer.read().decode()), default=str))",
    input,
  );

interface Part {
  type: string;
  merge: string | null;
  text: string;
}

/** The parts that cloud-init would walk over, decoded as it does. */
const parts = (input: Buffer): Part[] =>
  python(
    `
import sys, json, email
message = email.message_from_string(sys.stdin.buffer.read().decode())
assert not message.defects, message.defects
leaves = [p for p in message.walk() if p.get_content_maintype() != "multipart"]
print(json.dumps([{"type": p.get_content_type(), "merge": p.get("X-Merge-Type"), "text": p.get_payload(decode=True).decode()} for p in leaves]))`,
    input,
  );
import { freePort } from "../../support/freePort.js";

const text = (bytes: Buffer | null): string => bytes?.toString() ?? "";

test("without keys to hand over, the plan's text goes to the machine as it is", () => {
  expect(userData(null, null, null, null)).toBeNull();
  expect(userData(null, { authorizedKeys: [], hostKey: false }, null, null)).toBeNull();
  expect(userData(null, KEYS, "ops", null)).toBeNull();
  expect(text(userData("<powershell>é", null, null, null))).toBe("<powershell>é");
  expect(text(userData("#!/bin/sh\n", KEYS, "ops", null))).toBe("#!/bin/sh\n");
});

test("without a text of the plan's, the keys are a cloud-config", () => {
  const made = text(userData(null, KEYS, null, HOST));
  expect(made).toMatch(/^#cloud-config\n/);
  expect(yaml(made)).toEqual(OURS);
  expect(yaml(text(userData("\n", KEYS, "ops", HOST)))).toEqual({ ...OURS, ssh_authorized_keys: undefined });
  expect(yaml(text(userData(null, KEYS, null, null)))).toEqual({ ssh_authorized_keys: KEYS.authorizedKeys });
});

test.each([
  ["", {}],
  ["# only words\n", {}],
  [
    "ssh_authorized_keys:\n  - ssh-rsa AAAAmine # mine\n",
    { ssh_authorized_keys: ["ssh-rsa AAAAmine", ...KEYS.authorizedKeys] },
  ],
  ["ssh_authorized_keys: [ssh-rsa AAAAmine]\n", { ssh_authorized_keys: ["ssh-rsa AAAAmine", ...KEYS.authorizedKeys] }],
  ["ssh_authorized_keys:\n", {}],
  ["ssh_deletekeys: false\n", { ssh_deletekeys: false }],
  [
    "users:\n  - default\n  - { name: ops, ssh_authorized_keys: [ssh-rsa AAAAops], lock_passwd: yes }\n",
    { users: ["default", { name: "ops", ssh_authorized_keys: ["ssh-rsa AAAAops"], lock_passwd: true }] },
  ],
])("a cloud-config with %j keeps its own and has the keys beside it", (own, kept) => {
  const made = text(userData(`#cloud-config\n${own}`, KEYS, null, HOST));
  expect(made.split("\n")[0]).toBe("#cloud-config");
  expect(yaml(made)).toEqual({ ...OURS, ...kept });
});

test("what YAML 1.1 means, comments, blocks, anchors and long lines of a cloud-config stay", () => {
  const own = `#cloud-config
# about this machine
package_update: on
empty:
tilde: ~
sexagesimal: 12:30:45
octal: 0644
version: 1.10
quoted: "0644"
ends: 'a:'
anchored: &a { x: [1, 2,3] }
again: *a
${"long"}: ${"word ".repeat(60)}end
write_files:
- path: /etc/x   # two spaces
  permissions: 0600
  content: |
    on: é
      indented # no comment

    last
- path: /etc/y
  content: >-
    folded
    text
  encoding: !!binary aGVsbG8=
runcmd:
  - [sh, -c, 'echo "a: b"']
`;
  const made = text(userData(own, KEYS, null, HOST));
  expect(yaml(made)).toEqual({ ...yaml(own), ...OURS });
  for (const words of ["# about this machine", "# two spaces", "package_update: on", "permissions: 0600"])
    expect(made).toContain(words);
});

test.each([
  "#cloud-config\nkeys: &keys [ssh-rsa AAAAmine]\nssh_authorized_keys: *keys\nusers: [{ name: ops, ssh_authorized_keys: *keys }]\n",
  "#cloud-config\nbase: &base { ssh_authorized_keys: [ssh-rsa AAAAmine] }\n<<: *base\n",
  "#cloud-config\nssh_authorized_keys: &keys [ssh-rsa AAAAmine]\nusers: [{ name: ops, ssh_authorized_keys: *keys }]\n",
])("a list that is used elsewhere too is left alone: %j", (own) => {
  expect(parts(userData(own, KEYS, null, HOST) as Buffer)).toMatchObject([
    { type: "text/cloud-config", text: own },
    { type: "text/cloud-config", merge: expect.stringContaining("list(append)") },
  ]);
});

test.each([
  ["#!/bin/sh\necho hello\n", "text/x-shellscript"],
  ["#!/bin/sh\necho é\r\n", "text/x-shellscript"],
  ["#include\nhttps://example.com/a\n", "text/x-include-url"],
  ["#include-once\nhttps://example.com/a\n", "text/x-include-once-url"],
  ["#cloud-boothook\n#!/bin/sh\n", "text/cloud-boothook"],
  ["#part-handler\ndef list_types(): return []", "text/part-handler"],
  ["#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    packages: [x]\n", "text/cloud-config-archive"],
  [
    "## template: jinja\n#cloud-config\nfqdn: {{ v1.local_hostname }}\n{% if true %}\nx: 1\n{% endif %}\n",
    "text/jinja2",
  ],
])("%j becomes a part of its own, exactly as it is", (own, type) => {
  const [first, second, ...rest] = parts(userData(own, KEYS, null, HOST) as Buffer);
  expect(first).toEqual({ type, merge: null, text: own });
  expect(second).toMatchObject({
    type: "text/cloud-config",
    merge: "list(append)+dict(no_replace,recurse_list)+str()",
  });
  expect(yaml(second?.text ?? "")).toEqual(OURS);
  expect(rest).toEqual([]);
});

test.each(["\n", "\r\n"])("a MIME message is walked into (lines end with %j)", (end) => {
  const own = [
    'Content-Type: multipart/mixed; boundary="MINE"',
    "MIME-Version: 1.0",
    "",
    "--MINE",
    "Content-Type: text/x-shellscript",
    "",
    "#!/bin/sh",
    "echo 1",
    "--MINE",
    "Content-Type: text/cloud-config",
    "",
    "packages: [x]",
    "",
    "--MINE--",
    "",
  ].join(end);
  const found = parts(userData(own, KEYS, null, HOST) as Buffer);
  expect(found.map(({ type }) => type)).toEqual(["text/x-shellscript", "text/cloud-config", "text/cloud-config"]);
  expect(found[0]?.text.replaceAll("\r", "")).toBe("#!/bin/sh\necho 1");
  expect(yaml(found[2]?.text ?? "")).toEqual(OURS);
});

test("a MIME message that is one part only, and one from a mailer", () => {
  const own = "From nobody Sat Jan  1\nMIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n";
  expect(parts(userData(own, KEYS, null, null) as Buffer)).toMatchObject([
    { type: "text/x-shellscript", text: "#!/bin/sh\n" },
    { type: "text/cloud-config" },
  ]);
});

test.each([
  "#cloud-config\nssh_keys: { rsa_private: x }\n",
  "## template: jinja\n#cloud-config\nssh_keys: {}\n",
  "#cloud-config-archive\n- content: |\n    #cloud-config\n    ssh_keys: {}\n",
  "MIME-Version: 1.0\nContent-Type: text/cloud-config\n\nssh_keys: {}\n",
  `MIME-Version: 1.0\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n${Buffer.from("#cloud-config\nssh_keys: { x: 1 }\n").toString("base64")}\n`,
])("two host keys are one too many: %j", (own) => {
  expect(() => userData(own, KEYS, null, HOST)).toThrow(/remove ssh_keys, or write ssh: \{ host_keys: console \}/);
  expect(() => userData(own, KEYS, null, null)).not.toThrow();
});

test.each([
  ["hello", /begin it with #cloud-config, #!, #include/],
  ["#cloud-config\na: [1\n", /line 3 of user_data is not valid YAML/],
  ["#cloud-config\n- a\n", /a map of keys must follow/],
  ["#cloud-config\na: 1\n---\nb: 2\n", /user_data is not valid YAML/],
])("%j is an error", (own, words) => {
  expect(() => userData(own, KEYS, null, HOST)).toThrow(words);
});

test("what is too large is compressed; what is too large even so is refused with both sizes; keys never stand in an error", () => {
  const large = userData(`#!/bin/sh\n${"echo hello\n".repeat(3000)}`, KEYS, null, HOST) as Buffer;
  expect(large.length).toBeLessThan(16_384);
  expect(parts(gunzipSync(large)).map(({ type }) => type)).toEqual(["text/x-shellscript", "text/cloud-config"]);
  const { privateKey, publicKey } = makeKeyPair("");
  const noise = Array.from({ length: 800 }, () => makeKeyPair("").publicKey).join("\n");
  const problem = (() => {
    try {
      userData(`#!/bin/sh\n${noise}`, KEYS, null, { privateKey, publicKey });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  })();
  expect(problem).toMatch(/user_data is too large: \d{5} bytes, \d{5} when compressed, but EC2 accepts 16384/);
  expect(problem).not.toContain(privateKey.slice(60, 100));
});

test("a host key is one for ssh-keygen, for this program's own SSH and for sshd", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bootlevel host key "));
  const port = await freePort();
  const file = join(directory, "key");
  const [key, other] = [makeKeyPair(""), makeKeyPair("")];
  writeFileSync(file, key.privateKey, { mode: 0o600 });
  expect(other.publicKey).not.toBe(key.publicKey);
  expect(execFileSync("ssh-keygen", ["-y", "-f", file]).toString().trim()).toBe(key.publicKey);
  expect(utils.parseKey(key.privateKey)).not.toBeInstanceOf(Error);
  const sshd = spawn(
    "/usr/sbin/sshd",
    [
      "-D",
      "-e",
      "-f",
      "/dev/null",
      "-p",
      String(port),
      "-h",
      file,
      "-o",
      "ListenAddress=127.0.0.1",
      "-o",
      "PidFile=none",
    ],
    { stdio: "ignore" },
  );
  try {
    await eventually(
      "sshd shows its key",
      () =>
        spawnSync("ssh-keyscan", ["-p", String(port), "127.0.0.1"])
          .stdout.toString()
          .includes(key.publicKey),
      20_000,
    );
  } finally {
    sshd.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
});
