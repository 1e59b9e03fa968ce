import type { TestDatabase } from './database.ts'

/** Environment of a run that does not give up while its load waits. */
export const PATIENT_RUN = { TIDEMARK_LOCK_WAIT_SECONDS: '3600' }

/**
 * Does `work` while every load of a warehouse waits for its turn. A run does everything before its
 * load and then waits, so a test can take as long as it needs to kill the run.
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
