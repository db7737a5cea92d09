/**
 * Errors that drivers throw. The engine recognises them by code, so a driver may bundle its own copy of these classes.
 */
import { BootlevelError, guardOf, type BootlevelErrorOptions } from "../../errors/bootlevelError.js";

/** A machine could not be launched, described or destroyed. The message contains the cloud's reason. */
export class DriverError extends BootlevelError {
  override readonly name: string = "DriverError";
  static override readonly code: string = "DRIVER";
}

export const isDriverError = guardOf(DriverError);

/** The cloud did not answer at all. The cause is the operator's network or credentials, not the request. */
export class CloudUnreachableError extends DriverError {
  override readonly name = "CloudUnreachableError";
  static override readonly code: string = "CLOUD_UNREACHABLE";
  constructor(
    readonly cloud: string,
    detail: string,
    options?: BootlevelErrorOptions,
  ) {
    super(`cloud "${cloud}" cannot be reached: ${detail}`, options);
  }
}

export const isCloudUnreachableError = guardOf(CloudUnreachableError);

/** The cloud throttles calls. The call had no effect; the caller repeats it later. */
export class ThrottledError extends DriverError {
  override readonly name = "ThrottledError";
  static override readonly code: string = "THROTTLED";
}

export const isThrottledError = guardOf(ThrottledError);

/** The call may have taken effect, but its answer was lost. Every verb is idempotent, so the caller repeats it. */
export class LostReplyError extends DriverError {
  override readonly name = "LostReplyError";
  static override readonly code: string = "LOST_REPLY";
}

export const isLostReplyError = guardOf(LostReplyError);

/**
 * The cloud could not create an image, and never will under this name. Nothing is left of it, unless the message says
 * so.
 */
export class ImageFailedError extends DriverError {
  override readonly name = "ImageFailedError";
  static override readonly code: string = "IMAGE_FAILED";
}

export const isImageFailedError = guardOf(ImageFailedError);
