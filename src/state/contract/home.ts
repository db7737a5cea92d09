/** The paths of an installation's files. */
/** The paths below `$BOOTLEVEL_HOME`. */
export interface Home {
  readonly directory: string;
  readonly database: string;
  readonly keyFile: string;
  /** The private files of one run: bundles and logs. */
  runDirectory(uid: string): string;
  /** A driver's own state. */
  driverDirectory(driver: string): string;
}
