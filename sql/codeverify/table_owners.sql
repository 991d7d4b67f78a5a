-- What is done to a table as its owner.

COMMENT ON FUNCTION codeverify.run_as_owner_of(regclass, text) IS
    'Runs a statement as the owner of a table, in a security-restricted operation as VACUUM does, with a pinned search_path, UTC and ISO dates, and returns how many rows it processed. For what maintenance does to a table of somebody else, so that triggers, defaults and index expressions there have the owner''s rights and no others. What guards the ledger does not let it pass. Raises VC093 when codeverify_owner is no member of the owner, or the owner is a superuser.';

COMMENT ON FUNCTION codeverify.read_as_owner_of(regclass, text) IS
    'The first value of a query, which is planned and run as the owner of a table, as codeverify.run_as_owner_of() runs statements, but reads what the caller may read; row security that would hide rows is an error. For what maintenance asks of a table of somebody else: planning runs what is constant in the expressions of its indexes. NULL without a row. Raises VC093 as codeverify.run_as_owner_of() does.';
