/** Host keys that machines print on their consoles. */
import { execFileSync } from "node:child_process";

import { expect, test } from "@jest/globals";

import { fingerprintsIn } from "../../../src/drivers/ec2/console.js";
import { makeKeyPair } from "../../../src/machines/ssh/keyPair.js";
import { never } from "../../support/drivers.js";
import { machinesOf, newRun, useCloud, wish } from "../../support/ec2.js";
import { callsOf } from "../../support/moto.js";

const { cloud, driver } = useCloud();

const print = (letter: string) => `SHA256:${letter.repeat(43)}`;
const block = (...lines: string[]) =>
  ["-----BEGIN SSH HOST KEY FINGERPRINTS-----", ...lines, "-----END SSH HOST KEY FINGERPRINTS-----"].join("\n");

test.each([
  [
    "Amazon Linux",
    `[   17.241] cloud-init[2217]: Generating keys\nec2: \nec2: #############################################################\nec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----\nec2: 256 ${print("a")} no comment (ECDSA)\nec2: 256 ${print("b")} no comment (ED25519)\nec2: -----END SSH HOST KEY FINGERPRINTS-----\nec2: ####`,
    [print("a"), print("b")],
  ],
  [
    "Ubuntu",
    `<14>Nov 21 10:00:00 ec2: ####\r\n<14>Nov 21 10:00:00 ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----\r\n<14>Nov 21 10:00:00 ec2: 1024 SHA256:${"c".repeat(42)}+ root@ip-10-0-0-4 (DSA)\r\n<14>Nov 21 10:00:00 ec2: 256 ${print("d")} root@ip-10-0-0-4 (ED25519)\r\n<14>Nov 21 10:00:00 ec2: -----END SSH HOST KEY FINGERPRINTS-----\r\n`,
    [`SHA256:${"c".repeat(42)}+`, print("d")],
  ],
  [
    "cloud-init's own lines and colours",
    block(
      `ci-info: 256 ${print("e")} x`,
      `[   12.345678] cloud-init[812]: \u001b[0m256 ${print("f")} root@x (ED25519)\u001b[0m`,
    ),
    [print("e"), print("f")],
  ],
  [
    "the last of several boots",
    `${block(`256 ${print("a")} x`)}\nreboot\n${block(`256 ${print("b")} x`)}`,
    [print("b")],
  ],
  [
    "a block that has only begun, after a complete one",
    `${block(`256 ${print("a")} x`)}\n-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 ${print("b")} x`,
    [print("a")],
  ],
  [
    "a block that was torn off and begun again",
    `-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 ${print("a")} x\n${block(`256 ${print("b")} x`)}`,
    [print("b")],
  ],
  ["a block that has only begun", `-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 ${print("a")} x\n`, null],
  ["an end without a beginning", `256 ${print("a")} x\n-----END SSH HOST KEY FINGERPRINTS-----\n`, null],
  ["words outside of any block", `256 ${print("a")} x\n`, null],
  [
    "MD5 only",
    block(
      "2048 MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48 x (RSA)",
      "2048 16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48 x (RSA)",
    ),
    null,
  ],
  ["fingerprints that are cut short", block("256 SHA256:abc x (ED25519)"), null],
  [
    "a table of authorized keys",
    `ci-info: +++++Authorized keys from /home/ec2-user/.ssh/authorized_keys for user ec2-user++++\nci-info: | ssh-rsa | ${print("a")} | - | ops |\n`,
    null,
  ],
  ["nothing", "", null],
])("%s", (_, text, found) => {
  expect(fingerprintsIn(text)).toEqual(found);
});

test("whole keys are told by the fingerprints that ssh-keygen would show; both blocks count; torn keys do not", () => {
  const [key, other] = [makeKeyPair("").publicKey, makeKeyPair("").publicKey];
  const shown = /SHA256:\S+/.exec(execFileSync("ssh-keygen", ["-l", "-f", "-"], { input: key }).toString())?.[0];
  const keys = (...lines: string[]) =>
    ["-----BEGIN SSH HOST KEY KEYS-----", ...lines, "-----END SSH HOST KEY KEYS-----"].join("\n");
  expect(fingerprintsIn(keys(`${key} root@ip-10-0-0-4`))).toEqual([shown]);
  expect(
    fingerprintsIn(
      `${block(`256 ${shown} root@x (ED25519)`)}\n${keys(`[   20.1] cloud-init[812]: ${key} root@x`, "ssh-rsa AAAA root@x", `ssh-rsa ${other.split(" ")[1]} root@x`)}`,
    ),
  ).toEqual([shown]);
  expect(fingerprintsIn(`-----BEGIN SSH HOST KEY KEYS-----\n${key}`)).toBeNull();
});

test("the cloud is asked for the console as it is now, or as it was where it cannot say that", async () => {
  const own = driver();
  const [machine] = machinesOf(await own.launch([wish(newRun(), "web")], never));
  const id = machine?.id ?? "";
  expect(await own.hostKeyFingerprints?.(id, never)).toBeNull();
  expect(callsOf(cloud(), "GetConsoleOutput").map((call) => call.get("Latest"))).toEqual(["true"]);
  const text = Buffer.from(block(`256 ${print("g")} root@x (ED25519)`)).toString("base64");
  cloud().rewrite = (answer) => answer.replace(/<output>[^]*?<\/output>/, `<output>${text}</output>`);
  cloud().setRule((_, parameters) =>
    parameters.get("Latest") === "true"
      ? {
          status: 400,
          code: "UnsupportedOperation",
          message: "This instance type does not support retrieving the latest console logs.",
        }
      : null,
  );
  expect(await own.hostKeyFingerprints?.(id, never)).toEqual([print("g")]);
  expect(callsOf(cloud(), "GetConsoleOutput").map((call) => call.get("Latest"))).toEqual(["true", null]);
  cloud().rewrite = (answer) => answer.replace(/<output>[^]*?<\/output>/, "");
  cloud().setRule(null);
  expect(await own.hostKeyFingerprints?.(id, never)).toBeNull();
  cloud().rewrite = null;
  cloud().setRule((action) =>
    action === "GetConsoleOutput"
      ? { status: 400, code: "InvalidInstanceID.NotFound", message: `The instance ID '${id}' does not exist` }
      : null,
  );
  expect(await own.hostKeyFingerprints?.(id, never)).toBeNull();
  cloud().setRule((action) =>
    action === "GetConsoleOutput" ? { status: 403, code: "UnauthorizedOperation", message: "no" } : null,
  );
  await expect(own.hostKeyFingerprints?.(id, never)).rejects.toThrow(/may not do this/);
});
