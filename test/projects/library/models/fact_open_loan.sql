-- fact_open_loan: which books are out, and with whom.
-- Grain: one row per version of an open loan (isbn, copy_number, lent_at).
-- Sources: change_loan, book.
-- History: append-only; a loan leaves when its copy is returned, and a new title is a new version.
select
    change_loan.isbn::varchar as isbn,
    change_loan.copy_number::smallint as copy_number,
    change_loan.lent_at::timestamptz as lent_at,
    change_loan.member_id::integer as member_id,
    change_loan.due_on::date as due_on,
    book.title::varchar as title,
    change_loan._operation::varchar as _operation,
    change_loan._captured_at::timestamptz as _captured_at,
    change_loan._ordinal::bigint as _ordinal
from change_loan
left join book
    on book.isbn = change_loan.isbn
where change_loan.returned_on is null
