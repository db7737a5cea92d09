/** One bundle member, and the error for a file that cannot become one. */
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";

export type BundleEntry =
  | { readonly kind: "directory"; readonly name: string; readonly mode: number }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly mode: number;
      readonly path: string;
      readonly size: number;
    }
  | { readonly kind: "file"; readonly name: string; readonly mode: number; readonly content: Buffer };

/** A program or one of its files cannot be packed. The message names the file. */
export class StagingSourceError extends BootlevelError {
  override readonly name = "StagingSourceError";
  static override readonly code: string = "STAGING_SOURCE";
}

export const isStagingSourceError = guardOf(StagingSourceError);
