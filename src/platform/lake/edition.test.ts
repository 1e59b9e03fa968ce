import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { derived } from '../../../test/support/derived.ts'
import { createMemory } from '../io/memory.ts'
import { generationOf, isNewerEdition, withEdition } from '../project/generation.ts'
import { findEdition, prepareEdition, readBeginning } from './edition.ts'
import { diskStore } from './store/disk-store.ts'
import type { ObjectStore } from './store/object-store.ts'

const project = derived()

describe('findEdition()', () => {
  let folder: string
  let store: ObjectStore
  let asked: string[]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-edition-'))
    const disk = diskStore(folder)
    asked = []
    store = {
      ...disk,
      async get(key) {
        asked.push(key)
        return await disk.get(key)
      },
    }
  })
  afterEach(() => rm(folder, { recursive: true }))

  const placeOf = (edition: number) => ({ store, project: withEdition(project, edition) })
  const begin = (edition: number, upTo = 7) => prepareEdition(placeOf(edition), { upTo })

  it('finds the first one in an empty store, with one request', async () => {
    expect(await findEdition({ store, project, memory: createMemory() })).toBe(1)
    expect(asked).toEqual([`${generationOf(project)}.2/batch/edition.json`])
  })

  it('finds the newest one, however many there are and whatever is remembered', async () => {
    const memory = createMemory()
    for (const edition of [1, 2, 3, 4]) {
      await begin(edition)
      expect(await findEdition({ store, project, memory: createMemory() })).toBe(edition)
      expect(await findEdition({ store, project, memory })).toBe(edition)
    }
  })

  it('reads how an edition began, as the first call said, and nothing from a damaged object', async () => {
    expect(await readBeginning(placeOf(2))).toBeUndefined()
    await begin(2)
    await begin(2, 8)
    expect(await readBeginning(placeOf(2))).toEqual({ upTo: 7 })
    await store.putIfAbsent(`${generationOf(project)}.3/batch/edition.json`, Buffer.from('{"up'))
    expect(await readBeginning(placeOf(3))).toBeUndefined()
  })

  it('asks for two objects while a later one is remembered and in force', async () => {
    const memory = createMemory()
    for (const edition of [1, 2, 3]) await begin(edition)
    await findEdition({ store, project, memory })
    asked = []
    expect(await findEdition({ store, project, memory })).toBe(3)
    expect(asked).toHaveLength(2)
  })

  it('notices that the remembered one is gone', async () => {
    const memory = createMemory()
    for (const edition of [1, 2, 3]) await begin(edition)
    await findEdition({ store, project, memory })
    await rm(join(folder, generationOf(withEdition(project, 3))), { recursive: true })
    expect(await findEdition({ store, project, memory })).toBe(2)
    await rm(join(folder, generationOf(withEdition(project, 2))), { recursive: true })
    expect(await findEdition({ store, project, memory })).toBe(1)
  })
})

describe('isNewerEdition()', () => {
  it('compares numbers, within one generation only', () => {
    expect(isNewerEdition('abc.2', 'abc')).toBe(true)
    expect(isNewerEdition('abc.10', 'abc.9')).toBe(true)
    expect(isNewerEdition('abc', 'abc')).toBe(false)
    expect(isNewerEdition('abc', 'abc.2')).toBe(false)
    expect(isNewerEdition('abd.2', 'abc')).toBe(false)
    expect(isNewerEdition('', 'abc.2')).toBe(false)
  })
})
