import { fileURLToPath } from 'node:url'
import type { GivenProject } from './apps/project-extension.ts'
import { upOptions } from './totesys/options.ts'

/** The project that Tidemark carries if none is named. Only here do the apps get to know it. */
export const standardProject: GivenProject = {
  folders: ['../src/totesys', '../dist/totesys'].map((folder) =>
    fileURLToPath(new URL(folder, import.meta.url)),
  ),
  isFallback: true,
  template: {
    name: 'totesys',
    leftOut: [
      'the simulated company that `tidemark up` runs',
      'the payments API, and the payments on the page of an order',
      'the server of exchange rates; files of rates are still read',
      'the dashboards in QuickSight',
    ],
  },
  upOptions,
  settings: async () => (await import('./totesys/settings.ts')).totesysSettings,
  async load() {
    const [{ totesys }, { extension }] = await Promise.all([
      import('./totesys/totesys.ts'),
      import('./totesys/extension.ts'),
    ])
    return { project: totesys, extension }
  },
}
