-- Organizations (the variable organizations) with five repositories each and analyses (the variable analyses), whose
-- rows lie in the table in the order in which they came, so that one organization's are spread all over it. A few
-- organizations have far more than others.

INSERT INTO tenancy.organizations (name, login)
SELECT 'Organization ' || n, 'organization-' || n
FROM generate_series(1, :organizations) AS n;

INSERT INTO scm.repositories (org_id, github_id, name, full_name)
SELECT o.id, row_number() OVER (), 'repository-' || n, o.login || '/repository-' || n
FROM tenancy.organizations AS o
CROSS JOIN generate_series(1, 5) AS n;

SELECT setseed(0.5);

INSERT INTO analysis.analyses
    (org_id, repo_id, pr_number, pr_title, head_sha, base_sha, status, started_at, completed_at, created_at)
WITH
owned AS (
    SELECT r.org_id, r.id, row_number() OVER (ORDER BY r.github_id) AS number
    FROM scm.repositories AS r
),
drawn AS (
    SELECT n, 1 + floor(5 * :organizations * power(random(), 1.5))::int AS number
    FROM generate_series(1, :analyses) AS n
)
SELECT
    owned.org_id,
    owned.id,
    1 + d.n / 1000,
    'Change number ' || d.n || ' of what is worth changing',
    encode(sha256(int4send(d.n)), 'hex'),
    encode(sha256(int4send(-d.n)), 'hex'),
    CASE WHEN d.n % 20 = 0 THEN 'failed' ELSE 'completed' END,
    moment.came + interval '5 seconds',
    moment.came + interval '95 seconds',
    moment.came
FROM drawn AS d
JOIN owned USING (number)
CROSS JOIN LATERAL (SELECT now() - (1 + :analyses - d.n) * interval '1 minute' AS came) AS moment
ORDER BY d.n;

VACUUM (ANALYZE) tenancy.organizations, scm.repositories, analysis.analyses;
