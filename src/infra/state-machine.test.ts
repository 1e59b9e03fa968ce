import { readFileSync } from 'node:fs'
import validate from 'asl-validator'
import { describe, expect, it } from 'vitest'
import { PLACEHOLDERS, stateMachine } from '../apps/aws/state-machine.ts'
import { EVERYTHING } from './synthesize.ts'
import { stackOf, templatesOf } from './template-facts.ts'
import { resourcesOf } from './template.ts'

describe('the state machine', () => {
  const machine = machineOf(EVERYTHING)
  const definition = String(machine['DefinitionString'])
  const given = machine['DefinitionSubstitutions'] as Record<string, unknown>

  it('is given every placeholder it has, and no other', () => {
    const used = [...definition.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name)
    expect(new Set(used)).toEqual(new Set(PLACEHOLDERS))
    expect(Object.keys(given).toSorted()).toEqual([...PLACEHOLDERS].toSorted())
  })

  it('is valid once they are filled', () => {
    const arn = 'arn:aws:lambda:eu-west-2:111122223333:function:tidemark-extract'
    const filled = definition.replaceAll(/\$\{\w+\}/g, arn)
    const { isValid, errorsText } = validate(JSON.parse(filled))
    expect(errorsText('\n')).toBe('')
    expect(isValid).toBe(true)
  })

  it('is not valid if a state is missing', () => {
    const broken = structuredClone(stateMachine) as { States: Record<string, unknown> }
    delete broken.States['Load']
    expect(validate(broken).isValid).toBe(false)
  })

  it('asks for the alarm on failed runs by its name', () => {
    expect(given['FailureAlarmName']).toBe('tidemark-executions-failed')
  })

  it('is traced, and logs errors without the input of its states', () => {
    expect(machine).toMatchObject({
      TracingConfiguration: { Enabled: true },
      LoggingConfiguration: { Level: 'ERROR', IncludeExecutionData: false },
    })
  })

  it('is an express workflow within its five minutes, or a standard one within an hour', () => {
    expect(machine['StateMachineType']).toBe('EXPRESS')
    expect(JSON.parse(definition)).toMatchObject({ TimeoutSeconds: 300 })
    const standard = machineOf({ ...EVERYTHING, workflow: 'standard' })
    expect(standard['StateMachineType']).toBe('STANDARD')
    expect(JSON.parse(String(standard['DefinitionString']))).toMatchObject({ TimeoutSeconds: 3600 })
  })

  it('leads people to an entry that exists in the runbook', () => {
    const [, anchor = ''] = /\$\{RunbookUrl\}#([\w-]+)/.exec(definition) ?? []
    const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
    expect(runbook).toContain(`\n## ${anchor}\n`)
  })
})

function machineOf(parameters: Record<string, unknown>): Record<string, unknown> {
  const pipeline = stackOf(templatesOf(parameters), 'Pipeline')
  const [[, properties] = []] = resourcesOf(pipeline, 'AWS::StepFunctions::StateMachine')
  return { ...properties }
}
