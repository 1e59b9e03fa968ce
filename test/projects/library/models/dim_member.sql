-- dim_member: everyone who is or was a member.
-- Grain: one row per member.
-- Sources: member, former_member (`archive.member`).
-- History: none; a row is replaced when the member changes, leaves or comes back.
select
    member.member_id::integer as member_id,
    member.full_name::varchar as full_name,
    member.email::varchar as email,
    null::date as left_on
from member
union all
select
    former_member.member_id::integer as member_id,
    former_member.full_name::varchar as full_name,
    null::varchar as email,
    former_member.left_on::date as left_on
from former_member
anti join member
    on member.member_id = former_member.member_id
