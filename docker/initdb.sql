-- Run once by the image's entry point, in the database of POSTGRES_DB.
CREATE EXTENSION codeverify;
