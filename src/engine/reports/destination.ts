import { BootlevelError } from "../../errors/bootlevelError.js";

/** Where archives are copied to. */

/** What is there under that name is something else. */
export class OccupiedError extends BootlevelError {
  override readonly name = "OccupiedError";
  static override readonly code: string = "OCCUPIED";
  constructor(place: string) {
    super(`${place} is there already, and is something else: choose another place, or replace it with --overwrite`);
  }
}

export interface CopyOptions {
  readonly service: string | null;
  /** A folder, or `s3://bucket/prefix`. */
  readonly to: string;
  /** Replaces what is there under the same name and is something else. */
  readonly overwrite: boolean;
  /** Where the bucket is, if not at Amazon's. */
  readonly endpoint: string | null;
}

/** One place that archives are copied to. */
export interface Destination {
  /** Where an archive of that file name goes. */
  place(name: string): string;
  /** Copies; `sha256` is the file's. @throws an error whose message says why it did not work. */
  put(path: string, name: string, sha256: string): Promise<"copied" | "there">;
  close(): void;
}
