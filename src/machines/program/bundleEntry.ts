import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";

/** One member of a bundle, and the error for what cannot become one. */

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

/** A program or a file beside it cannot be bundled. The message names it. */
export class StagingSourceError extends BootlevelError {
  override readonly name = "StagingSourceError";
  static override readonly code: string = "STAGING_SOURCE";
}

export const isStagingSourceError = guardOf(StagingSourceError);
