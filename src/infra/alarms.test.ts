import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { METRICS, NAMESPACE, SERVICE } from '../apps/aws/metrics.ts'
import { EVERYTHING } from './synthesize.ts'
import { templatesOf } from './template-facts.ts'
import { resourcesOf } from './template.ts'

interface AlarmProperties {
  readonly AlarmName: string
  readonly AlarmDescription: string
  readonly Namespace: string
  readonly MetricName: string
  readonly Statistic: string
  readonly Threshold: number
  readonly ComparisonOperator: string
  readonly Period: number
  readonly EvaluationPeriods: number
  readonly TreatMissingData: string
  readonly Dimensions: readonly { readonly Name: string; readonly Value: unknown }[]
  readonly AlarmActions: readonly unknown[]
  readonly OKActions: readonly unknown[]
}

const alarms = alarmsOf(EVERYTHING)

function alarmsOf(parameters: Record<string, unknown>): Map<string, AlarmProperties> {
  return new Map(
    [...templatesOf(parameters).values()].flatMap((template) =>
      resourcesOf(template, 'AWS::CloudWatch::Alarm').map(([, properties]) => {
        const made = properties as unknown as AlarmProperties
        return [made.AlarmName, made]
      }),
    ),
  )
}

function alarm(name: string): AlarmProperties {
  const found = alarms.get(`tidemark-${name}`)
  if (found === undefined) throw new Error(`there is no alarm ${name}`)
  return found
}

const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
/** GitHub's anchors of headings that are written as anchors already. */
const entries = [...runbook.matchAll(/^## (\S+)$/gm)].map(([, entry = '']) => entry)

describe('alarms', () => {
  it('are these', () => {
    expect([...alarms.keys()].toSorted()).toEqual(
      [
        'executions-failed',
        'executions-timed-out',
        'freshness',
        'schedule-errors',
        'rows-quarantined',
        'tables-held',
        'deletes-held',
        'memory-near-limit',
        'api-faults',
        'feeds-unreachable',
        'reports-failed',
        ...['extract', 'collect', 'transform', 'load', 'api', 'reports'].flatMap((name) => [
          `${name}-errors`,
          `${name}-throttles`,
        ]),
      ]
        .map((name) => `tidemark-${name}`)
        .toSorted(),
    )
  })

  it.each([...alarms])(
    '%s tells the topic when it is raised and when it is over',
    (_, properties) => {
      expect(properties.AlarmActions.length).toBe(1)
      expect(properties.OKActions).toEqual(properties.AlarmActions)
      expect(JSON.stringify(properties.AlarmActions)).toMatch(/Alerts/)
    },
  )

  it.each([...alarms])('%s names its entry in the runbook', (_, { AlarmDescription }) => {
    const [, entry = ''] = /docs\/runbook\.md#([\w-]+)$/.exec(AlarmDescription) ?? []
    expect(entries).toContain(entry)
  })

  it('every entry in the runbook is one of an alarm', () => {
    const named = new Set(
      [...alarms.values()].map(({ AlarmDescription }) => AlarmDescription.split('#')[1]),
    )
    expect(entries.filter((entry) => !named.has(entry))).toEqual([])
    expect(entries.length).toBeGreaterThan(0)
  })

  it('every entry in the runbook says what it means, what is safe and what to type', () => {
    for (const section of runbook.split(/^## /m).slice(1)) {
      const [entry = ''] = section.split('\n', 1)
      expect(section, entry).toContain('**What it means.**')
      expect(section, entry).toContain('**What is safe.**')
      expect(section, entry).toContain('**What to do.**')
      expect(section, entry).toContain('```sh\n')
    }
  })

  it('freshness is raised at half the promise, and by silence', () => {
    expect(alarm('freshness')).toMatchObject({
      Statistic: 'Maximum',
      Threshold: 15 * 60,
      ComparisonOperator: 'GreaterThanThreshold',
      Period: 300,
      EvaluationPeriods: 1,
      TreatMissingData: 'breaching',
    })
  })

  it('freshness follows the parameters', () => {
    const changed = alarmsOf({
      ...EVERYTHING,
      promiseMinutes: 120,
      freshnessAlarmMinutes: 40,
      scheduleMinutes: 10,
    })
    expect(changed.get('tidemark-freshness')).toMatchObject({ Threshold: 40 * 60, Period: 1200 })
  })

  it('silence raises nothing else, except that nothing was collected and no report looked for', () => {
    const loud = [...alarms.values()].filter((one) => one.TreatMissingData !== 'notBreaching')
    expect(loud.map(({ AlarmName }) => AlarmName)).toEqual([
      'tidemark-freshness',
      'tidemark-feeds-unreachable',
      'tidemark-reports-failed',
    ])
  })

  it('watch what the functions measure, under the names they use', () => {
    const own = [...alarms.values()].filter(({ Namespace }) => Namespace === NAMESPACE)
    const known = Object.values(METRICS).map(({ name }): string => name)
    expect(own.length).toBe(7)
    for (const { MetricName, Dimensions } of own) {
      expect(known).toContain(MetricName)
      expect(Dimensions).toEqual([{ Name: 'service', Value: SERVICE }])
    }
  })

  it.each([
    ['executions-failed', 'AWS/States', 'ExecutionsFailed', 'StateMachineArn'],
    ['executions-timed-out', 'AWS/States', 'ExecutionsTimedOut', 'StateMachineArn'],
    ['schedule-errors', 'AWS/Scheduler', 'TargetErrorCount', 'ScheduleGroup'],
    ['extract-errors', 'AWS/Lambda', 'Errors', 'FunctionName'],
    ['api-throttles', 'AWS/Lambda', 'Throttles', 'FunctionName'],
    ['api-faults', 'AWS/ApiGateway', '5xx', 'ApiId'],
  ])('%s is on %s %s', (name, Namespace, MetricName, dimension) => {
    expect(alarm(name)).toMatchObject({ Namespace, MetricName })
    expect(alarm(name).Dimensions[0]?.Name).toBe(dimension)
  })

  it('memory is near the limit at 90 percent', () => {
    expect(alarm('memory-near-limit')).toMatchObject({
      Threshold: 90,
      Statistic: 'Maximum',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    })
  })
})
