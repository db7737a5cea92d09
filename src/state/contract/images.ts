/** Images that were built of machines, as the record knows them. */
/** "building" until it can be started from, also when nobody works on it any more. */
export type ImageState = "building" | "available" | "failed" | "deleted";

/** What is to be built, and of what. */
export interface ImageIntent {
  /** The image's and the cloud's name in the plan, and the cloud's driver. */
  readonly image: string;
  readonly cloud: string;
  readonly driver: string;
  /** Hashes of where the cloud is, and of what makes the image. */
  readonly place: string;
  readonly definition: string;
  readonly planFile: string;
  /** The run that its machine is to belong to. */
  readonly run: string;
  /** The mark of this installation. */
  readonly installation: string;
}

export interface BuiltImage extends Omit<ImageIntent, "installation"> {
  readonly id: number;
  /** Counted from 1 for an image in a cloud. */
  readonly version: number;
  /** What the cloud calls it. */
  readonly name: string;
  /** The driver's id: what a launch takes. Null until the driver has told it. */
  readonly driverId: string | null;
  readonly state: ImageState;
  /** Why it failed, or null. */
  readonly reason: string | null;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly availableAt: number | null;
  readonly deletedAt: number | null;
}

/** What becomes known of it; what is left out stays. */
export type ImageChange = Partial<Pick<BuiltImage, "run" | "driverId" | "state" | "reason">>;
