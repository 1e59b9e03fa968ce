declare module 'asl-validator' {
  /** Whether an object is a state machine in the Amazon States Language, and why not. */
  export default function validate(definition: unknown): {
    readonly isValid: boolean
    readonly errorsText: (separator?: string) => string
  }
}
