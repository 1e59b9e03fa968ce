import { expect, it } from 'vitest'
import type { Cause, Judge, Seen } from './causes.ts'
import {
  CALM_MS,
  type Entry,
  noticeBetween,
  nextEntry,
  NOTHING_YET,
  REMIND_MS,
} from './episodes.ts'

const MINUTE = 60_000
const START = Date.parse('2026-11-20T10:00:00Z')
const at = (ms: number) => new Date(START + ms)

const cause = (key: string, judge: Judge = 'extract'): Cause => ({
  key,
  judges: [judge],
  subject: `${key} happened`,
  says: 'It happened.',
  detail: key,
  safe: 'All is.',
  next: 'tidemark doctor',
})

const seen = (...causes: Cause[]): Seen => ({ causes, judged: new Set(['extract', 'load']) })

/** What somebody is told who is told of every entry, by the minute. */
function tell(looks: readonly (readonly [ms: number, seen: Seen])[]): string[] {
  let entry: Entry = NOTHING_YET
  const told: string[] = []
  for (const [ms, look] of looks) {
    const next = nextEntry(entry, look, at(ms))
    if (next === undefined) continue
    const news = noticeBetween(entry, next)
    entry = next
    if (news === undefined) continue
    const keys = (list: readonly { key: string }[]) => list.map(({ key }) => key).join(',')
    told.push(
      `${ms / MINUTE}: begun ${keys(news.begun)} over ${keys(news.over)} lasting ${keys(news.lasting)}`,
    )
  }
  return told
}

it('nextEntry() records nothing while nothing is wrong', () => {
  expect(nextEntry(NOTHING_YET, seen(), at(0))).toBeUndefined()
})

it('a cause is told when it begins and when it is over, and not in between', () => {
  expect(
    tell([
      [0, seen(cause('a'))],
      [MINUTE, seen(cause('a'))],
      [2 * MINUTE, seen()],
      [3 * MINUTE, seen()],
    ]),
  ).toEqual(['0: begun a over  lasting ', '2: begun  over a lasting '])
})

it('a new cause is told while another lasts, and several at once are told together', () => {
  expect(
    tell([
      [0, seen(cause('a'), cause('b'))],
      [MINUTE, seen(cause('a'), cause('b'), cause('c'))],
      [2 * MINUTE, seen(cause('d'))],
    ]),
  ).toEqual([
    '0: begun a,b over  lasting ',
    '1: begun c over  lasting a,b',
    '2: begun d over a,b,c lasting ',
  ])
})

it('a cause is over only if its judge looked', () => {
  const elsewhere: Seen = { causes: [], judged: new Set(['freshness']) }
  expect(
    tell([
      [0, seen(cause('a'))],
      [MINUTE, elsewhere],
    ]),
  ).toHaveLength(1)
})

it('what lasts is told again once a day', () => {
  const looks = Array.from(
    { length: 50 },
    (_, hour) => [hour * 60 * MINUTE, seen(cause('a'))] as const,
  )
  expect(tell(looks)).toEqual([
    '0: begun a over  lasting ',
    `${REMIND_MS / MINUTE}: begun  over  lasting a`,
    `${(2 * REMIND_MS) / MINUTE}: begun  over  lasting a`,
  ])
})

it('a cause that comes back soon is told once more, and is over once it stays away', () => {
  const flapping = Array.from(
    { length: 120 },
    (_, minute) => [minute * MINUTE, minute % 2 === 0 ? seen(cause('a')) : seen()] as const,
  )
  const after = CALM_MS / MINUTE
  const calm = Array.from(
    { length: after },
    (_, minute) => [(120 + minute) * MINUTE, seen()] as const,
  )
  const told = tell([...flapping, ...calm])
  expect(told.slice(0, 3)).toEqual([
    '0: begun a over  lasting ',
    '1: begun  over a lasting ',
    '2: begun a over  lasting ',
  ])
  expect(told).toHaveLength(4)
  expect(told[3]).toMatch(/^1[34]\d: begun {2}over a lasting $/)
})

it('a cause that comes back after a quiet time is a new one', () => {
  expect(
    tell([
      [0, seen(cause('a'))],
      [MINUTE, seen()],
      [MINUTE + CALM_MS, seen(cause('a'))],
      [2 * MINUTE + CALM_MS, seen()],
    ]),
  ).toHaveLength(4)
})

it('noticeBetween() tells somebody who missed entries what is so now, with how long it lasted', () => {
  const first = nextEntry(NOTHING_YET, seen(cause('a')), at(0))!
  const second = nextEntry(first, seen(cause('b')), at(MINUTE))!
  const third = nextEntry(second, seen(cause('b'), cause('c', 'load')), at(2 * MINUTE))!
  const news = noticeBetween(first, third)!
  expect(news.begun.map(({ key }) => key)).toEqual(['b', 'c'])
  expect(news.over).toMatchObject([{ key: 'a', endedAt: at(MINUTE).toISOString() }])
  expect(noticeBetween(NOTHING_YET, third)!.over).toEqual([])
  expect(noticeBetween(third, third)).toBeUndefined()
})

it('an entry keeps what was over for a week, and the newest words of what lasts', () => {
  const first = nextEntry(NOTHING_YET, seen(cause('a'), cause('b')), at(0))!
  const changed = { ...cause('b'), detail: 'more of b' }
  const second = nextEntry(first, seen(changed), at(MINUTE))!
  expect(second.active).toMatchObject([{ detail: 'more of b', since: at(0).toISOString() }])
  expect(second.ended).toHaveLength(1)
  const week = 7 * 24 * 60 * MINUTE + 2 * MINUTE
  expect(nextEntry(second, seen(), at(week))!.ended.map(({ key }) => key)).toEqual(['b'])
})
