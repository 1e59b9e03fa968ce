import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { templatesOf } from '../../src/infra/template-facts.ts'
import { resourcesOf } from '../../src/infra/template.ts'
import { createFunctions, type Functions } from '../support/functions.ts'
import { isS3Missing, type S3Server, startS3Server } from '../support/s3-server.ts'
import { createSystemOnS3 } from '../support/s3-system.ts'
import { seedTotesys } from '../support/small-totesys.ts'
import { context, type Execution, execute } from '../support/state-machine.ts'
import type { TestSystem } from '../support/system.ts'

/** The parts of an alarm that decide whether it is raised. */
interface Rule {
  readonly Namespace: string
  readonly MetricName: string
  readonly Statistic: string
  readonly Threshold: number
  readonly ComparisonOperator: string
  readonly TreatMissingData: string
  readonly Dimensions: readonly { readonly Name: string; readonly Value: unknown }[]
}

const rules = new Map<string, Rule>(
  [...templatesOf({ alertEmail: 'alerts@example.org', drop: 's3://others/drop' }).values()].flatMap(
    (template) =>
      resourcesOf(template, 'AWS::CloudWatch::Alarm').map(([, alarm]) => {
        const { AlarmName, ...rule } = alarm as unknown as Rule & { AlarmName: string }
        return [AlarmName.replace('tidemark-', ''), rule] as const
      }),
  ),
)

/** The metrics of one period as CloudWatch has them, from the runs in that period. */
interface Period {
  readonly functions: Functions
  readonly executions: readonly Execution[]
  /** Invocations that ended in an error, by function. */
  readonly errors: Readonly<Record<string, number>>
}

/** The alarms of a deployment that one period raises. */
function raisedBy(period: Period): string[] {
  return [...rules]
    .flatMap(([name, rule]) => (isRaised(rule, valuesOf(rule, period)) ? [name] : []))
    .toSorted()
}

function isRaised(rule: Rule, values: readonly number[]): boolean {
  if (values.length === 0) return rule.TreatMissingData === 'breaching'
  const value = STATISTICS[rule.Statistic]?.(values) ?? NaN
  return rule.ComparisonOperator === 'GreaterThanThreshold'
    ? value > rule.Threshold
    : value >= rule.Threshold
}

const STATISTICS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  Maximum: (values) => Math.max(...values),
  Minimum: (values) => Math.min(...values),
  Sum: (values) => values.reduce((sum, each) => sum + each, 0),
}

/** AWS's own metrics are counted from the runs; ours are read from the log. */
function valuesOf(rule: Rule, { functions, executions, errors }: Period): number[] {
  const count = (is: (execution: Execution) => boolean) => executions.filter(is).length
  switch (`${rule.Namespace} ${rule.MetricName}`) {
    case 'AWS/States ExecutionsFailed':
      return [count(({ error }) => error !== undefined)]
    case 'AWS/Lambda Errors': {
      const text = JSON.stringify(rule.Dimensions)
      const name = Object.keys(errors).find((each) => text.toLowerCase().includes(each))
      return [name === undefined ? 0 : (errors[name] ?? 0)]
    }
    default:
      return rule.Namespace === 'Tidemark' ? emitted(functions, rule) : []
  }
}

/** Values in embedded metric format, in the alarm's namespace and under its dimensions. */
function emitted(functions: Functions, rule: Rule): number[] {
  return functions.lines().flatMap((line) => {
    const { _aws: aws } = line as { _aws?: { CloudWatchMetrics: Directive[] } }
    return (aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions, Metrics }) => {
      const isSame =
        Namespace === rule.Namespace &&
        Metrics.some(({ Name }) => Name === rule.MetricName) &&
        Dimensions.some((names) => names.length === rule.Dimensions.length) &&
        rule.Dimensions.every(({ Name, Value }) => line[Name] === Value)
      return isSame ? [Number(line[rule.MetricName])] : []
    })
  })
}

interface Directive {
  readonly Namespace: string
  readonly Dimensions: string[][]
  readonly Metrics: { Name: string }[]
}

