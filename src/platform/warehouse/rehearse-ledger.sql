-- Every kind of write on the ledger, the confirmation and the stand of the sums, without touching a
-- row.
insert into tidemark_ledger select * from tidemark_ledger where false;
delete from tidemark_ledger where false;
insert into tidemark_confirmation select * from tidemark_confirmation where false
on conflict (is_only_row) do update set confirmed_at = excluded.confirmed_at;
insert into tidemark_sums select * from tidemark_sums where false
on conflict (is_only_row) do update set loaded_from = excluded.loaded_from
