import { verify } from '../src/platform/inspect/verify.ts'
import { extract, run } from '../src/platform/pipeline.ts'
import { depsAt, type Place } from './deps.ts'

/** One whole run. Throws what made it fail. */
export async function runOnce(place: Place): Promise<void> {
  const { failures } = await run(depsAt(place))
  if (failures[0] !== undefined) throw failures[0].error
}

/** An extract of everything that has changed. */
export async function extractOnce(place: Place): Promise<void> {
  await extract(depsAt(place))
}

/** A verification of everything. Throws if it finds a difference. */
export async function verifyOnce(place: Place): Promise<void> {
  const { isEqual } = await verify(depsAt(place))
  if (!isEqual) throw new Error('verify found a difference')
}
