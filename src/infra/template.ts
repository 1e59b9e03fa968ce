/** One resource in a template. */
export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  readonly DeletionPolicy?: string
}

/** The part of a CloudFormation template that is read here. */
export interface StackTemplate {
  readonly Resources: Readonly<Record<string, Resource>>
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>
}

/** A statement of a policy in a template. */
export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Principal?: unknown
  readonly Condition?: unknown
}

interface Intrinsic {
  readonly Ref?: string
  readonly 'Fn::GetAtt'?: readonly string[]
  readonly 'Fn::Join'?: readonly [string, readonly unknown[]]
  readonly 'Fn::GetStackOutput'?: { readonly StackName: string; readonly OutputName: string }
}

/**
 * Writes a value of a template as text. A part that is known only after deployment is written as
 * cdk-nag does: `<AWS::Region>`, `<Bucket.Arn>`, and for another stack `<stack/Output>`.
 */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const {
    Ref: ref,
    'Fn::GetAtt': attribute,
    'Fn::Join': join,
    'Fn::GetStackOutput': output,
  } = value as Intrinsic
  if (ref !== undefined) return `<${ref}>`
  if (attribute !== undefined) return `<${attribute.join('.')}>`
  if (join !== undefined) return join[1].map(textOf).join(join[0])
  if (output !== undefined) return `<${output.StackName}/${output.OutputName}>`
  throw new TypeError(`no text: ${JSON.stringify(value)}`)
}

/** The resources of one type with their logical ids. */
export function resourcesOf(
  { Resources }: StackTemplate,
  type: string,
): [id: string, properties: Readonly<Record<string, unknown>>, resource: Resource][] {
  return Object.entries(Resources).flatMap(([id, resource]) =>
    resource.Type === type ? [[id, resource.Properties ?? {}, resource]] : [],
  )
}

/** A value that a template writes alone or as a list, as a list. */
export function listOf<Value>(value: Value | readonly Value[]): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value as Value]
}
