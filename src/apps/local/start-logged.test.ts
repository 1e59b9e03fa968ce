import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import type { AppLogEntry } from '../log.ts'
import { startLogged } from './start-logged.ts'

it('startLogged() uses the binaries that the settings name, and logs no server that did not start', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tidemark-logged-'))
  const config = parseConfig({ TIDEMARK_HOME: home, TIDEMARK_PG_BIN: join(home, 'no-such-bin') })
  const entries: AppLogEntry[] = []
  const started = startLogged(config, { folder: 'warehouse', log: (entry) => entries.push(entry) })
  await expect(started).rejects.toMatchObject({ name: 'ConfigError' })
  expect(entries).toEqual([])
  expect(readdirSync(join(home, 'warehouse'))).not.toContain('cluster')
  rmSync(home, { recursive: true })
})
