/** Where an installation keeps its files. */
/** The paths below `$BOOTLEVEL_HOME`. */
export interface Home {
  readonly directory: string;
  readonly database: string;
  readonly keyFile: string;
  /** Private files of one run: bundles and logs. */
  runDirectory(uid: string): string;
  /** State of the drivers' own. */
  driverDirectory(driver: string): string;
}
