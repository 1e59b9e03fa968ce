import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'

import { startEmbeddedPostgres } from '../../src/apps/local/embedded-postgres.ts'
import { findS3Obstacle } from './find-s3-obstacle.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's connection string to the maintenance database of the tests' cluster. */
    postgresUrl: string
  }
}

const schema = new URL('../../src/totesys/living/schema.sql', import.meta.url)

interface Cluster {
  readonly url: string
  stop(): Promise<void>
}

/** Each project of a run has this module to itself; what they share is here. */
const shared: typeof globalThis & { tidemarkCluster?: Promise<Cluster> } = globalThis

/** One throw-away cluster for the whole run; tests clone its databases (`createDatabase`). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const isFirst = shared.tidemarkCluster === undefined
  shared.tidemarkCluster ??= startCluster()
  const { url, stop } = await shared.tidemarkCluster
  project.provide('postgresUrl', url)
  return async () => {
    if (isFirst) await stop()
  }
}

async function startCluster(): Promise<Cluster> {
  const obstacle = findS3Obstacle()
  if (obstacle !== undefined && process.env['TIDEMARK_REQUIRE_S3'] !== '1') {
    process.stderr.write(`S3 tests are skipped: ${obstacle}\n`)
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tidemark-test-'))
  // For root, the server runs as another user, who must be able to enter.
  chmodSync(folder, 0o711)
  const postgres = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'postgres'),
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
      max_prepared_transactions: 10,
      max_connections: 200,
      // Tests log in thousands of times.
      scram_iterations: 1,
      max_wal_size: '256MB',
    },
  })
  await createTemplate(postgres.url('postgres'), postgres.url('totesys_template'))
  return {
    url: postgres.url('postgres'),
    async stop() {
      await postgres.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function createTemplate(maintenanceUrl: string, templateUrl: string): Promise<void> {
  const { username, password } = new URL(maintenanceUrl)
  const steps: [string, string][] = [
    // Hashed again, with as many iterations as the settings say.
    [maintenanceUrl, `alter role ${username} password '${decodeURIComponent(password)}'`],
    [maintenanceUrl, 'create database totesys_template'],
    [templateUrl, readFileSync(schema, 'utf8')],
  ]
  for (const [url, sql] of steps) {
    const client = new pg.Client(url)
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
}
