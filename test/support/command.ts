import type { Call } from '../../src/apps/cli/call.ts'
import { runProgram } from '../../src/apps/cli/program.ts'
import type { GivenProject } from '../../src/apps/project-extension.ts'
import { standardProject } from '../../src/standard-project.ts'
import { checkDeclared } from './declared-events.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
  /** The objects `--json` wrote. */
  readonly events: { readonly event: string; readonly [field: string]: unknown }[]
}

export interface CommandWorld {
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** The project to carry. Default: Totesys. */
  readonly given?: GivenProject
  /** How the person calls it. */
  readonly call?: Call
  /** As if both streams were a terminal. */
  readonly isTTY?: boolean
  /** How wide that terminal is. */
  readonly columns?: number
  /** Called with all of stdout so far, to wait for something without sleeping. */
  readonly onOut?: (out: string) => void
  /** The same for stderr. */
  readonly onErr?: (err: string) => void
}

/** Throws unless the last object, and no other, is the final one. */
function checkFinal(events: CommandResult['events'], code: number): void {
  const exits = events.map(({ exit }) => exit)
  if (exits.at(-1) === code && exits.slice(0, -1).every((exit) => exit === undefined)) return
  throw new TypeError(`not one final object with exit ${code}: ${JSON.stringify(events)}`)
}

/** Runs the command line in this process, as a shell would, and returns what it wrote. */
export async function tidemark(
  argv: readonly string[],
  {
    env = {},
    given = standardProject,
    call = 'tidemark',
    signal = new AbortController().signal,
    isTTY = false,
    columns = 80,
    onOut,
    onErr,
  }: CommandWorld = {},
): Promise<CommandResult> {
  const screen = isTTY ? { isTTY, columns } : { isTTY }
  let out = ''
  let err = ''
  const code = await runProgram({
    argv,
    env,
    given,
    call,
    signal,
    stdout: {
      write(text) {
        out += text
        onOut?.(out)
      },
      ...screen,
    },
    stderr: {
      write(text) {
        err += text
        onErr?.(err)
      },
      ...screen,
    },
  })
  const events = argv.includes('--json')
    ? out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as CommandResult['events'][number])
    : []
  for (const event of events) checkDeclared(event)
  if (argv.includes('--json')) checkFinal(events, code)
  return { code, out, err, events }
}
