-- dim_category: the subjects, each with the way to it from the top.
-- Grain: one row per category.
-- Sources: category (refers to itself).
-- History: none; a row is replaced when the category or any above it changes.
with recursive climb as (
    select
        category.category_id,
        category.parent_id as above_id,
        [category.category_id] as seen,
        category.category_name as path
    from category
    union all
    select
        climb.category_id,
        category.parent_id,
        list_append(climb.seen, category.category_id),
        category.category_name || ' / ' || climb.path
    from climb
    join category
        on category.category_id = climb.above_id
    -- Nothing in the source forbids a circle.
    where not list_contains(climb.seen, category.category_id)
)

select
    category.category_id::integer as category_id,
    category.category_name::varchar as category_name,
    category.parent_id::integer as parent_id,
    arg_max(climb.path, len(climb.seen))::varchar as path,
    max(len(climb.seen))::integer as depth
from category
join climb
    on climb.category_id = category.category_id
group by category.category_id, category.category_name, category.parent_id
