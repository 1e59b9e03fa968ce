// Holds every shipped file to a floor. Vitest itself holds the whole to 90 % of lines and branches. Two
// branches may always be missing: in a small file each of three or four counts for a third.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const FLOOR = { lines: 80, branches: 60 }
const summary = JSON.parse(readFileSync('coverage/coverage-summary.json', 'utf8'))
const low = Object.entries(summary)
  .filter(([file]) => file !== 'total')
  .flatMap(([file, { lines, branches }]) => [
    { file, what: 'lines', ...lines },
    { file, what: 'branches', ...branches },
  ])
  .filter(({ what, pct, total, covered }) => pct < FLOOR[what] && total - covered > 2)
for (const { file, what, pct } of low) {
  process.stderr.write(
    `${relative('.', file)}: ${pct} % of ${what} covered, ${FLOOR[what]} % wanted\n`,
  )
}
process.exitCode = low.length > 0 ? 1 : 0
