-- The tables that were derived from models.
select name from tidemark_table
