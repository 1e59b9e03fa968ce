// `npm run simulate`: random histories through the real pipeline, each compared with what was
// committed. See docs/guarantees.md.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type HistoryResult, playSeed } from './histories.ts'
import { parseOptions, type SimulateOptions } from './options.ts'
import { openStage } from './play.ts'

const options = parseOptions(process.argv.slice(2))
if ('usage' in options) {
  const stream = options.exitCode === 0 ? process.stdout : process.stderr
  stream.write(`${options.usage}\n`)
  process.exitCode = options.exitCode
} else if (process.send === undefined) {
  process.exitCode = await simulate(options)
} else {
  await work(options)
}

/** Plays the seeds that the parent process names, until it names no more. */
async function work(asked: SimulateOptions): Promise<void> {
  // Nothing here must survive a power cut.
  const memory = '/dev/shm'
  await using stage = await openStage(existsSync(memory) ? memory : tmpdir())
  await new Promise<void>((resolve) => {
    process.on('disconnect', resolve)
    process.on('message', (seed: number) => {
      void playSeed(stage, { ...asked, seed }).then((result) => process.send?.(result))
    })
    process.send?.('ready')
  })
}

async function simulate(asked: SimulateOptions): Promise<number> {
  const startedAt = performance.now()
  const { seed, histories, jobs, json, bug } = asked
  if (!json) process.stdout.write(`  seed ${seed}, ${histories} histories\n`)
  const results = new Map<number, HistoryResult>()
  let next = seed
  let isOver = false
  const workers = Array.from({ length: Math.min(jobs, histories) }, () =>
    fork(fileURLToPath(import.meta.url), process.argv.slice(2)),
  )
  const ended = workers.map(
    (worker) =>
      new Promise<void>((resolve, reject) => {
        const ask = () => {
          if (isOver || next >= seed + histories) return worker.disconnect()
          worker.send(next)
          next += 1
        }
        worker.on('message', (answer: HistoryResult | 'ready') => {
          if (answer !== 'ready') {
            results.set(answer.seed, answer)
            // A bug that is planted must be found once.
            if (bug !== undefined && answer.failure !== undefined) isOver = true
            tellProgress(results, { asked, startedAt })
          }
          ask()
        })
        worker.on('exit', (code) =>
          code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`)),
        )
      }),
  )
  await Promise.all(ended)
  return report(
    [...results.values()].toSorted((a, b) => a.seed - b.seed),
    { asked, startedAt },
  )
}

function tellProgress(
  results: ReadonlyMap<number, HistoryResult>,
  { asked: { histories, json }, startedAt }: { asked: SimulateOptions; startedAt: number },
): void {
  if (json || !process.stderr.isTTY) return
  const failed = [...results.values()].filter(({ failure }) => failure !== undefined).length
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  process.stderr.write(
    `\r  ${results.size} of ${histories} played, ${failed} failed, ${seconds} s `,
  )
  if (results.size === histories) process.stderr.write('\n')
}

/** Prints every history that failed, and what all of them came to. Returns the exit code. */
function report(
  results: readonly HistoryResult[],
  { asked, startedAt }: { asked: SimulateOptions; startedAt: number },
): number {
  const { seed, steps, bug, json, trace } = asked
  const failed = results.filter(({ failure }) => failure !== undefined)
  const sum = (of: (result: HistoryResult) => number) =>
    results.reduce((total, result) => total + of(result), 0)
  const summary = {
    event: 'simulated',
    seed,
    histories: results.length,
    steps: sum((result) => result.steps),
    runs: sum((result) => result.runs),
    batches: sum((result) => result.batches),
    failed: failed.map((result) => result.seed),
    bug,
    digest: createHash('sha256')
      .update(results.map(({ digest }) => digest).join(' '))
      .digest('hex')
      .slice(0, 16),
  }
  const durationMs = Math.round(performance.now() - startedAt)
  if (json) {
    for (const each of failed) print({ event: 'history_failed', ...each })
    print({ ...summary, durationMs })
  } else {
    for (const each of failed) process.stdout.write(describeFailure(each, { steps, bug, trace }))
    const { histories, runs, batches, digest } = summary
    const perMinute = Math.round((batches / durationMs) * 60_000)
    process.stdout.write(
      `  ${histories} histories, ${summary.steps} steps, ${runs} runs, ${batches} batches: ` +
        `${failed.length} failed   digest ${digest}\n` +
        `  ${(durationMs / 1000).toFixed(1)} s, ${perMinute} batches a minute\n`,
    )
  }
  return failed.length > 0 === (bug !== undefined) ? 0 : 1
}

function print(object: object): void {
  process.stdout.write(`${JSON.stringify(object)}\n`)
}

function describeFailure(
  { seed, failure }: HistoryResult,
  { steps, bug, trace }: Pick<SimulateOptions, 'steps' | 'bug' | 'trace'>,
): string {
  if (failure === undefined) return ''
  const lines = [
    `  ✕ seed ${seed}`,
    ...failure.violations.map(({ kind, detail }) => `      ${kind}: ${detail}`),
    ...(trace ? ['    every step:', ...failure.trace.map((line) => `      ${line}`)] : []),
    `    the shortest history that shows it has ${failure.shortest.length} steps:`,
    ...failure.shortest.map((step) => `      ${JSON.stringify(step)}`),
    `    Next: npm run simulate -- --seed ${seed} --steps ${steps} --histories 1${bug === undefined ? '' : ` --bug '${bug}'`} --trace`,
  ]
  return `${lines.join('\n')}\n`
}
