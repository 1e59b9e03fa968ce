import { synthesize } from './synthesize.ts'
import { resourcesOf, type StackTemplate, type Statement } from './template.ts'

type Templates = ReadonlyMap<string, StackTemplate>

const known = new Map<string, Templates>()

/** The templates for parameters, by stack id, for tests. Each set of parameters is synthesized once. */
export function templatesOf(parameters: Readonly<Record<string, unknown>>): Templates {
  const key = JSON.stringify(parameters)
  const found = known.get(key)
  if (found !== undefined) return found
  using made = synthesize(parameters)
  known.set(key, made.templates)
  return made.templates
}

/** The template of one stack. Throws if there is no such stack. */
export function stackOf(templates: Templates, id: string): StackTemplate {
  const found = templates.get(id)
  if (found === undefined) throw new Error(`there is no stack ${id}`)
  return found
}

/** The only resource of a type whose logical id begins with `begins`. Throws if it is not the only one. */
export function findOne(
  template: StackTemplate,
  type: string,
  begins = '',
): Readonly<Record<string, unknown>> {
  const found = resourcesOf(template, type).filter(([id]) => id.startsWith(begins))
  if (found.length !== 1) throw new Error(`${found.length} resources ${type} ${begins}`)
  return found[0]?.[1] ?? {}
}

/** The statements of a policy document. */
export function statementsOf(properties: Readonly<Record<string, unknown>>): Statement[] {
  return (properties['PolicyDocument'] as { Statement: Statement[] }).Statement
}

/** Whether a logical id belongs to CDK's function that puts the site's files into place. */
export const isHelper = (at: string): boolean => at.includes('CustomCDKBucketDeployment')
