import { randomBytes } from 'node:crypto'
import {
  findReaderExcess,
  type ReaderExcess,
} from '../../src/platform/presentation/reader-excess.ts'
import { migrate } from '../../src/platform/warehouse/migrate.ts'
import {
  inSnapshot,
  openWarehouse,
  type Warehouse,
} from '../../src/platform/warehouse/warehouse.ts'
import type { TestSystem } from './system.ts'

/** The warehouse of a test as its reader sees it in service: what the loader granted, and no more. */
export interface TestReader extends AsyncDisposable {
  readonly warehouse: Warehouse
  readonly role: string
}

/** Makes a role as `prepareDatabases` does, and has the loader grant it what it may read. */
export async function createTestReader(system: TestSystem): Promise<TestReader> {
  const { warehouse, deps } = system
  const role = `reader_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await warehouse.query(`create role ${role} login password '${password}'`)
  await warehouse.query(`grant connect on database ${warehouse.name} to ${role}`)
  const loader = { ...deps.warehouse, readerRole: role }
  await using client = await openWarehouse(loader)
  await migrate(client, deps.project, { waitMs: 1000 })
  const url = new URL(warehouse.url)
  url.username = role
  url.password = password
  return {
    role,
    warehouse: { ...loader, url: url.href, attempts: 1 },
    async [Symbol.asyncDispose]() {
      await warehouse.query(`drop owned by ${role}`)
      await warehouse.query(`drop role ${role}`)
    },
  }
}

/** What a warehouse's role may do beyond reading. */
export async function readReaderExcess(warehouse: Warehouse): Promise<readonly ReaderExcess[]> {
  await using connection = await openWarehouse(warehouse)
  return await inSnapshot(connection, () => findReaderExcess(connection))
}
