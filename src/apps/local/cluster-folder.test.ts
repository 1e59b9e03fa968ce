import * as fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { clusterFolder, sweepClusters } from './cluster-folder.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'

// Run by root, Postgres is another user, who cannot reach a home that is closed to others.
const isRoot = process.getuid?.() === 0
const settings = { fsync: 'off', shared_buffers: '16MB' }
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-closed-'))
const account = { uid: 65534, gid: 65534 }
const start = (home: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: home, settings })

afterAll(async () => {
  fs.rmSync(folder, { recursive: true, force: true })
  if (isRoot) await sweepClusters()
})

function makeHome(name: string): string {
  const home = path.join(folder, name)
  fs.mkdirSync(home)
  return home
}

/** The folder outside the home, and a file that stands for its cluster. */
function makeCluster(home: string): string {
  const cluster = clusterFolder(home, account)
  fs.mkdirSync(cluster, { recursive: true })
  return cluster
}

it('clusterFolder() is in the home if the server is the same user', () => {
  const home = makeHome('own')
  expect(clusterFolder(home, undefined)).toBe(path.join(fs.realpathSync(home), 'cluster'))
})

describe.runIf(isRoot)('a cluster outside its home', () => {
  it('is removed once its home is, when any other starts', async () => {
    const home = path.join(folder, 'removed/postgres')
    const first = await start(home)
    const { dataDir } = first
    expect(dataDir.startsWith(folder)).toBe(false)
    await first.stop()
    fs.rmSync(path.dirname(home), { recursive: true })
    await using other = await start(path.join(folder, 'other/postgres'))
    expect(fs.existsSync(path.dirname(dataDir))).toBe(false)
    expect(fs.existsSync(other.dataDir)).toBe(true)
  })

  it('stays while its home does, and while its server is in use', async () => {
    const home = path.join(folder, 'used/postgres')
    await using used = await start(home)
    await sweepClusters()
    expect(fs.existsSync(used.dataDir)).toBe(true)
    fs.rmSync(path.dirname(home), { recursive: true })
    await sweepClusters()
    expect(fs.existsSync(used.dataDir)).toBe(true)
    await used.stop()
    await sweepClusters()
    expect(fs.existsSync(used.dataDir)).toBe(false)
  })

  it('stays with its home when that is moved, and does not go to a copy of it', async () => {
    const cluster = makeCluster(makeHome('here'))
    fs.cpSync(path.join(folder, 'here'), path.join(folder, 'copy'), { recursive: true })
    expect(clusterFolder(path.join(folder, 'copy'), account)).not.toBe(cluster)
    fs.renameSync(path.join(folder, 'here'), path.join(folder, 'there'))
    expect(clusterFolder(path.join(folder, 'there'), account)).toBe(cluster)
    await sweepClusters()
    expect(fs.existsSync(cluster)).toBe(true)
  })

  it('stays while its home may be on a disk that is not mounted', async () => {
    const home = makeHome('away')
    const cluster = makeCluster(home)
    const note = path.join(path.dirname(cluster), 'home.json')
    fs.writeFileSync(note, JSON.stringify({ home, device: -1 }))
    fs.rmSync(home, { recursive: true })
    await sweepClusters()
    expect(fs.existsSync(cluster)).toBe(true)
    fs.writeFileSync(note, JSON.stringify({ home, device: fs.statSync(folder).dev }))
    await sweepClusters()
    expect(fs.existsSync(cluster)).toBe(false)
  })

  it('is never anything that Tidemark did not make', async () => {
    const base = makeHome('base')
    const strange = ['tidemark', 'tidemark-0123456789abcdef', 'tidemark-fedcba9876543210']
    for (const name of strange) fs.mkdirSync(path.join(base, name))
    const note = JSON.stringify({ home: '/gone', device: fs.statSync('/').dev })
    fs.writeFileSync(path.join(base, 'tidemark', 'home.json'), note)
    fs.writeFileSync(path.join(base, 'tidemark-fedcba9876543210', 'home.json'), note)
    fs.chownSync(path.join(base, 'tidemark-fedcba9876543210'), account.uid, account.gid)
    await sweepClusters([base])
    expect(fs.readdirSync(base).toSorted()).toEqual(strange)
  })
})
