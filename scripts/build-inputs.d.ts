export const RECORD: string
export function readInputs(root: string): string
export function isBuilt(root: string): boolean
