import { synthesize } from './synthesize.ts'
import { resourcesOf, type StackTemplate, type Statement } from './template.ts'

type Templates = ReadonlyMap<string, StackTemplate>

/** The templates that parameters make, by the id of their stack, for tests to ask. */
export function templatesOf(parameters: Readonly<Record<string, unknown>>): Templates {
  using made = synthesize(parameters)
  return made.templates
}

export function stackOf(templates: Templates, id: string): StackTemplate {
  const found = templates.get(id)
  if (found === undefined) throw new Error(`there is no stack ${id}`)
  return found
}

/** The one resource of a type whose logical id begins so. */
export function findOne(
  template: StackTemplate,
  type: string,
  begins = '',
): Readonly<Record<string, unknown>> {
  const found = resourcesOf(template, type).filter(([id]) => id.startsWith(begins))
  if (found.length !== 1) throw new Error(`${found.length} resources ${type} ${begins}`)
  return found[0]?.[1] ?? {}
}

export function statementsOf(properties: Readonly<Record<string, unknown>>): Statement[] {
  return (properties['PolicyDocument'] as { Statement: Statement[] }).Statement
}

/** CDK's own function, which puts the site's files in place during a deployment. */
export const isHelper = (at: string): boolean => at.includes('CustomCDKBucketDeployment')
