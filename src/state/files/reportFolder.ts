/** Reports as `<replica>.tar.gz`, and `<replica>.<machine>.tar.gz` of earlier machines, in a folder of each run. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";

import type { ReportDraft, ReportFiles, StoredReport } from "../contract/files.js";
import { listMembers, openMember, readManifest } from "./archiveReader.js";
import { ArchiveWriter } from "./archiveWriter.js";
import { cannotRead, cannotWrite, fileIn, isMissing } from "./fileErrors.js";

const NAME = /^([^.]+)(?:\.(\d+))?\.tar\.gz$/;

/** @param root what there must be room in, for messages. */
export function reportFolders(folderOf: (uid: string) => string, root: string): ReportFiles {
  const location = (uid: string, archive: string) => fileIn(folderOf(uid), `${archive}.tar.gz`);
  return {
    location,
    list: async (uid) => listFolder(folderOf(uid)),
    manifest: (uid, archive) => readManifest(location(uid, archive)),
    members: (uid, archive, members) => listMembers(location(uid, archive), members),
    openMember: (uid, archive, file) => openMember(location(uid, archive), file),
    async open(uid, archive) {
      const path = location(uid, archive);
      try {
        return (await open(path)).createReadStream();
      } catch (error) {
        throw cannotRead(path, error);
      }
    },
    async prepare(uid, service) {
      const folder = folderOf(uid);
      writing(folder, root, () => {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        for (const name of names(folder))
          if (name.startsWith(`.${service}.tar.gz.`)) rmSync(fileIn(folder, name), { force: true });
      });
    },
    async begin(uid, service, limitBytes) {
      const draft = fileIn(folderOf(uid), `.${service}.tar.gz.${randomBytes(6).toString("hex")}`);
      return new Draft(draft, limitBytes, location(uid, service), root);
    },
    async setAside(uid, service, as) {
      const to = location(uid, `${as.service}.${as.generation}`);
      writing(to, root, () => {
        renameSync(location(uid, service), to);
      });
    },
  };
}

class Draft extends ArchiveWriter implements ReportDraft {
  constructor(
    path: string,
    limitBytes: number,
    private readonly target: string,
    root: string,
  ) {
    super(path, limitBytes, root);
  }

  async keep(): Promise<void> {
    writing(this.target, this.root, () => {
      renameSync(this.path, this.target);
    });
  }

  async discard(): Promise<void> {
    await this.abandon();
    writing(this.path, this.root, () => {
      rmSync(this.path, { force: true });
    });
  }
}

function listFolder(folder: string): StoredReport[] {
  const found = names(folder).flatMap((name) => {
    const [, service, generation] = NAME.exec(name) ?? [];
    if (service === undefined) return [];
    const location = fileIn(folder, name);
    const bytes = statSync(location, { throwIfNoEntry: false })?.size;
    if (bytes === undefined) return []; // set aside meanwhile
    const number = generation === undefined ? null : Number(generation);
    return [{ archive: name.slice(0, -".tar.gz".length), service, generation: number, location, bytes }];
  });
  const age = ({ generation }: StoredReport) => generation ?? Number.MAX_SAFE_INTEGER;
  return found.sort(
    (one, other) => one.service.localeCompare(other.service, "en", { numeric: true }) || age(other) - age(one),
  );
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return []; // nothing was collected yet
    throw cannotRead(folder, error);
  }
}

function writing<T>(path: string, root: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw cannotWrite(path, root, error);
  }
}
