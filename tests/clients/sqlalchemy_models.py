#!/usr/bin/env python3
"""SQLAlchemy 2.0: the documented models of users, analysis_runs and jobs, with their schemas named, and models of a
tenant's own work. The identity of a session is an execution option, which an event turns into the context at BEGIN."""

import json
import secrets
import unittest
import uuid

import support

import sqlalchemy
from sqlalchemy import Column, DateTime, ForeignKey, String, create_engine, event, func, select
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, joinedload, relationship, selectinload

METRICS = {"lint": {"total": 0, "linting_score": 100.0}, "churn": {"total_commits": None}}


# ---- the models as documented: but for the schemas, nothing is added

class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    __table_args__ = {"schema": "auth"}

    id = Column(UUID(as_uuid=True), primary_key=True, default=uuid.uuid4)
    email = Column(String, unique=True, nullable=False, index=True)
    auth0_sub = Column(String, unique=True, nullable=True, index=True)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    last_login = Column(DateTime(timezone=True), nullable=True)

    analysis_runs = relationship("AnalysisRun", back_populates="user", cascade="all, delete-orphan")
    jobs = relationship("Job", back_populates="user", cascade="all, delete-orphan")


class AnalysisRun(Base):
    __tablename__ = "analysis_runs"
    __table_args__ = {"schema": "analysis"}

    run_id = Column(UUID(as_uuid=True), primary_key=True, default=uuid.uuid4)
    user_id = Column(UUID(as_uuid=True), ForeignKey("auth.users.id"), nullable=False, index=True)
    created_at = Column(DateTime(timezone=True), server_default=func.now(), nullable=False, index=True)
    upload_filename = Column(String, nullable=True)
    submission_type = Column(String, nullable=False)
    project_name = Column(String, nullable=True)
    author_type = Column(String, nullable=True)
    author_model = Column(String, nullable=True)
    git_repo_url = Column(String, nullable=True)
    git_branch = Column(String, nullable=True)
    git_commit_sha = Column(String, nullable=True)
    metrics = Column(JSONB, nullable=False)
    file_tree = Column(JSONB, nullable=True)
    errors = Column(JSONB, nullable=False, default=list)

    user = relationship("User", back_populates="analysis_runs")
    job = relationship("Job", back_populates="result_analysis", uselist=False)


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = {"schema": "analysis"}

    job_id = Column(String, primary_key=True)
    user_id = Column(UUID(as_uuid=True), ForeignKey("auth.users.id"), nullable=False, index=True)
    status = Column(String, nullable=False, index=True)
    source_kind = Column(String, nullable=False)
    source_metadata = Column(JSONB, nullable=True)
    result_run_id = Column(
        UUID(as_uuid=True), ForeignKey("analysis.analysis_runs.run_id", ondelete="SET NULL"), nullable=True)
    error_message = Column(String, nullable=True)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    user = relationship("User", back_populates="jobs")
    result_analysis = relationship("AnalysisRun", back_populates="job", foreign_keys=[result_run_id])


def models_of_analyses(engine):
    """Classes for a tenant's own work, mapped to what the catalog says."""

    class Reflected(DeclarativeBase):
        pass

    Reflected.metadata.reflect(engine, schema="analysis")
    tables = Reflected.metadata.tables

    class Repository(Reflected):
        __table__ = tables["scm.repositories"]
        analyses = relationship("Analysis", back_populates="repository")

    class Analysis(Reflected):
        __table__ = tables["analysis.analyses"]
        repository = relationship("Repository", back_populates="analyses")
        findings = relationship("Finding", back_populates="analysis", order_by=tables["analysis.findings"].c.line_start)

    class Finding(Reflected):
        __table__ = tables["analysis.findings"]
        analysis = relationship("Analysis", back_populates="findings")

    return Repository, Analysis, Finding


# ---- the context, from the execution options of the engine that a session is bound to

