import { BootlevelError } from "../../errors/bootlevelError.js";

/** Destinations for archives. */
import type { Readable } from "node:stream";

/** The destination has a file with that name and different content. */
export class OccupiedError extends BootlevelError {
  override readonly name = "OccupiedError";
  static override readonly code: string = "OCCUPIED";
  constructor(place: string) {
    super(`${place} already exists with different content: choose another destination, or replace it with --overwrite`);
  }
}

export interface CopyOptions {
  readonly service: string | null;
  /** A folder, or `s3://bucket/prefix`. */
  readonly to: string;
  /** Replace an existing file with the same name and different content. */
  readonly overwrite: boolean;
  /** The bucket's endpoint, if it is not Amazon's. */
  readonly endpoint: string | null;
}

/** An archive to copy. */
export interface CopySource {
  /** The SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  open(): Promise<Readable>;
}

/** A folder or a bucket. */
export interface Destination {
  /** The location of an archive with that file name. */
  place(name: string): string;
  /**
   * Copies an archive.
   * @returns "there" if the same bytes already exist.
   * @throws an error whose message says why it failed.
   */
  put(source: CopySource, name: string): Promise<"copied" | "there">;
  close(): void;
}
