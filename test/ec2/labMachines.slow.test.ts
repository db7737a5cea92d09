/** The lab's machines: real ones, as far as a launcher can tell. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  EC2Client,
  GetConsoleOutputCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";

import { IMAGE, openEc2Lab, REGION, type Ec2Lab, type LabInstance } from "../support/ec2Lab.js";
import { eventually } from "../support/eventually.js";
import { makeKey } from "../support/sshHost.js";

let lab: Ec2Lab;
let client: EC2Client;
let keys: string;
const text = (name: string): string => readFileSync(join(keys, name), "utf8").trim();

beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
  keys = lab.network.outside("/mnt");
  for (const name of ["operator", "host"]) await makeKey(join(keys, name));
  client = new EC2Client({
    endpoint: lab.cloud.endpoint,
    region: REGION,
    maxAttempts: 1,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
}, 90_000);
afterEach(async () => {
  lab.faults.clear();
  lab.machines.setImage({});
  const ids = (await lab.live()).map(({ id }) => id);
  if (ids.length > 0) await lab.change("terminate", ids);
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

const run = async (
  userData: string | Buffer | null,
  change: Partial<RunInstancesCommandInput> = {},
): Promise<LabInstance[]> => {
  const given = userData === null ? {} : { UserData: Buffer.from(userData).toString("base64") };
  const { Instances } = await client.send(
    new RunInstancesCommand({
      ImageId: IMAGE,
      InstanceType: "m5.large",
      MinCount: 1,
      MaxCount: 1,
      ...given,
      ...change,
    }),
  );
  await lab.machines.settled();
  return (await lab.live()).filter(({ id }) => Instances?.some(({ InstanceId }) => InstanceId === id));
};
/** What a command prints there, by the ssh that everybody has; null when it is not let in or nobody answers. */
const ssh = (address: string | null, command: string, user = "admin"): string | null => {
  const options = [
    "-i",
    join(keys, "operator"),
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=5",
    "-o",
    "IdentityAgent=none",
  ];
  const [program = "", ...words] = lab.network.words(["ssh", ...options, `${user}@${address ?? ""}`, command]);
  try {
    return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch {
    return null;
  }
};
const reached = async (address: string | null, command: string, user?: string): Promise<string> =>
  eventually(`${address ?? "?"} answers`, () => ssh(address, command, user));
const config = (more = ""): string => `#cloud-config\nssh_authorized_keys: [ "${text("operator.pub")}" ]\n${more}`;

test("a machine lets its user in at both addresses, has its own files and processes, and its user may do everything", async () => {
  const [one, other] = (await run(config(), {
    MinCount: 2,
    MaxCount: 2,
    NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true }],
  })) as [LabInstance, LabInstance];
  expect(
    await reached(
      one.privateAddress,
      "id -un; sudo -n id -un; echo mine > ~/file; echo me > /tmp/file; sudo touch /etc/touched; ps -e | wc -l",
    ),
  ).toMatch(/^admin\nroot\n\d{1,2}\n$/);
  expect(ssh(one.publicAddress, "cat ~/file /tmp/file; ls /etc/touched")).toBe("mine\nme\n/etc/touched\n");
  expect(await reached(other.publicAddress, "cat ~/file /tmp/file /etc/touched 2>/dev/null; echo $?")).toBe("1\n");
  expect(ssh(one.privateAddress, "cat /home/admin/file", "root")).toBe("mine\n");
  expect(one.publicAddress).not.toBe(other.publicAddress);
});

test("user data is applied: host keys, files, commands, scripts; plain, gzip'd and in parts; cloud-init tells of it", async () => {
  const hostKey = `ssh_keys:\n  ed25519_private: |\n${text("host")
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")}\n  ed25519_public: ${text("host.pub")}\n`;
  const more = `${hostKey}write_files: [ { path: /opt/a/b, content: "aGk=", encoding: b64, permissions: "0600" } ]\nruncmd: [ [ sh, -c, "echo ran > /run/ran" ], "echo line >> /run/ran" ]\n`;
  const parts = `Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n--==\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n${Buffer.from(config(more)).toString("base64")}\n--==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho script > /run/script\n--==--\n`;
  for (const [data, script] of [
    [config(more), ""],
    [gzipSync(config(more)), ""],
    [parts, "script\n"],
    [gzipSync(parts), "script\n"],
  ] as const) {
    const [machine] = (await run(data)) as [LabInstance];
    const seen = await reached(
      machine.privateAddress,
      "cloud-init status --wait; cat /etc/ssh/ssh_host_ed25519_key.pub; echo; sudo cat /opt/a/b; cat /run/ran; cat /run/script 2>/dev/null; true",
    );
    expect(seen.replace(/^\.*\n/, "")).toBe(`status: done\n${text("host.pub")}\nhiran\nline\n${script}`);
  }
});

