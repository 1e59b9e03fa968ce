import { runScenarios, THREE, three } from '../../support/mirror-scenarios.ts'

runScenarios('rows', [
  {
    name: 'an update that moves no timestamp',
    setup: THREE,
    steps: [`update t set v = 'z' where id = 2`],
    versions: three('update 2,z'),
  },
  {
    name: 'of two updates between two runs, the last',
    setup: THREE,
    steps: [`update t set v = 'y' where id = 2; update t set v = 'z' where id = 2`],
    versions: three('update 2,z'),
  },
  {
    name: 'an update and its reversal between two runs',
    setup: THREE,
    steps: [`update t set v = 'y' where id = 2; update t set v = 'b' where id = 2`],
    versions: three(),
  },
  {
    name: 'an update and its reversal with a run in between',
    setup: THREE,
    steps: [`update t set v = 'y' where id = 2`, `update t set v = 'b' where id = 2`],
    versions: three('update 2,y', 'update 2,b'),
  },
  {
    name: 'an update that writes the same values',
    setup: THREE,
    steps: ['update t set v = v'],
    versions: three(),
  },
  {
    name: 'null, empty and blank values',
    setup: THREE,
    steps: [
      `update t set v = null where id = 1; update t set v = '' where id = 2; update t set v = ' ' where id = 3`,
      `update t set v = '' where id = 1; update t set v = null where id = 2; update t set v = '  ' where id = 3`,
    ],
    versions: three(
      'update 1,∅',
      'update 2,',
      'update 3, ',
      'update 1,',
      'update 2,∅',
      'update 3,  ',
    ),
  },
  {
    name: 'a deletion',
    setup: THREE,
    steps: ['delete from t where id = 2'],
    versions: three('delete 2,b'),
  },
  {
    name: 'a deletion beside as many inserts',
    setup: THREE,
    steps: [`delete from t where id = 2; insert into t values (4, 'd')`],
    versions: three('delete 2,b', 'insert 4,d'),
  },
  {
    name: 'an insert and its deletion between two runs',
    setup: THREE,
    steps: [`insert into t values (4, 'd'); delete from t where id = 4`],
    versions: three(),
  },
  {
    name: 'a deletion and an insert of the same key between two runs',
    setup: THREE,
    steps: [
      `delete from t where id = 2; insert into t values (2, 'z')`,
      `delete from t where id = 2; insert into t values (2, 'z')`,
    ],
    versions: three('update 2,z'),
  },
  {
    name: 'a deletion and an insert of the same key with a run in between',
    setup: THREE,
    steps: ['delete from t where id = 2', `insert into t values (2, 'b')`],
    versions: three('delete 2,b', 'insert 2,b'),
  },
  {
    name: 'a truncate',
    setup: THREE,
    steps: ['truncate t', `insert into t values (3, 'c')`],
    versions: three('delete 1,a', 'delete 2,b', 'delete 3,c', 'insert 3,c'),
  },
  {
    name: 'a truncate and the same rows again',
    setup: THREE,
    steps: [`truncate t; insert into t values (1, 'a'), (2, 'b'), (3, 'c')`],
    versions: three(),
  },
  {
    name: 'a key that changes, with its cascade',
    setup: `${THREE} create table child (id int primary key, t int references t on update cascade);
      insert into child values (1, 2)`,
    steps: ['update t set id = 5 where id = 2'],
    versions: {
      ...three('delete 2,b', 'insert 5,b'),
      child: ['insert 1,2', 'update 1,5'],
    },
  },
  {
    name: 'two keys that change places',
    setup: THREE,
    steps: [
      `update t set id = 0 where id = 1; update t set id = 1 where id = 2; update t set id = 2 where id = 0`,
    ],
    versions: three('update 1,b', 'update 2,a'),
  },
  {
    name: 'every operation in one transaction',
    setup: THREE,
    steps: [
      `begin; insert into t values (4, 'd'); update t set v = 'z' where id = 1; delete from t where id = 3; commit`,
    ],
    versions: three('update 1,z', 'delete 3,c', 'insert 4,d'),
  },
  {
    name: 'a key of several columns and types',
    setup: `create table t (a text, b date, c uuid, n int, primary key (c, a, b));
      insert into t values ('x', '2024-01-01', '00000000-0000-0000-0000-000000000001', 1),
        ('X', '2024-01-01', '00000000-0000-0000-0000-000000000001', 2)`,
    steps: [`update t set n = 3 where a = 'x'`, `update t set b = 'infinity' where a = 'X'`],
    versions: {
      t: [
        'insert x,2024-01-01,00000000-0000-0000-0000-000000000001,1',
        'insert X,2024-01-01,00000000-0000-0000-0000-000000000001,2',
        'update x,2024-01-01,00000000-0000-0000-0000-000000000001,3',
        'delete X,2024-01-01,00000000-0000-0000-0000-000000000001,2',
        'insert X,infinity,00000000-0000-0000-0000-000000000001,2',
      ],
    },
  },
  {
    name: 'keys of text that are hard to tell apart',
    setup: `create table t (k text primary key, n int);
      insert into t values ('', 1), (' ', 2), ('a', 3), ('a ', 4), ('A', 5), (E'\\\\N', 6), (E'a\\tb\\n', 7), ('ä', 8)`,
    steps: [
      `update t set n = n + 10 where k in ('', 'a ', E'\\\\N')`,
      `delete from t where k in (' ', 'A')`,
    ],
    versions: {
      t: [
        'insert ,1',
        'insert  ,2',
        'insert a,3',
        'insert a ,4',
        'insert A,5',
        'insert \\N,6',
        'insert a\tb\n,7',
        'insert ä,8',
        'update ,11',
        'update \\N,16',
        'update a ,14',
        'delete  ,2',
        'delete A,5',
      ],
    },
  },
  {
    name: 'a key that is written in another way',
    setup: `create table t (k numeric primary key, n int); insert into t values (1.0, 1), (2, 2);
      create table i (k interval primary key); insert into i values ('1 mon')`,
    steps: [
      `update t set k = 1.00 where n = 1; update i set k = '30 days'`,
      `update t set n = 3 where k = 1`,
      `update t set k = 1.0 where n = 3; update i set k = '1 mon'`,
    ],
    versions: {
      t: [
        'insert 1.0,1',
        'insert 2,2',
        'delete 1.0,1',
        'insert 1.00,1',
        'update 1.00,3',
        'delete 1.00,3',
        'insert 1.0,3',
      ],
      i: ['insert 1 mon', 'delete 1 mon', 'insert 30 days', 'delete 30 days', 'insert 1 mon'],
    },
  },
  {
    name: 'equal rows of a table without a key',
    setup: `create table t (v text, n int); insert into t values ('a', 1), ('a', 1), ('b', null)`,
    steps: [
      `insert into t values ('a', 1), ('b', null)`,
      `delete from t where v = 'b'`,
      `update t set n = 2 where ctid = (select min(ctid) from t)`,
      `truncate t`,
    ],
    versions: {
      t: [
        // By their hashes.
        'insert 1,b,∅',
        'insert 2,a,1',
        'update 2,b,∅',
        'update 3,a,1',
        'delete 2,b,∅',
        'update 2,a,1',
        'insert 1,a,2',
        'delete 2,a,1',
        'delete 1,a,2',
      ],
    },
  },
])
