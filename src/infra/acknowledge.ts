import { type Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import { textOf } from './template.ts'

/** Accepts findings of cdk-nag on a construct and everything below it: each id with its reason. */
export function acknowledge(
  construct: IConstruct,
  reasons: Readonly<Record<string, string>>,
): void {
  Validations.of(construct).acknowledge(
    ...Object.entries(reasons).map(([id, reason]) => ({ id, reason })),
  )
}

/** The id of the finding that a policy names a resource with a `*`. */
export function wildcardResource(stack: Stack, arn: string): string {
  return `AwsSolutions-IAM5[Resource::${textOf(stack.resolve(arn))}]`
}
