import { BootlevelError } from "../../errors/bootlevelError.js";

/** Where archives are copied to. */
import type { Readable } from "node:stream";

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

/** An archive that is to be copied. */
export interface CopySource {
  /** Of its bytes, in hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  open(): Promise<Readable>;
}

/** One place that archives are copied to. */
export interface Destination {
  /** Where an archive of that file name goes. */
  place(name: string): string;
  /** Copies an archive. @throws an error whose message says why it did not work. */
  put(source: CopySource, name: string): Promise<"copied" | "there">;
  close(): void;
}
