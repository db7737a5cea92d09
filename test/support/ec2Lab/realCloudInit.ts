/**
 * Debian's own cloud-init on a machine of the lab, to prove user data by what really reads it. About two seconds a
 * machine.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where `fetch-cloud-init` puts it; jest.config.js looks for it there. */
export const CLOUD_INIT = process.env["BOOTLEVEL_CLOUD_INIT"] ?? "/var/tmp/bootlevel-cloud-init";

/**
 * The modules that user data of ours speaks to. Others would look for disks, set the clock and write to this computer's
 * console. The user is the one of Debian's images for EC2.
 */
const configFor = (user: string): string => `#cloud-config
datasource_list: [ NoCloud ]
network: { config: disabled }
system_info: { default_user: { name: ${user} } }
cloud_init_modules: [ bootcmd, write-files, users-groups, ssh ]
cloud_config_modules: [ runcmd ]
cloud_final_modules: [ scripts-user, final-message ]
`;

/** The stages in the order in which systemd starts them; sshd comes between the second and the third. */
export const STAGES = {
  early: "cloud-init init --local && cloud-init init\n",
  late: "cloud-init modules --mode=config; cloud-init modules --mode=final\n",
};

/** Puts cloud-init on a disk, and beside it what the cloud would tell of the machine. */
export function addCloudInit(
  upper: string,
  {
    id,
    user,
    userData,
    publicKeys,
  }: { readonly user: string; readonly id: string; readonly userData: Buffer; readonly publicKeys: readonly string[] },
): void {
  cpSync(CLOUD_INIT, upper, { recursive: true, verbatimSymlinks: true });
  const seed = join(upper, "var/lib/cloud/seed/nocloud");
  mkdirSync(seed, { recursive: true });
  writeFileSync(join(seed, "meta-data"), JSON.stringify({ "instance-id": id, "public-keys": publicKeys }));
  writeFileSync(join(seed, "user-data"), userData);
  writeFileSync(join(upper, "etc/cloud/cloud.cfg.d/99_lab.cfg"), configFor(user));
}
