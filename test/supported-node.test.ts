import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, { engines?: { node?: string } }>
}

it('npm ci warns of no package on the oldest Node that is supported', () => {
  const newer = Object.entries(lock.packages).filter(
    ([, { engines }]) => !(engines?.node ?? '*').split('||').some(takesNode20),
  )
  expect(newer.map(([name]) => name)).toEqual([])
})

/** Whether a range without alternatives takes 20.19. */
function takesNode20(range: string): boolean {
  const [, sign = '', major = '0', minor = '0'] =
    /^\s*(>=|\^|~|>)?\s*v?(\d+)(?:\.(\d+))?/.exec(range) ?? []
  if (sign === '^' || sign === '~' || sign === '') return ['0', '20'].includes(major)
  return Number(major) < 20 || (Number(major) === 20 && Number(minor) <= 19)
}
