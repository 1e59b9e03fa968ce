-- dim_copy: the things that stand on the shelves.
-- Grain: one row per copy (isbn, copy_number).
-- Sources: copy, book.
-- History: none; a row is replaced when the copy or its book changes.
select
    copy.isbn::varchar as isbn,
    copy.copy_number::smallint as copy_number,
    book.title::varchar as title,
    copy.shelf::varchar as shelf
from copy
join book
    on book.isbn = copy.isbn
