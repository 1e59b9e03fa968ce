import { expect, it } from 'vitest'
import { parseDeclarations } from './declaration.ts'

/** As for Totesys. */
const DECLARED_IN = { location: 'reports.json', groups: ['finance', 'analyst'] }

const REPORT = {
  name: 'weekly-sales',
  page: '/sales',
  filters: { period: '4w', counterparty: 3 },
  access: 'analyst',
  to: ['ann@example.org'],
  schedule: { every: 'week', on: 'monday', at: '08:00', zone: 'Europe/London' },
}
const THRESHOLD = {
  name: 'overdue-gbp',
  question: 'y04_overdue_by_age',
  rows: { direction: 'in', paid: false },
  column: 'amount',
  is: 'over',
  value: 1_000_000,
  access: ['analyst', 'finance'],
  to: ['ann@example.org', 'bob@example.org', 'Ann@example.org'],
}

const parse = (content: unknown) => parseDeclarations(JSON.stringify(content), DECLARED_IN)

it('parseDeclarations() reads reports and thresholds, each person once', () => {
  const { valid, broken } = parse({ reports: [REPORT], thresholds: [THRESHOLD] })
  expect(broken).toEqual([])
  expect(valid).toEqual([
    {
      kind: 'report',
      name: 'weekly-sales',
      page: '/sales',
      question: undefined,
      filters: { period: '4w', counterparty: '3' },
      groups: new Set(['analyst']),
      recipients: ['ann@example.org'],
      schedule: REPORT.schedule,
    },
    {
      kind: 'threshold',
      name: 'overdue-gbp',
      question: 'y04_overdue_by_age',
      filters: {},
      rows: { direction: 'in', paid: 'f' },
      column: 'amount',
      is: 'over',
      value: '1000000',
      groups: new Set(['analyst', 'finance']),
      recipients: ['Ann@example.org', 'bob@example.org'],
    },
  ])
})

it('parseDeclarations() says of each broken declaration what is wrong, and keeps the others', () => {
  const daily = { every: 'day', at: '08:00', zone: 'UTC' }
  const { valid, broken } = parse({
    reports: [
      { ...REPORT, name: 'bad-zone', schedule: { ...daily, zone: 'Europe/Lodnon' } },
      { ...REPORT, name: 'bad-time', schedule: { ...daily, at: '8:00' } },
      { ...REPORT, name: 'bad-day', schedule: { ...REPORT.schedule, on: 'Monday' } },
      { ...REPORT, name: 'bad-rhythm', schedule: { ...daily, every: 'hour' } },
      { ...REPORT, name: 'bad-address', to: ['ann@example.org', 'bob'] },
      { ...REPORT, name: 'two-subjects', question: 's02_sales_by_week' },
      { ...REPORT, name: 'page-and-saved', saved: 'late' },
      { ...REPORT, name: 'no-subject', page: undefined },
      { ...REPORT, name: 'bad-group', access: 'everybody' },
      { ...REPORT, name: 'Bad Name' },
      { ...REPORT, name: 'misspelled', recipients: [] },
      REPORT,
      REPORT,
      'nothing',
    ],
    thresholds: [
      { ...THRESHOLD, is: 'above' },
      { ...THRESHOLD, name: 'no-number', value: '1,000' },
      { ...THRESHOLD, name: 'two-questions', saved: 'late' },
      { ...THRESHOLD, name: 'no-question', question: undefined },
    ],
  })
  expect(valid.map(({ name }) => name)).toEqual(['weekly-sales'])
  const faults = broken.map(({ name, faults: found }) => `${name} | ${found.join(' | ')}`)
  expect(faults).toEqual([
    'bad-zone | schedule.zone: is not a time zone; use a name such as Europe/London',
    'bad-time | schedule.at: must be a time as hh:mm',
    expect.stringMatching(/^bad-day \| schedule\.on: must be one of monday, tuesday/),
    'bad-rhythm | schedule.every: must have "every": "day", "week" or "month"',
    'bad-address | to.1: must be an e-mail address',
    'two-subjects | needs one of "page", "question" and "saved"',
    'page-and-saved | needs one of "page", "question" and "saved"',
    'no-subject | needs one of "page", "question" and "saved"',
    'bad-group | access: must be "finance", "analyst" or a list of both',
    'reports[9] | name: must be 1 to 63 characters of a-z, 0-9 and -',
    'misspelled | there is no field called recipients',
    'weekly-sales | name: another declaration has it already',
    expect.stringMatching(/^reports\[13\] \| /),
    'overdue-gbp | is: must be one of over, under, at least, at most',
    'no-number | value: must be a decimal number',
    'two-questions | needs either "question" or "saved", and not both',
    'no-question | needs either "question" or "saved", and not both',
  ])
})

it.each(['', '{', '[]', '{"report": []}', '{"reports": {}}'])(
  'parseDeclarations() refuses a file that is not what it must be: %s',
  (text) => {
    expect(() => parseDeclarations(text, DECLARED_IN)).toThrow(
      expect.objectContaining({ code: 'REPORTS_FILE' }),
    )
  },
)

it('parseDeclarations() reads a file with a byte order mark, and one that declares nothing', () => {
  expect(parseDeclarations('\uFEFF{}', DECLARED_IN)).toEqual({ valid: [], broken: [] })
})
