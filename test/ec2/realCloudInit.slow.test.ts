/** User data as Debian's own cloud-init takes it, so that the lab's imitation of it is not all that is tested. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { RunInstancesCommand } from "@aws-sdk/client-ec2";

import { IMAGE, openEc2Lab, type Ec2Lab } from "../support/ec2Lab.js";
import { CLOUD_INIT } from "../support/ec2Lab/realCloudInit.js";
import { eventually } from "../support/eventually.js";
import { makeKey } from "../support/sshHost.js";

let lab: Ec2Lab;
beforeAll(async () => {
  lab = await openEc2Lab({ machines: true });
}, 90_000);
afterAll(async () => lab.close());

const LOOK = `cloud-init status --wait >/dev/null; echo $?; ls /etc/ssh/*key*; cat /etc/ssh/*.pub /home/admin/.ssh/authorized_keys; stat -c '%a %U' /etc/ssh/ssh_host_ed25519_key /opt/file; cat /opt/file /run/ran /run/script
su admin -c 'sudo -n id -un'`;
/** What a first boot with this user data leaves behind, and what sshd says of its host key. */
const bootedBy = async (cloudInit: "true" | "real", userData: Buffer): Promise<string> => {
  lab.machines.setImage({ cloudInit });
  const { Instances } = await lab.inventory.client.send(
    new RunInstancesCommand({ ImageId: IMAGE, MinCount: 1, MaxCount: 1, UserData: userData.toString("base64") }),
  );
  await lab.machines.settled();
  const id = Instances?.[0]?.InstanceId ?? "";
  await eventually("sshd listens", () => lab.machines.log(id).includes("Server listening"), 60_000);
  return lab.machines.exec(id, LOOK);
};

test(`the lab's machines make of user data what the cloud-init in ${CLOUD_INIT} makes of it`, async () => {
  const { publicKey } = await lab.key();
  const hostKey = join(lab.network.outside("/mnt"), "host-key");
  await makeKey(hostKey);
  const [priv, pub] = [readFileSync(hostKey, "utf8"), readFileSync(`${hostKey}.pub`, "utf8")];
  const config = (more: object) => `#cloud-config\n${JSON.stringify(more)}\n`;
  const own = config({
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: priv, ed25519_public: pub },
    ssh_authorized_keys: [publicKey],
  });
  // What comes later takes the place of what came before, where nothing else is said.
  const users = config({
    write_files: [{ path: "/opt/file", content: "written\n", permissions: "0640" }],
    runcmd: ["echo ran > /run/ran"],
  });
  const part = (type: string, text: string) =>
    `--==\nContent-Type: ${type}\nContent-Transfer-Encoding: base64\n\n${Buffer.from(text).toString("base64")}\n`;
  const whole = `Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n${part("text/cloud-config", users)}${part("text/x-shellscript", "#!/bin/sh\necho script > /run/script\n")}${part("text/cloud-config", own)}--==--\n`;
  for (const data of [Buffer.from(whole), gzipSync(whole)]) {
    const real = await bootedBy("real", data);
    expect(real).toContain(
      `0\n/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_ed25519_key.pub\n${pub}${publicKey}\n600 root\n640 root\nwritten\nran\nscript\nroot\n`,
    );
    expect(await bootedBy("true", data)).toBe(real);
  }
}, 180_000);
