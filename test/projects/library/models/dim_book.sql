-- dim_book: the titles, with the subject they stand under.
-- Grain: one row per ISBN.
-- Sources: book, category.
-- History: none; a row is replaced when the book or its category changes.
select
    book.isbn::varchar as isbn,
    book.title::varchar as title,
    coalesce(category.category_name, 'None')::varchar as category_name
from book
left join category
    on category.category_id = book.category_id
