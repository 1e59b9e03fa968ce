import { describe, expect, it } from 'vitest'
import type { MirrorSettings } from '../../src/platform/project/mirror-settings.ts'
import { createMirror, expectEqual, runEqual, versionsOf } from './mirror.ts'
import type { TestSystem } from './system.ts'

/** What happens in the source between two runs: SQL, or more. */
export type Step = string | ((system: TestSystem) => Promise<void>)

/** Something that happens to a database, and the versions that a mirror must have of it in the end. */
export interface Scenario {
  readonly name: string
  /** The database at first. */
  readonly setup: string
  /** After each step, a run; then everything must be equal, see `expectEqual`. */
  readonly steps: readonly Step[]
  /** Every version by table, in order, as `versionsOf` prints it. */
  readonly versions: Readonly<Record<string, readonly string[]>>
  readonly settings?: MirrorSettings
}

/** Three rows with a moment that no update moves by itself. */
export const THREE = `
  create table t (id int primary key, v text, moved timestamp default '2024-01-01');
  insert into t values (1, 'a'), (2, 'b'), (3, 'c');`

const MOVED = '2024-01-01 00:00:00'

/** Versions of `t` in `THREE`: those of the first run, and then these. */
export function three(...later: readonly string[]): Scenario['versions'] {
  return {
    t: ['insert 1,a', 'insert 2,b', 'insert 3,c', ...later].map((each) => `${each},${MOVED}`),
  }
}

/** A test for each scenario, under one title. */
export function runScenarios(title: string, scenarios: readonly Scenario[]): void {
  describe(`a mirror of ${title}`, () => {
    it.each(scenarios)('I1 I6 I7 $name', async ({ setup, steps, versions, settings }) => {
      await using system = await createMirror(setup, settings)
      await runEqual(system)
      for (const step of steps) {
        if (typeof step === 'string') await system.sql.query(step)
        else await step(system)
        await runEqual(system)
      }
      for (const [table, wanted] of Object.entries(versions)) {
        expect(await versionsOf(system, table), table).toEqual(wanted)
      }
      // A run that finds nothing new makes nothing.
      const { length } = await system.records()
      await system.run()
      expect(await system.records()).toHaveLength(length)
      await expectEqual(system)
    })
  })
}
