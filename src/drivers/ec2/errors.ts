/** Maps errors of the SDK to what the caller must do: wait, retry, give up, or check the network. */
import { guardOf } from "../../errors/bootlevelError.js";
import { StrangeReplyError } from "./strangeReply.js";
import {
  CloudUnreachableError,
  DriverError,
  isDriverError,
  LostReplyError,
  ThrottledError,
} from "../contract/driver.js";

/** The cloud refused the call. It had no effect. */
export class RefusedError extends DriverError {
  override readonly name = "RefusedError";
  static override readonly code: string = "REFUSED";
  /** @param refusal EC2's error code, such as `InsufficientInstanceCapacity`. */
  constructor(
    readonly refusal: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const isRefusedError = guardOf(RefusedError);
const isStrangeReply = guardOf(StrangeReplyError);

/** Whether something else than EC2 answered a call. It may have handed the call on. */
export function isStrange(error: Error): boolean {
  return isStrangeReply(error.cause);
}

const THROTTLED = new Set([
  "RequestLimitExceeded",
  "Throttling",
  "ThrottlingException",
  "RequestThrottled",
  "TooManyRequestsException",
  "EC2ThrottledException",
  "SlowDown",
  "BandwidthLimitExceeded",
]);
const NO_CAPACITY = new Set([
  "InsufficientInstanceCapacity",
  "InsufficientHostCapacity",
  "InsufficientReservedInstanceCapacity",
  "InsufficientCapacity",
  "InsufficientFreeAddressesInSubnet",
  "SpotMaxPriceTooLow",
  "Unsupported",
]);
const NOT_FOUND = new Set(["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"]);
const EXPIRED = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]);
const BAD_CREDENTIALS = new Set([
  "AuthFailure",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "ExpiredTokenException",
  "MissingAuthenticationToken",
  "CredentialsProviderError",
  "TokenProviderError",
]);
/** Network errors that happen before anything is sent. */
const NOT_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
/** Error codes of exhausted quotas that do not end in LimitExceeded. */
const QUOTAS = new Set(["MaxSpotInstanceCountExceeded"]);
/** An authorization message that only STS can decode. */
const ENCODED = /Encoded authorization failure message: (\S+)/;

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly errors?: readonly SdkError[];
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Whether another size or zone may have capacity. */
export function isNoCapacity(error: unknown): error is RefusedError {
  return isRefusedError(error) && NO_CAPACITY.has(error.refusal);
}

/** Whether no spot machine is to be had, but one on demand may be. */
export function isNoSpot(error: unknown): error is RefusedError {
  return isRefusedError(error) && /^(MaxSpotInstanceCountExceeded|Spot)/.test(error.refusal);
}

/** Whether the cloud does not know a security group of the call. It may be too new. */
export function isHiddenGroup(error: unknown): error is RefusedError {
  return isRefusedError(error) && /^Invalid(Security)?Group(I[dD])?\.NotFound$/.test(error.refusal);
}

/** Whether the cloud does not know a machine of the call. */
export function isNotFound(error: unknown): error is RefusedError {
  return isRefusedError(error) && NOT_FOUND.has(error.refusal);
}

/** Whether the cloud does not know an image id. */
export function isNoSuchImage(error: unknown): boolean {
  return isRefusedError(error) && error.refusal.startsWith("InvalidAMIID.");
}

/**
 * The contract's error for an SDK error.
 * @param cloud the cloud's name in the plan.
 * @param call the API call, such as `RunInstances`.
 */
export function explain(error: unknown, cloud: string, call: string): Error {
  if (isStrangeReply(error))
    return new CloudUnreachableError(
      cloud,
      `${call}: ${error.message}; what answers is not EC2's API: check endpoint: of the cloud, the proxy and the network`,
      { cause: error },
    );
  if (isDriverError(error) || (error as Error).name === "AbortError") return error as Error;
  const { name = "", message = "", $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const text = [name === "Error" ? "" : name, message].filter((part) => part !== "").join(": ");
  const words = `${call}: ${text.replace(/\s+/g, " ").trim()}`;
  const cause = { cause: error };
  if (THROTTLED.has(name) || status === 429) return new ThrottledError(words, cause);
  const remedy = unreachable(error as SdkError);
  if (remedy !== null) return new CloudUnreachableError(cloud, `${words}; ${remedy}`);
  // Checked before the status: EC2 reports missing capacity with status 500.
  if (NO_CAPACITY.has(name)) return new RefusedError(name, words, cause);
  if (name === "TypeError") return new DriverError(words, cause); // the SDK itself takes the endpoint or a key for wrong
  if (status === undefined || status >= 500 || status < 400) return new LostReplyError(words, cause);
  return new RefusedError(name, words + hint(name, message), cause);
}

/** The remedy for an error before the call was sent, or null for other errors. */
function unreachable(error: SdkError): string | null {
  const { name = "", message = "" } = error;
  if (EXPIRED.has(name))
    return "log in again (aws sso login), or renew the session token: these credentials have expired";
  if (BAD_CREDENTIALS.has(name))
    return (
      "give valid credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
      "a profile (profile: or AWS_PROFILE; log in again if it is one of SSO), or a role of this machine"
    );
  if (
    name === "RequestExpired" ||
    /signature (expired|not yet current)|RequestTimeTooSkewed/i.test(`${name} ${message}`)
  )
    return "correct this computer's clock: the cloud's time is another one";
  if (name === "OptInRequired" || /not (opted.?in|enabled) .*region|region .*not (opted|enabled)/i.test(message))
    return "enable the region for the account (Account settings in Amazon's console), or subscribe to the service; follow the link in the message";
  if (/region is missing/i.test(message)) return "write region: in the cloud, or set AWS_REGION";
  if (/could not be found in shared|profile .* (not found|could not)/i.test(message))
    return "check the profile in ~/.aws/config";
  // A host with several addresses has one error for each. An error that the SDK wrapped has its code only in its
  // message.
  const notHttp = [error.code ?? "", message].some((text) => /^HPE_|Parse Error|Expected HTTP/i.test(text));
  if (notHttp) return "what listens there does not speak HTTP: check endpoint: of the cloud";
  if (/wrong version number|packet length too long|EPROTO|ERR_SSL_/.test(`${error.code ?? ""} ${message}`))
    return "what listens there does not speak TLS: write http:// instead of https:// in endpoint:, or check its port";
  const codes = [error.code, ...(error.errors ?? []).map(({ code }) => code), ...message.split(/[^A-Z_]+/)];
  if (codes.some((code) => NOT_CONNECTED.has(code ?? "")))
    return "check the network, and region: and endpoint: of the cloud";
  if (name === "TimeoutError" && /not establish a connection|connect ETIMEDOUT/.test(message))
    return "check the network: nothing answers there";
  return null;
}

function hint(code: string, message: string): string {
  if (code.endsWith("LimitExceeded") || QUOTAS.has(code))
    return ` (quota ${code}: ask for more in the Service Quotas console, or end machines)`;
  if (code === "PendingVerification")
    return " (Amazon is still verifying the account, which takes minutes to hours: repeat the command then)";
  if (/iamInstanceProfile|instance profile/i.test(message) && /^Invalid/.test(code))
    return " (instance_profile: names a profile, not a role; check its name, and wait some seconds after creating it)";
  if (code === "UnauthorizedOperation" && ENCODED.test(message))
    return (
      " (the credentials are valid, but may not do this; to decode the message: " +
      "aws sts decode-authorization-message --encoded-message …)"
    );
  if (code === "UnauthorizedOperation") return " (the credentials are valid, but may not do this)";
  return "";
}
