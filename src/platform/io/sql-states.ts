/**
 * The SQLSTATEs by which Tidemark decides what to do, named as Postgres names them (manual,
 * appendix A).
 */
export const SQL_STATE = {
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  characterNotInRepertoire: '22021',
  untranslatableCharacter: '22P05',
  notNullViolation: '23502',
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  dependentObjectsStillExist: '2BP01',
  invalidCatalogName: '3D000',
  invalidSchemaName: '3F000',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  syntaxError: '42601',
  undefinedColumn: '42703',
  undefinedObject: '42704',
  duplicateObject: '42710',
  undefinedFunction: '42883',
  undefinedTable: '42P01',
  duplicateSchema: '42P06',
  duplicateTable: '42P07',
  invalidColumnReference: '42P10',
  invalidObjectDefinition: '42P17',
  outOfMemory: '53200',
  programLimitExceeded: '54000',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  internalError: 'XX000',
} as const

/** What Postgres answers if it cannot turn bytes into UTF-8. */
export const NOT_UTF8_STATES: ReadonlySet<string> = new Set([
  SQL_STATE.characterNotInRepertoire,
  SQL_STATE.untranslatableCharacter,
])
