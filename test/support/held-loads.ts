import type { TestDatabase } from './database.ts'

/** As a run's environment has it, so that none gives up while it is held. */
export const PATIENT_RUN = { TIDEMARK_LOCK_WAIT_SECONDS: '3600' }

/**
 * Does something while every load of a warehouse waits for its turn: a run does all that comes
 * before, and goes on waiting for however long somebody needs to kill it.
 */
export async function whileLoadsWait<Result>(
  warehouse: TestDatabase,
  work: () => Promise<Result>,
): Promise<Result> {
  const holder = await warehouse.client()
  await holder.query('create table if not exists tidemark_lock ()')
  await holder.query('begin; lock table tidemark_lock in exclusive mode')
  try {
    return await work()
  } finally {
    await holder.query('rollback')
  }
}
