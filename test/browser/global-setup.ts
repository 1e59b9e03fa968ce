import type { TestProject } from 'vitest/node'
import { findChromium, NO_CHROMIUM } from './chromium.ts'
import { type Landmarks, liveThrough, openWorld } from './world.ts'

/** What the tests of a run look at; nobody changes it. */
export interface Site extends Landmarks {
  readonly url: string
  readonly chromium: string
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined where there is no browser: the tests are skipped then. */
    site: Site | undefined
  }
}

/** One lived-in world and its server for all files; stopped when the last test has ended. */
export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const chromium = findChromium(process.env)
  if (chromium === undefined) {
    if (process.env['CI'] !== undefined) throw new Error(NO_CHROMIUM)
    process.stderr.write(`Tests in a browser are skipped, ${NO_CHROMIUM}\n`)
    project.provide('site', undefined)
    return undefined
  }
  const world = await openWorld({ salesOrders: 420, days: 12 })
  try {
    const landmarks = await liveThrough(world)
    const server = await world.serve()
    project.provide('site', { url: server.url, chromium, ...landmarks })
    return async () => {
      await server[Symbol.asyncDispose]()
      await world[Symbol.asyncDispose]()
    }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}
