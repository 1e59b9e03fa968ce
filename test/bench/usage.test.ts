import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkSameStar, type StarState } from '../../bench/star-schema.ts'
import { asContender, clusterCpuS, type Use } from '../../bench/usage.ts'

/** Takes 0.3 s of CPU, says so, and waits to be ended. */
const BURN = `
  while (process.cpuUsage().user < 300_000);
  console.log('burnt')
`

describe.skipIf(!existsSync('/proc/self/stat'))('clusterCpuS()', () => {
  it('counts processes that the postmaster has waited for', () => {
    const before = clusterCpuS(process.pid) ?? Number.NaN
    spawnSync(process.execPath, ['-e', BURN])
    expect((clusterCpuS(process.pid) ?? Number.NaN) - before).toBeGreaterThan(0.25)
  })

  it('counts processes that live', async () => {
    const before = clusterCpuS(process.pid) ?? Number.NaN
    const child = spawn(process.execPath, ['-e', `${BURN}; process.stdin.resume()`])
    await once(child.stdout, 'data')
    const after = clusterCpuS(process.pid) ?? Number.NaN
    child.kill()
    await once(child, 'exit')
    expect(after - before).toBeGreaterThan(0.25)
  })
})

describe('asContender()', () => {
  const use = (wallMs: number, more: Partial<Use> = {}): Use => ({
    wallMs,
    processCpuS: 1,
    sourceCpuS: 2,
    warehouseCpuS: 3,
    maxRssMb: 100,
    walMb: 10,
    bytesMb: undefined,
    ...more,
  })
  const names = { name: 'ours', title: 'ours' }

  it('gives medians, the sum of all CPU, and the median of the ratios of each round', () => {
    const uses = [use(200, { walMb: 1 }), use(3000, { walMb: 2 }), use(400, { walMb: 9 })]
    const baseline = [use(100), use(1000), use(100)]
    expect(asContender(names, uses, baseline)).toMatchObject({
      wallMs: 400,
      cpuS: 6,
      walMb: 2,
      ratio: 3,
      bytesMb: undefined,
    })
  })

  it('gives no CPU as a whole if one part of it is unknown', () => {
    const uses = [use(1, { sourceCpuS: undefined })]
    expect(asContender(names, uses, uses)).toMatchObject({ cpuS: undefined, processCpuS: 1 })
  })
})

describe('checkSameStar()', () => {
  const star: StarState = {
    tables: { fact: { rows: 2, hash: '12' }, dim: { rows: 0, hash: '0' } },
    definitions: ['fact: fact_pkey PRIMARY KEY (id)'],
  }

  it('accepts equal end states', () => {
    expect(() => checkSameStar(star, structuredClone(star))).not.toThrow()
  })

  it('names each table with other rows, other values, or no partner', () => {
    const other = {
      ...star,
      tables: { fact: { rows: 2, hash: '13' }, more: { rows: 1, hash: '1' } },
    }
    const compare = () => checkSameStar(star, other)
    expect(compare).toThrow('fact (2 rows and 2 rows)')
    expect(compare).toThrow('dim (0 rows and no rows)')
    expect(compare).toThrow('more (no rows and 1 rows)')
  })

  it('names a key or an index that only one has', () => {
    const other = { ...star, definitions: [] }
    expect(() => checkSameStar(star, other)).toThrow('fact_pkey')
    expect(() => checkSameStar(other, star)).toThrow('fact_pkey')
  })
})
