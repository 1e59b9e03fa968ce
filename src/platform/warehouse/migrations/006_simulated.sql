-- Whether a batch is dated by the clock of a simulated source, not by the real time. Then the moment of
-- its snapshot says nothing about how long its changes took.
alter table tidemark_ledger add column is_simulated boolean not null default false;
