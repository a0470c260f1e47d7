-- Run once by PostgreSQL's image, when it makes its data folder: the ledger's database, beside Prefect's.
CREATE DATABASE dubflow;
