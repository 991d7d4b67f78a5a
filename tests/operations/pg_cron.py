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
NOTE = "INSERT INTO public.note SELECT current_user, count(DISTINCT org_id), min(org_id::text), count(*) FROM tenancy.services"


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

    def schedule(self, login, command):
        return support.value(
            self.superuser, "SELECT cron.schedule_in_database(%s, '* * * * *', %s, %s, %s)", f"as {login}", command, DATABASE, login)

    def notes(self):
        return {row[0]: row[1:] for row in self.superuser.execute("SELECT DISTINCT * FROM public.note")}

    def test_each_job_sees_what_its_login_sees(self):
        jobs = [self.schedule(login, NOTE) for login in (BOUND, UNBOUND, "postgres")]
        ours = str(self.tenants[0].org_id)
        stolen = self.schedule(
            BOUND, f"SET codeverify.bound_identity = '{self.tenants[1].org_id}/owner'; UPDATE tenancy.services SET name = 'stolen'")
        deadline = time.monotonic() + 90
        while len(self.notes()) < 3 or self.status(stolen) != "failed":
            self.assertLess(time.monotonic(), deadline, f"the jobs do not run: {self.details()}")
            time.sleep(0.5)
        for job in (*jobs, stolen):
            self.superuser.execute("SELECT cron.unschedule(%s::bigint)", (job,))
        notes = self.notes()
        self.assertEqual(notes[BOUND], (1, ours, 2), "the job of a bound login sees its tenant")
        self.assertEqual(notes[UNBOUND], (0, None, 0), "that of an unbound one sees nobody")
        self.assertEqual(notes["postgres"][0], 2, "that of a superuser sees everybody")
        self.assertEqual(
            support.value(self.superuser, "SELECT count(*) FROM tenancy.services WHERE name = 'stolen' AND org_id <> %s", ours), 0)

    def status(self, job):
        row = self.superuser.execute(
            "SELECT status FROM cron.job_run_details WHERE jobid = %s ORDER BY runid DESC LIMIT 1", (job,)).fetchone()
        return row and row[0]

    def details(self):
        return self.superuser.execute("SELECT command, status, return_message FROM cron.job_run_details").fetchall()

    def test_a_tenant_schedules_nothing(self):
        with support.connect(DATABASE, user=BOUND) as tenant, self.assertRaises(support.psycopg.errors.InsufficientPrivilege):
            tenant.execute("SELECT cron.schedule('* * * * *', 'SELECT 1')")


if __name__ == "__main__":
    unittest.main()
