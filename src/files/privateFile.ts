/** Small private files beside the database. They are written once and then only read. */
import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes a file of mode 0600 atomically. If two launchers write it at the same time, the first one wins and both get
 * its text.
 * @returns the content of the file.
 * @throws the error of the file system. Nothing is left then.
 */
export function writeOnce(file: string, text: string): string {
  withDraft(file, text, (draft) => {
    try {
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  });
  return readFileSync(file, "utf8").trim();
}

/** Like `writeOnce`, in place of what is there. */
export function writeAgain(file: string, text: string): string {
  withDraft(file, text, (draft) => {
    renameSync(draft, file);
  });
  return text;
}

function withDraft(file: string, text: string, publish: (draft: string) => void): void {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: "wx", flush: true });
    publish(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}
