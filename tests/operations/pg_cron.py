#!/usr/bin/env python3
"""Jobs of pg_cron: one that runs as a login of tenancy.bind_role() sees its tenant, without a password and without
authentication; one that runs as the superuser who scheduled it sees everybody. On a cluster of its own, whose server
starts pg_cron; a job starts at a full minute."""

import time
import unittest

import ledger_support as support

DATABASE = "cv_cron"
BOUND = "cv_cron_bound"
UNBOUND = "cv_cron_unbound"
MAINTAINER = "cv_cron_maintainer"
NOTE = "INSERT INTO public.note SELECT {}, count(DISTINCT org_id), min(org_id::text), count(*) FROM tenancy.services"


SHARE = support.subprocess.run([support.PG_CONFIG, "--sharedir"], check=True, capture_output=True, text=True).stdout.strip()
if not (support.Path(SHARE) / "extension" / "pg_cron.control").exists():
    support.sys.exit("the server has no pg_cron: run scripts/setup")


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cluster = support.Cluster("cron")
        cls.addClassCleanup(cluster.destroy)
        cluster.create(
            "shared_preload_libraries=pg_cron", f"cron.database_name={DATABASE}", "cron.use_background_workers=on",
            "cron.log_statement=off", "max_worker_processes=16")
        support.create_database(DATABASE)
        cls.superuser = support.connect(DATABASE)
        cls.addClassCleanup(cls.superuser.close)
        cls.superuser.execute("CREATE EXTENSION pg_cron")
        cls.tenants = support.create_tenants(DATABASE, 2)
        for login in (BOUND, UNBOUND):
            cls.superuser.execute(f"CREATE ROLE {login} LOGIN IN ROLE codeverify_tenant")
        for tenant in cls.tenants:
            cls.superuser.execute("INSERT INTO tenancy.services (org_id, name) VALUES (%s, 'a'), (%s, 'b')", (tenant.org_id,) * 2)
        cls.superuser.execute("SELECT tenancy.bind_role(%s, %s)", (BOUND, cls.tenants[0].org_id))
        cls.superuser.execute("CREATE TABLE public.note (login name, organizations bigint, organization text, services bigint)")
        cls.superuser.execute(f"GRANT INSERT ON public.note TO {BOUND}, {UNBOUND}")
        # Early, since a job starts at a full minute.
        cls.superuser.execute(f"CREATE ROLE {MAINTAINER} LOGIN IN ROLE codeverify_admin")
        cls.superuser.execute(f"GRANT USAGE ON SCHEMA cron TO {MAINTAINER}")
        with support.connect(DATABASE, user=MAINTAINER) as maintainer:
            cls.scheduled = [support.value(maintainer, "SELECT codeverify.schedule(%s)", cron) for cron in ("0 0 1 1 *", "* * * * *")]

    def schedule(self, login, command):
        # One job of a name is there for each login: another of that name would take its place.
        return support.value(
            self.superuser, "SELECT cron.schedule_in_database(%s, '* * * * *', %s, %s, %s)", command, command, DATABASE, login)

    def notes(self):
        return {row[0]: row[1:] for row in self.superuser.execute("SELECT DISTINCT * FROM public.note")}

    def test_each_job_sees_what_its_login_sees(self):
        jobs = [self.schedule(login, NOTE.format("current_user")) for login in (BOUND, UNBOUND, "postgres")]
        ours, theirs = (str(tenant.org_id) for tenant in self.tenants)
        # The library is not loaded yet: anybody may set what is a placeholder, and it comes to nothing.
        jobs.append(self.schedule(BOUND, f"SET codeverify.bound_identity = '{theirs}/owner'; " + NOTE.format("'forger'")))
        deadline = time.monotonic() + 200
        while len(self.notes()) < len(jobs):
            self.assertLess(time.monotonic(), deadline, f"the jobs do not run: {self.details()}")
            time.sleep(0.5)
        for job in jobs:
            self.superuser.execute("SELECT cron.unschedule(%s::bigint)", (job,))
        self.assertEqual(self.notes(), {
            BOUND: (1, ours, 2),
            "forger": (1, ours, 2),
            UNBOUND: (0, None, 0),
            "postgres": (2, min(ours, theirs), 4),
        })

    def details(self):
        return self.superuser.execute("SELECT command, status, return_message FROM cron.job_run_details").fetchall()

    def test_maintenance_runs_and_succeeds(self):
        self.assertRegex(self.scheduled[1], rf"^job \d+ runs codeverify.maintain\(\) in {DATABASE} as {MAINTAINER} at \* \* \* \* \*$")
        self.assertEqual(
            self.superuser.execute("SELECT schedule, database, username FROM cron.job WHERE jobname LIKE 'codeverify.maintain%'").fetchall(),
            [("* * * * *", DATABASE, MAINTAINER)], "the second call has changed the first one's job")
        query = "SELECT status, return_message FROM cron.job_run_details WHERE command LIKE '%codeverify.maintain()%' AND end_time IS NOT NULL"
        deadline = time.monotonic() + 100
        while not (details := self.superuser.execute(query).fetchall()):
            self.assertLess(time.monotonic(), deadline, f"the job does not run: {self.details()}")
            time.sleep(0.5)
        self.assertEqual(details[0][0], "succeeded", details)
        self.assertGreater(
            support.value(self.superuser, "SELECT runs FROM codeverify.maintenance_tasks WHERE task = 'maintain'"), 0)
        self.assertEqual(support.value(self.superuser, "SELECT codeverify.unschedule()"), 1)
        self.assertEqual(support.value(self.superuser, "SELECT codeverify.unschedule()"), 0)

    def test_maintenance_of_another_database(self):
        other = support.create_database("cv_cron_other")
        with support.connect(other) as connection, self.assertRaises(support.psycopg.Error) as caught:
            connection.execute("SELECT codeverify.schedule()")
        self.assertEqual(caught.exception.sqlstate, "VC096")
        hint = caught.exception.diag.message_hint
        job = support.value(self.superuser, hint[hint.index("SELECT"):])
        self.assertEqual(support.value(self.superuser, "SELECT database FROM cron.job WHERE jobid = %s", job), other)
        self.superuser.execute("SELECT cron.unschedule(%s::bigint)", (job,))

    def test_a_tenant_schedules_nothing(self):
        with support.connect(DATABASE, user=BOUND) as tenant, self.assertRaises(support.psycopg.errors.InsufficientPrivilege):
            tenant.execute("SELECT cron.schedule('* * * * *', 'SELECT 1')")


if __name__ == "__main__":
    unittest.main()
