import type { MirrorSettings } from '../../src/platform/project/mirror-settings.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { createSystem, type TestSystem } from './system.ts'

/** A mirror with these settings, as a run without a project has it. */
export function mirror(settings: MirrorSettings = {}): Project {
  return {
    name: 'mirror',
    title: 'the source',
    source: { schema: 'public', tables: [] },
    models: [],
    mirror: settings,
  }
}

/** A system that mirrors an empty database, after `schema` was run in it. */
export async function createMirror(
  schema: string,
  settings: MirrorSettings = {},
): Promise<TestSystem> {
  const system = await createSystem({ template: 'empty', project: mirror(settings) })
  await system.sql.query(schema)
  return system
}