test("user data that is not given, and a key pair that is: only its owner is let in, and the host key is the machine's own", async () => {
  await client.send(new ImportKeyPairCommand({ KeyName: "ops", PublicKeyMaterial: Buffer.from(text("operator.pub")) }));
  lab.faults.set({ userData: "ignored" });
  const [paired] = (await run(config(), { KeyName: "ops" })) as [LabInstance];
  const [closed] = (await run(config())) as [LabInstance];
  expect(await reached(paired.privateAddress, "cat /etc/ssh/ssh_host_ed25519_key.pub")).not.toContain(
    text("host.pub").split(" ")[1],
  );
  await eventually("it asks for a key", () => lab.machines.log(closed.id).includes("Server listening"));
  expect(ssh(closed.privateAddress, "true")).toBeNull();
  const output = async (): Promise<string> =>
    Buffer.from(
      (await client.send(new GetConsoleOutputCommand({ InstanceId: closed.id }))).Output ?? "",
      "base64",
    ).toString();
  lab.faults.set({ consoleMs: Infinity });
  expect(await output()).toBe("");
  lab.faults.set({ consoleMs: 0 });
  expect(await eventually("the console tells of its keys", output)).toMatch(
    /BEGIN SSH HOST KEY FINGERPRINTS-----\n256 SHA256:/,
  );
});

test("a machine dies with its instance, alone when it is killed, and its address is somebody else's afterwards", async () => {
  const [first, second] = (await run(config(), { MinCount: 2, MaxCount: 2 })) as [LabInstance, LabInstance];
  await reached(first.privateAddress, "nohup sleep 1000 >/dev/null 2>&1 & true");
  await reached(second.privateAddress, "true");
  await lab.machines.kill(second.id);
  expect(ssh(second.privateAddress, "true")).toBeNull();
  expect(await lab.live()).toHaveLength(2);
  await lab.change("terminate", [first.id]);
  expect(ssh(first.privateAddress, "true")).toBeNull();
  lab.faults.set({ reuseAddresses: true });
  const reused = await run(config(), { MinCount: 20, MaxCount: 20 });
  const third = reused.find(({ privateAddress }) => privateAddress === first.privateAddress) as LabInstance;
  expect(await reached(third.privateAddress, "pgrep sleep || echo none")).toBe("none\n");
});

test("a rogue answers with a host key of its own, and tells who trusted it", async () => {
  const rogue = await lab.machines.rogue(({ type }) => type === "m5.xlarge");
  const hostKey = `ssh_keys:\n  ed25519_private: |\n${text("host")
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")}\n  ed25519_public: ${text("host.pub")}\n`;
  const [machine] = (await run(config(hostKey), { InstanceType: "m5.xlarge" })) as [LabInstance];
  await eventually("the rogue listens", () => rogue.log().includes("Server listening"));
  const address = machine.privateAddress ?? "";
  const [program = "", ...words] = lab.network.words(["ssh-keyscan", "-t", "ed25519", address]);
  expect(execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })).not.toContain(
    text("host.pub").split(" ")[1],
  );
  await eventually("the log shows the key exchange", () => rogue.log().includes("SSH2_MSG_KEX_ECDH_INIT received"));
  expect(rogue.wasTrusted()).toBe(false);
  expect(await reached(address, "echo in")).toBe("in\n");
  expect(rogue.wasTrusted()).toBe(true);
});

test("machines that are late, and first boots that fail, warn, never end or are unknown", async () => {
  const ends = {
    error: ["status: error", "1"],
    degraded: ["status: done", "2"],
    missing: ["", "127"],
    endless: ["status: running", "0"],
  } as const;
  for (const [cloudInit, [status, exit]] of Object.entries(ends)) {
    lab.machines.setImage({ cloudInit: cloudInit as keyof typeof ends, lateMs: 300 });
    const [machine] = (await run(config())) as [LabInstance];
    const seen = await reached(
      machine.privateAddress,
      `cloud-init status ${cloudInit === "endless" ? "" : "--wait"} 2>/dev/null; echo $?`,
    );
    expect(seen.replace(/^\.*\n/, "").trim()).toBe(`${status}\n${exit}`.trim());
  }
});

test("twenty machines at once", async () => {
  const all = await run(config(), { MinCount: 20, MaxCount: 20 });
  for (const { privateAddress } of all) await reached(privateAddress, "true");
  expect(new Set(all.map(({ privateAddress }) => privateAddress)).size).toBe(20);
});
