-- As the model of this name makes it: src/totesys/models.
select
    design_id,
    design_name,
    file_location,
    file_name
from design
