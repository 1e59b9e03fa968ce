import { runScenarios, THREE, three } from '../../support/mirror-scenarios.ts'
import type { TestSystem } from '../../support/system.ts'

/** Runs statements in a transaction of its own, which `during` finds open, and ends it with `end`. */
function around(
  statements: string,
  { during, end = 'commit' }: { during: string; end?: string },
): (system: TestSystem) => Promise<void> {
  return async (system) => {
    const other = await system.source.client()
    await other.query(`begin; ${statements}`)
    await system.sql.query(during)
    await system.run()
    await other.query(end)
  }
}

runScenarios('transactions', [
  {
    name: 'a transaction that wrote before a run and commits after it',
    setup: THREE,
    steps: [
      around(`update t set v = 'late' where id = 1`, { during: `insert into t values (4, 'd')` }),
    ],
    versions: three('insert 4,d', 'update 1,late'),
  },
  {
    name: 'a transaction that stays open over several runs, while later ones commit',
    setup: THREE,
    steps: [
      async (system) => {
        const other = await system.source.client()
        await other.query(`begin; insert into t values (9, 'long')`)
        for (const id of [4, 5]) {
          await system.sql.query(`insert into t values (${id}, 'x')`)
          await system.run()
        }
        await other.query('commit')
      },
    ],
    versions: three('insert 4,x', 'insert 5,x', 'insert 9,long'),
  },
  {
    name: 'a deletion that commits after a run',
    setup: THREE,
    steps: [around('delete from t where id = 3', { during: `update t set v = 'z' where id = 1` })],
    versions: three('update 1,z', 'delete 3,c'),
  },
  {
    name: 'a transaction that is rolled back',
    setup: THREE,
    steps: [
      around(`update t set v = 'no'; delete from t`, {
        during: `insert into t values (4, 'd')`,
        end: 'rollback',
      }),
    ],
    versions: three('insert 4,d'),
  },
  {
    name: 'savepoints, released and rolled back',
    setup: THREE,
    steps: [
      `begin; update t set v = 'one' where id = 1; savepoint a; update t set v = 'two' where id = 2;
       rollback to a; savepoint b; update t set v = 'three' where id = 3; release b; commit`,
    ],
    versions: three('update 1,one', 'update 3,three'),
  },
  {
    name: 'a subtransaction that is open during a run',
    setup: THREE,
    steps: [
      around(`savepoint a; insert into t values (8, 'sub'); release a`, {
        during: `insert into t values (4, 'd')`,
      }),
    ],
    versions: three('insert 4,d', 'insert 8,sub'),
  },
  {
    name: 'a prepared transaction, which commits runs later',
    setup: THREE,
    steps: [
      async (system) => {
        const name = `'mirror ${system.source.name}'`
        await system.sql.query(`begin; update t set v = 'prepared' where id = 2`)
        await system.sql.query(`prepare transaction ${name}`)
        await system.sql.query(`insert into t values (4, 'd')`)
        await system.run()
        await system.sql.query(`commit prepared ${name}`)
      },
    ],
    versions: three('insert 4,d', 'update 2,prepared'),
  },
  {
    name: 'locks that change no row',
    setup: THREE,
    steps: [`begin; select * from t for update; commit; begin; select * from t for share; commit`],
    versions: three(),
  },
  {
    name: 'rows that are frozen, moved and analyzed',
    setup: THREE,
    steps: [
      'vacuum (full, freeze, analyze) t',
      `cluster t using t_pkey`,
      `update t set v = 'z' where id = 1`,
    ],
    versions: three('update 1,z'),
  },
  {
    name: 'triggers that change other rows, and a statement that is deferred',
    setup: `${THREE}
      create table log (id serial primary key, said text);
      create function note() returns trigger language plpgsql as
        $$ begin insert into log (said) values (old.v || '>' || new.v); return new; end $$;
      create trigger note after update on t for each row execute function note()`,
    steps: [`update t set v = 'z' where id = 1`],
    versions: { ...three('update 1,z'), log: ['insert 1,a>z'] },
  },
])
