import { settingsAt, TIDEMARK } from './command-line.ts'
import type { Place } from './deps.ts'
import { alternate, type Measurement, median } from './measure.ts'
import { runProcess } from './process.ts'

const ROUNDS = 10
const VERSION_BAR = { below: 100 }
const STATUS_BAR = { below: 200 }

/** How long the command takes from its start to its end, as a process. */
export async function measureStart(place: Place): Promise<Measurement[]> {
  const env = settingsAt(place)
  const call = async (...args: string[]): Promise<number> =>
    (await runProcess(process.execPath, { args: [TIDEMARK, ...args], cwd: place.folder, env })).ms
  const { node, version, status } = await alternate(
    { repetitions: ROUNDS },
    {
      node: async () => (await runProcess(process.execPath, { args: ['-e', '0'], env })).ms,
      version: () => call('--version'),
      status: () => call('status'),
    },
  )
  return [
    {
      name: 'start',
      title: 'tidemark --version as a process, median',
      value: median(version),
      unit: 'ms',
      bar: VERSION_BAR,
      parts: { nodeAloneMs: median(node) },
    },
    {
      name: 'start_status',
      title: 'tidemark status as a process, median',
      value: median(status),
      unit: 'ms',
      bar: STATUS_BAR,
    },
  ]
}
