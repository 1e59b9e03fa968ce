import { expect, it } from 'vitest'
import { heldAdvice } from './held-advice.ts'

it.each([
  ['source', 'column_missing', 'tidemark doctor'],
  ['source', 'unreadable', 'tidemark doctor'],
  ['source', 'a_new_reason', 'tidemark doctor'],
  ['source', 'locked', 'tidemark run'],
  ['source', 'deferred', 'tidemark run'],
  ['source', 'key_not_unique', 'correct the keys in the source, then: tidemark run'],
  ['source', 'too_many_rejected', 'TIDEMARK_QUARANTINE_PERCENT, then: tidemark run'],
  ['source', 'scratch_full', 'change that, then: tidemark run'],
  ['source', 'mass_deletion', 'tidemark run --confirm-deletes staff'],
  ['star', 'too_many_rejected', 'tidemark quarantine list staff'],
] as const)('heldAdvice() names the command for a %s table held as %s', (kind, reason, advice) => {
  expect(heldAdvice({ table: 'staff', reason, kind })).toContain(advice)
})