def take_context_at_begin(engine):
    @event.listens_for(engine, "begin")
    def take_context(connection):
        options = connection.get_execution_options()
        if "api_key" in options:
            answer = connection.execute(select(func.auth.authenticate_api_key(options["api_key"]))).scalar_one()
            # Not every driver decodes the jsonb of a function that SQLAlchemy does not know.
            answer = json.loads(answer) if isinstance(answer, str) else answer
            if answer["status"] != "ok":
                raise PermissionError(answer["status"])
        if "identity" in options:
            connection.execute(select(func.tenancy.assume(*options["identity"])))


class Models(support.WorldTest):
    def engine(self, **connect_args):
        engine = create_engine("postgresql+psycopg://", connect_args=connect_args, pool_size=1, max_overflow=0)
        self.addCleanup(engine.dispose)
        take_context_at_begin(engine)
        return engine

    def setUp(self):
        self.server = self.engine()
        self.service = self.engine(user=self.world.service_login)
        self.tenant = self.engine(user=self.world.tenant_login)

    def as_owner(self, tenant, engine=None):
        """A session of the trusted service that acts for the owner of a tenant."""
        return Session((engine or self.service).execution_options(identity=(tenant.org_id, tenant.owner_id)))

    def with_key(self, tenant):
        return Session(self.tenant.execution_options(api_key=tenant.api_key))

    def submit(self, tenant):
        """A run and the job that made it, as the documented application stores them; their ids."""
        with self.as_owner(tenant) as session, session.begin():
            run = AnalysisRun(
                user_id=tenant.owner_id, submission_type="github", author_type="ai", author_model="gpt-4",
                git_repo_url="https://github.com/owner/repo", git_branch="main", git_commit_sha="f" * 40,
                metrics=METRICS)
            job = Job(
                job_id=secrets.token_hex(16), user_id=tenant.owner_id, status="pending", source_kind="github",
                source_metadata={"git_branch": "main"}, result_analysis=run)
            session.add_all([run, job])
            session.flush()
            return run.run_id, job.job_id

    # ---- the documented models

    def test_insert_and_select(self):
        run_id, job_id = self.submit(self.world.a)
        with self.as_owner(self.world.a) as session:
            run = session.get(AnalysisRun, run_id)
            self.assertEqual((run.metrics, run.errors, run.file_tree), (METRICS, [], None))
            self.assertIsNotNone(run.created_at.tzinfo)
            history = session.scalars(
                select(AnalysisRun).where(AnalysisRun.user_id == self.world.a.owner_id)
                .order_by(AnalysisRun.created_at.desc())).all()
            self.assertIn(run, history)
            pending = select(Job.job_id).where(
                Job.user_id == self.world.a.owner_id, Job.status == "pending",
                Job.source_metadata["git_branch"].astext == "main")
            self.assertIn(job_id, session.scalars(pending).all())

    def test_relationships(self):
        run_id, job_id = self.submit(self.world.a)
        for loading in ((), (joinedload(User.analysis_runs), joinedload(User.jobs)),
                        (selectinload(User.analysis_runs), selectinload(User.jobs).joinedload(Job.result_analysis))):
            with self.subTest(loading=len(loading)), self.as_owner(self.world.a) as session:
                user = session.scalars(select(User).options(*loading)).unique().one()
                self.assertEqual(user.id, self.world.a.owner_id)
                run = next(run for run in user.analysis_runs if run.run_id == run_id)
                self.assertEqual(run.job.job_id, job_id)
                self.assertIs(run.job.result_analysis, run)
                self.assertIs(run.user, user)
                self.assertIn(run.job, user.jobs)

    def test_update_moves_updated_at(self):
        _, job_id = self.submit(self.world.a)
        with self.as_owner(self.world.a) as session, session.begin():
            job = session.get(Job, job_id)
            before = job.updated_at
            self.assertEqual(before, job.created_at)
            job.status = "running"
            session.flush()
            session.refresh(job)
            self.assertGreater(job.updated_at, before)
        # The trigger does it, not the onupdate of the model.
        with self.as_owner(self.world.a) as session, session.begin():
            before = session.get(Job, job_id).updated_at
            update = sqlalchemy.text("UPDATE analysis.jobs SET error_message = 'e' WHERE job_id = :job_id")
            session.execute(update, {"job_id": job_id})
            session.expire_all()
            self.assertGreater(session.get(Job, job_id).updated_at, before)

    def test_deleting_a_run_leaves_its_job(self):
        run_id, job_id = self.submit(self.world.a)
        with self.as_owner(self.world.a) as session, session.begin():
            session.execute(sqlalchemy.delete(AnalysisRun).where(AnalysisRun.run_id == run_id))
        with self.as_owner(self.world.a) as session:
            self.assertIsNone(session.get(Job, job_id).result_run_id)

    def test_owner_only(self):
        run_id, job_id = self.submit(self.world.a)
        with self.as_owner(self.world.b) as session:
            self.assertIsNone(session.get(AnalysisRun, run_id))
            self.assertIsNone(session.get(Job, job_id))
            self.assertEqual([user.id for user in session.scalars(select(User))], [self.world.b.owner_id])
        # An API key acts for no user.
        with self.with_key(self.world.a) as session:
            for model in (User, AnalysisRun, Job):
                self.assertEqual(session.scalars(select(model)).all(), [])
            session.add(AnalysisRun(user_id=self.world.a.owner_id, submission_type="upload", metrics={}))
            with self.assertRaises(ProgrammingError) as caught:
                session.flush()
            self.assertEqual(caught.exception.orig.sqlstate, "42501")

    def test_run_of_another_tenant_cannot_be_named(self):
        run_id, _ = self.submit(self.world.b)
        with self.as_owner(self.world.a) as session:
            session.add(Job(
                job_id=secrets.token_hex(16), user_id=self.world.a.owner_id, status="completed", source_kind="upload",
                result_run_id=run_id))
            with self.assertRaises(IntegrityError) as caught:
                session.flush()
            self.assertEqual(caught.exception.orig.sqlstate, "23503")

    def test_documented_values_are_enforced(self):
        for model in (
            AnalysisRun(submission_type="fax", metrics={}),
            AnalysisRun(submission_type="upload", metrics=[]),
            AnalysisRun(submission_type="upload", metrics={}, git_branch="main"),
            AnalysisRun(submission_type="upload", metrics={}, errors=[1]),
            Job(job_id=secrets.token_hex(16), status="lost", source_kind="upload"),
        ):
            with self.as_owner(self.world.a) as session:
                model.user_id = self.world.a.owner_id
                session.add(model)
                with self.assertRaises(IntegrityError) as caught:
                    session.flush()
                self.assertEqual(caught.exception.orig.sqlstate, "23514")

    def test_life_of_a_user(self):
        """The documented cascade, "all, delete-orphan", by the superuser that registers users."""
        sub = f"auth0|{secrets.token_hex(8)}"
        with self.as_owner(self.world.a, self.server) as session:
            user = User(email=f"{secrets.token_hex(8)}@example.org", auth0_sub=sub)
            user.analysis_runs.append(AnalysisRun(submission_type="upload", upload_filename="a.py", metrics=METRICS))
            user.jobs.append(Job(
                job_id=secrets.token_hex(16), status="completed", source_kind="upload",
                result_analysis=user.analysis_runs[0]))
            session.add(user)
            session.commit()
            user = session.scalars(select(User).where(User.auth0_sub == sub)).one()
            user.last_login = func.now()
            session.commit()
            self.assertIsNotNone(user.last_login.tzinfo)
            run_id = user.analysis_runs[0].run_id
            session.delete(user)
            session.commit()
            self.assertIsNone(session.get(AnalysisRun, run_id))
            self.assertEqual(session.scalars(select(User).where(User.auth0_sub == sub)).all(), [])

    # ---- a tenant's session, by its API key

    def test_analysis_with_findings(self):
        Repository, Analysis, Finding = models_of_analyses(self.tenant)
        with self.with_key(self.world.a) as session:
            repository = session.scalars(select(Repository)).one()
            self.assertEqual(repository.id, self.world.a.repo_id)
            analysis = Analysis(repo_id=repository.id, pr_number=3, head_sha="e" * 40, pr_title="Title")
            session.add(analysis)
            session.flush()
            session.add_all(
                Finding(analysis_id=analysis.id, category="semantic", severity="low", title=f"{line}", file_path="a.py",
                        line_start=line)
                for line in range(1, 31))
            session.commit()

            # Another transaction, another BEGIN: the event has taken the context again.
            analysis = session.scalars(select(Analysis).options(selectinload(Analysis.findings))).one()
            self.assertEqual([finding.line_start for finding in analysis.findings], list(range(1, 31)))
            self.assertEqual({finding.org_id for finding in analysis.findings}, {self.world.a.org_id})
            self.assertIs(analysis.repository.analyses[0], analysis)
            before = analysis.updated_at
            analysis.pr_title = "Another title"
            session.commit()
            self.assertGreater(analysis.updated_at, before)

            analysis.status = "completed"
            with self.assertRaises(DBAPIError) as caught:
                session.commit()
            self.assertEqual(caught.exception.orig.sqlstate, "VC041")
            session.rollback()
            self.assertEqual(analysis.status, "pending")

        with self.with_key(self.world.b) as session:
            self.assertEqual(session.scalars(select(Analysis)).all(), [])
            self.assertEqual(session.scalars(select(Repository.id)).all(), [self.world.b.repo_id])

    def test_sarif(self):
        with self.with_key(self.world.a) as session, session.begin():
            analysis_id = session.scalar(select(func.analysis.start_analysis(self.world.a.repo_id, 9, "a" * 40)))
            log = sqlalchemy.bindparam("log", support.bandit_log(), JSONB)
            report = func.analysis.import_sarif(analysis_id, log).table_valued("tool", "imported")
            self.assertEqual(session.execute(select(report)).one(), ("Bandit", support.BANDIT_RESULTS))

    def test_pool_serves_tenants_in_turn(self):
        repositories = select(sqlalchemy.column("id")).select_from(sqlalchemy.table("repositories", schema="scm"))
        backends = set()
        for tenant in (self.world.a, self.world.b) * 3:
            with self.with_key(tenant) as session:
                self.assertEqual(session.scalars(repositories).all(), [tenant.repo_id])
                backends.add(session.scalar(select(func.pg_backend_pid())))
            with Session(self.tenant) as session:
                self.assertEqual(session.scalars(repositories).all(), [])
        self.assertEqual(len(backends), 1, "it was one connection all along")

    def test_wrong_key(self):
        with Session(self.tenant.execution_options(api_key="cv_live_" + "0" * 36)) as session:
            with self.assertRaises(PermissionError):
                session.scalars(select(AnalysisRun)).all()
        # The connection is of use to the next session.
        with self.with_key(self.world.a) as session:
            self.assertEqual(session.scalar(select(func.tenancy.current_org_id())), self.world.a.org_id)


