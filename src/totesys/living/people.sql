-- Staff and counterparties, which refer to the rows from reference.sql. $1: when they were created.
-- One row for each member of staff and each counterparty.

with made as (
    select $1::timestamp(3) as at
),

new_staff as (
    insert into staff (
        first_name, last_name, department_id, email_address, created_at, last_updated
    )
    select
        first_name,
        last_name,
        department_id,
        lower(first_name || '.' || regexp_replace(last_name, '[^[:alpha:]-]', '', 'g'))
        || '@totes.example',
        at,
        at
    from made, (values
        (1, 'Jeremy', 'Franey', 2), (2, 'Deron', 'Bayer', 6), (3, 'Jeanette', 'Erdman', 6),
        (4, 'Ana', 'Glover', 3), (5, 'Magdalena', 'Zieme', 8), (6, 'Cora', 'Kozey', 5),
        (7, 'Flavio', 'Kuhlman', 3), (8, 'Oswald', 'Bergström', 7), (9, 'Bree', 'O''Keefe', 2),
        (10, 'Jasmine', 'Stark', 1), (11, 'Meg', 'Yost', 5), (12, 'Ismael', 'Bartel', 1),
        (13, 'Priya', 'Raman', 1), (14, 'Stan', 'Lehner', 4), (15, 'Mozelle', 'van der Berg', 4),
        (16, 'Ellie', 'D''Amore', 2), (17, 'Xanthe', 'Ng', 7), (18, 'Hugh', 'Smith-Jones', 8),
        (19, 'Pierre', 'Sauer', 2), (20, 'Loma', 'Armstrong', 1)
    ) as s (n, first_name, last_name, department_id)
    order by n
    returning staff_id
),

new_counterparty as (
    insert into counterparty (
        counterparty_legal_name, legal_address_id, commercial_contact, delivery_contact,
        created_at, last_updated
    )
    select name, address_id, commercial_contact, delivery_contact, at, at
    from made, (values
        (1, 'Fairley and Sons', 15, 'Michael Toy', 'Mrs. Lucy Runolf'),
        (2, 'Leonard, Predham and Moore', 28, 'Melba Sanford', 'Jean Hane III'),
        (3, 'Armitage Inc', 2, 'Jane Wise', 'Myra Kovac'),
        (4, 'Kohl & Daughters', 29, 'Taylor Hayes', 'Alfredo Casson II'),
        (5, 'Fresh, Bark and Meyer', 22, 'Homer Mitchum', 'Ivan Balister'),
        (6, 'Mitre LLC', 27, 'Dr. Elena Purdy', null),
        (7, 'O''Connor "Totes" Ltd', 3, 'Sheryl Lang', 'Wilson Raynor'),
        (8, 'Grant - Lake', 8, null, 'Veronica Fay'),
        (9, 'Price LLC', 7, 'Sheldon Cole', 'Veda Price'),
        (10, 'Bosch, Nolan and Pike', 12, 'Irving O''Keefe', 'Owen Cassin'),
        (11, 'Aström Øst A/S', 26, 'Søren Bak', 'Karen Holm'),
        (12, 'Maggio; Weir', 30, 'Annette Dupuis', null),
        (13, 'Kub and Kub', 11, 'Toby Kub', 'Emma Kub'),
        (14, 'Yard 9', 24, null, null),
        (15, 'Hartmann SE', 21, 'Jörg Hartmann', 'Ute Weiß'),
        (16, 'Null & Void Holdings', 13, 'NULL', 'Null'),
        (17, '01 Logistics', 18, 'Ada King', '007'),
        (18, 'Crooks, Lubow', 1, 'Kent Rowe', 'Reba Flat'),
        (19, 'Reichel 100%', 16, 'Terri Kling', 'Sadie Moen'),
        (20, 'Terry and Terry', 10, 'Paul Terry', 'Paula Terry')
    ) as c (n, name, address_id, commercial_contact, delivery_contact)
    order by n
    returning counterparty_id
)

select
    (select count(*) from new_staff) + (select count(*) from new_counterparty) as row_count;
