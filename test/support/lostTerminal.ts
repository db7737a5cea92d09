/** Runs a command on a terminal that goes away while it works. */
import { startProgram, type CallOptions, type Ended } from "./installation.js";

/**
 * Opens a pseudo-terminal, runs the command on it, waits until a file exists or the terminal shows some words, closes
 * the terminal, and waits for the command. Prints how it ended as JSON. Without `controlling`, nobody gets a SIGHUP.
 */
const SCRIPT = `
import fcntl, json, os, pty, select, sys, termios, time
options, command = json.loads(sys.argv[1]), sys.argv[2:]
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    if options["controlling"]: fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in options["descriptors"]: os.dup2(slave, descriptor)
    os.closerange(3, 256)
    os.execvp(command[0], command)
os.close(slave)
shown, began = b"", time.time()
def gone():
    return (options["file"] and os.path.exists(options["file"])) or (options["words"] and options["words"].encode() in shown)
while not gone() and time.time() - began < 60:
    if select.select([master], [], [], 0.02)[0]: shown += os.read(master, 65536)
os.close(master)
_, status = os.waitpid(pid, 0)
print(json.dumps({"code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None, "shown": shown.decode("utf8", "replace")}))
`;

export interface LostTerminal {
  /** The descriptors of the command that are the terminal. */
  readonly descriptors: readonly (0 | 1 | 2)[];
  /** Whether the terminal controls the command's session, so that its end sends SIGHUP. */
  readonly controlling: boolean;
  /** The terminal goes away when this file exists, or when it shows these words. */
  readonly file?: string;
  readonly words?: string;
}

/** @returns how the command ended, and what the terminal had shown before. */
export async function onLostTerminal(
  { file = "", words = "", ...terminal }: LostTerminal,
  command: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv } & Pick<CallOptions, "cwd">,
): Promise<{ readonly code: number | null; readonly signal: number | null; readonly shown: string; stderr: string }> {
  const settings = JSON.stringify({ ...terminal, file, words });
  const ended: Ended = await startProgram(["python3", "-c", SCRIPT, settings, ...command], options).ended;
  return {
    ...(JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "") as never as object),
    stderr: ended.stderr,
  } as never;
}
