// Whatever ends the bench, it leaves nothing behind: no server, no process, no folder.

const ends = new Set<() => Promise<void>>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let isListening = false
let isEnding = false

/** Whether the bench was asked to stop. Nothing new may be started then. */
export function isStopped(): boolean {
  return isEnding
}

/**
 * Does `end` if the bench is stopped by a signal, the newest first. Returns what forgets it again,
 * for when the work has ended by itself.
 */
export function atEnd(end: () => Promise<void>): () => void {
  if (!isListening) for (const signal of signals) process.on(signal, stop)
  isListening = true
  ends.add(end)
  return () => ends.delete(end)
}

function stop(): void {
  if (isEnding) return
  isEnding = true
  process.stderr.write('\nStopping: servers, processes and folders are removed.\n')
  void endAll()
}

async function endAll(): Promise<void> {
  for (const end of [...ends].toReversed()) {
    await end().catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
  }
  process.exit(130)
}