describe.skipIf(isS3Missing)('alarms', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(async () => server?.[Symbol.asyncDispose]())

  /** Alarms raised by some runs, after `change` was done to a system that has run once before. */
  async function raisedAfter(
    change: (system: TestSystem, functions: Functions) => Promise<unknown>,
    { runs = 1 } = {},
  ): Promise<string[]> {
    await using system = await createSystemOnS3(server)
    await seedTotesys(system.sql)
    {
      await using before = await createFunctions(system, { server })
      await execute(before)
    }
    await using functions = await createFunctions(system, { server })
    await change(system, functions)
    const errors: Record<string, number> = { extract: 0, transform: 0, load: 0 }
    const counted = Object.fromEntries(
      (['extract', 'transform', 'load'] as const).map((name) => [
        name,
        (...given: Parameters<Functions['extract']>) =>
          functions[name](...given).catch((error: unknown) => {
            errors[name] = (errors[name] ?? 0) + 1
            throw error
          }),
      ]),
    ) as unknown as Pick<Functions, 'extract' | 'transform' | 'load'>
    await functions.collect({}, context())
    const executions: Execution[] = []
    for (let run = 0; run < runs; run++)
      executions.push(await execute({ ...functions, ...counted }))
    return raisedBy({ functions, executions, errors })
  }

  it('none is raised by runs that do their job, whether or not something changed', async () => {
    expect(await raisedAfter(async () => {}, { runs: 2 })).toEqual([])
    expect(
      await raisedAfter(({ sql }) => sql.query('update sales_order set units_sold = 7')),
    ).toEqual([])
  })

  it('a source that refuses: the run and, if it keeps refusing, the function', async () => {
    const refuse = async (_: TestSystem, { secrets }: Functions) => {
      const url = secrets.secrets.get('tidemark/source') ?? ''
      secrets.secrets.set('tidemark/source', url.replace(/:[^:@]+@/, ':wrong@'))
    }
    expect(await raisedAfter(refuse)).toEqual(['executions-failed'])
    expect(await raisedAfter(refuse, { runs: 3 })).toEqual(['executions-failed', 'extract-errors'])
  })

  it('a warehouse that refuses: the same, and freshness, because its age is unknown', async () => {
    const refuse = async (_: TestSystem, { secrets }: Functions) => {
      const url = secrets.secrets.get('tidemark/warehouse') ?? ''
      secrets.secrets.set('tidemark/warehouse', url.replace(/:[^:@]+@/, ':wrong@'))
    }
    expect(await raisedAfter(refuse, { runs: 3 })).toEqual([
      'executions-failed',
      'freshness',
      'load-errors',
    ])
  })

  it('a lake that is damaged: transform', async () => {
    const damage = async ({ sql }: TestSystem) => {
      await sql.query('update sales_order set units_sold = 7')
      vi.stubEnv('TIDEMARK_PROCESSED', 's3://no-such-bucket-of-anybody/processed')
    }
    expect(await raisedAfter(damage, { runs: 3 })).toEqual(
      expect.arrayContaining(['executions-failed', 'transform-errors']) as string[],
    )
  })

  it('a row that fits no rule is quarantined, and a column that is gone holds its table', async () => {
    expect(
      await raisedAfter(({ sql }) =>
        sql.query(`update sales_order set agreed_delivery_date = 'TBC' where sales_order_id = 1`),
      ),
    ).toEqual(['rows-quarantined'])
    const held = await raisedAfter(
      ({ sql }) => sql.query('alter table design rename file_name to file_title'),
      { runs: 2 },
    )
    // Its raw rows are in quarantine with the reason.
    expect(held.filter((name) => name !== 'rows-quarantined')).toEqual(['tables-held'])
  })

  it('a table emptied by accident', async () => {
    await using system = await createSystemOnS3(server)
    await seedTotesys(system.sql)
    await system.sql.query(`
      insert into department (department_id, department_name, location, created_at, last_updated)
      select i, 'D' || i, 'Leeds', now(), now() from generate_series(100, 400) i`)
    {
      await using before = await createFunctions(system, { server })
      await execute(before)
    }
    await system.sql.query('delete from department where department_id >= 100')
    await using functions = await createFunctions(system, { server })
    await functions.collect({}, context())
    // Still raised by the second run, which finds nothing new.
    await execute(functions)
    const executions = [await execute(functions)]
    expect(raisedBy({ functions, executions, errors: {} })).toEqual(['deletes-held'])
  })

  it('a drop that cannot be read, until it can be read again', async () => {
    await using system = await createSystemOnS3(server)
    await seedTotesys(system.sql)
    await using functions = await createFunctions(system, { server })
    const executions = [await execute(functions)]
    vi.stubEnv('TIDEMARK_DROP', 's3://no-such-bucket-of-anybody/drop')
    await functions.collect({}, context())
    expect(raisedBy({ functions, executions, errors: {} })).toEqual(['feeds-unreachable'])
    vi.stubEnv('TIDEMARK_DROP', `s3://${system.bucket}/drop`)
    await functions.collect({}, context())
    expect(raisedBy({ functions, executions, errors: {} })).toEqual([])
  })

  it('an old warehouse, a dead schedule, and memory that runs short', async () => {
    await using system = await createSystemOnS3(server)
    await using functions = await createFunctions(system, { server })
    expect(raisedBy({ functions, executions: [], errors: {} })).toEqual([
      'feeds-unreachable',
      'freshness',
    ])
    const { publishMetrics } = await import('../../src/apps/aws/logging.ts')
    publishMetrics({ freshness: 16 * 60, memory: 95 })
    expect(raisedBy({ functions, executions: [], errors: {} })).toEqual([
      'feeds-unreachable',
      'freshness',
      'memory-near-limit',
    ])
  })
})