class AsynchronousModels(support.AsyncWorldTest):
    """The same models over asyncpg, to which SQLAlchemy casts every parameter: $1::VARCHAR."""

    async def test_insert_update_and_load(self):
        tenant = self.world.a
        engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={"user": self.world.service_login},
            execution_options={"identity": (tenant.org_id, tenant.owner_id)})
        self.addAsyncCleanup(engine.dispose)
        take_context_at_begin(engine.sync_engine)
        job_id = secrets.token_hex(16)
        async with AsyncSession(engine) as session, session.begin():
            run = AnalysisRun(user_id=tenant.owner_id, submission_type="upload", metrics=METRICS, errors=["é"])
            session.add(Job(
                job_id=job_id, user_id=tenant.owner_id, status="running", source_kind="upload", result_analysis=run))
        async with AsyncSession(engine) as session, session.begin():
            job = await session.get(Job, job_id, options=[joinedload(Job.result_analysis), joinedload(Job.user)])
            self.assertEqual((job.result_analysis.metrics, job.result_analysis.errors), (METRICS, ["é"]))
            self.assertEqual(job.user.id, tenant.owner_id)
            before = job.updated_at
            job.status = "completed"
            await session.flush()
            await session.refresh(job)
            self.assertGreater(job.updated_at, before)


if __name__ == "__main__":
    unittest.main()
