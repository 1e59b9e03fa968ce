import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Measurement } from './measure.ts'
import { type Circumstances, mergeFigures, type PerformanceFile } from './figures.ts'
import { renderPage } from './performance-page.ts'
import { machine } from './report.ts'
import { repository } from './repository.ts'

export const PERFORMANCE_JSON = join(repository, 'docs/performance.json')
export const PERFORMANCE_PAGE = join(repository, 'docs/performance.md')
const TEMPLATE = join(repository, 'bench/performance-page.md')

/** Writes figures into `docs/performance.json`, and makes `docs/performance.md` again. */
export function recordFigures(
  measurements: readonly Measurement[],
  circumstances: Circumstances,
): void {
  const known = existsSync(PERFORMANCE_JSON) ? readFigures() : { figures: [] }
  const merged = mergeFigures(known, { measurements, circumstances })
  writeFileSync(PERFORMANCE_JSON, `${JSON.stringify(merged, undefined, 2)}\n`)
  writeFileSync(PERFORMANCE_PAGE, makePage())
}

/** What `docs/performance.json` and the template make of `docs/performance.md`. */
export function makePage(): string {
  return renderPage(readFigures(), readFileSync(TEMPLATE, 'utf8'))
}

function readFigures(): PerformanceFile {
  return JSON.parse(readFileSync(PERFORMANCE_JSON, 'utf8')) as PerformanceFile
}

/** As they are now: to be asked before the measuring, while the files are those that were built. */
export function readCircumstances(): Circumstances {
  const { cores, cpu, memoryGb, system, node } = machine()
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: readCommit(),
    machine: `${cores} cores (${cpu}), ${memoryGb} GB, ${system}, Node ${node}`,
  }
}

function readCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim()
  try {
    const isChanged = git('status', '--porcelain', '--', '.', ':!docs/performance.*') !== ''
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '')
  } catch {
    return 'unknown'
  }
}
