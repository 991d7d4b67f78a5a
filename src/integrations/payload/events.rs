//! GitHub's payloads, as far as anything follows from them.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};

use super::values::{Id, Moment, Name, Number, Sha, Text};

const NO_JSON: &str = "it is no JSON object";
const INCOMPLETE: &str = "a member that the event has is missing or of another type";

/// What most payloads have.
#[derive(Deserialize)]
struct Envelope {
    action: Option<Lenient<Name<255>>>,
}

/// A member that need not be what it is elsewhere.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Known(T),
    Other(IgnoredAny),
}

impl<T> Lenient<T> {
    fn get(self) -> Option<T> {
        match self {
            Lenient::Known(value) => Some(value),
            Lenient::Other(_) => None,
        }
    }
}

/// The facts of a payload. Those of an event that nothing follows from are what tells whom it concerns.
pub fn facts(event: &str, text: &str) -> Result<Map<String, Value>, &'static str> {
    // An array of the members' values would do for serde, too.
    if !text.trim_start().starts_with('{') {
        return Err(NO_JSON);
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|_| NO_JSON)?;
    let action = envelope.action.and_then(Lenient::get);
    let mut facts = Map::new();
    if let Some(action) = action {
        facts.insert("action".to_owned(), json!(action));
    }
    let own = match event {
        "ping" => read::<Ping>(text)?.facts(),
        "installation" => read::<InstallationEvent>(text)?.facts(),
        "installation_repositories" => read::<InstallationRepositories>(text)?.facts(),
        "push" => read::<Push>(text)?.facts(),
        "pull_request" => read::<PullRequestEvent>(text)?.facts(),
        "pull_request_review" => read::<PullRequestReview>(text)?.facts(),
        "workflow_run" => read::<WorkflowRunEvent>(text)?.facts(),
        "deployment_status" => read::<DeploymentStatusEvent>(text)?.facts(),
        "repository" => read::<RepositoryEvent>(text)?.facts(),
        _ => read::<Other>(text)?.facts(),
    };
    if let Value::Object(own) = own {
        facts.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Ok(facts)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, &'static str> {
    serde_json::from_str(text).map_err(|_| INCOMPLETE)
}

#[derive(Deserialize, Serialize)]
struct IdOnly {
    id: Id,
}

#[derive(Deserialize, Serialize)]
struct Repository {
    id: Id,
    name: Name<255>,
    full_name: Name<512>,
    #[serde(default)]
    private: bool,
    // Lists of repositories do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_branch: Option<Name<255>>,
}

/// An event that nothing follows from, of which nothing is known for certain.
#[derive(Deserialize)]
struct Other {
    installation: Option<Lenient<IdOnly>>,
    repository: Option<Lenient<Repository>>,
}

impl Other {
    fn facts(self) -> Value {
        json!({
            "installation": self.installation.and_then(Lenient::get),
            "repository": self.repository.and_then(Lenient::get),
        })
    }
}

#[derive(Deserialize)]
struct Account {
    login: Option<Text<255>>,
}

fn login(account: Option<Account>) -> Option<Text<255>> {
    account?.login
}

#[derive(Deserialize)]
struct Ping {
    hook_id: Option<Id>,
    repository: Option<Repository>,
}

impl Ping {
    fn facts(self) -> Value {
        json!({ "hook_id": self.hook_id, "repository": self.repository })
    }
}

#[derive(Deserialize)]
struct InstallationEvent {
    installation: Installation,
    #[serde(default)]
    repositories: Option<Vec<Repository>>,
}

#[derive(Deserialize)]
struct Installation {
    id: Id,
    account: InstallationAccount,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    suspended_at: Moment,
}

#[derive(Deserialize)]
struct InstallationAccount {
    login: Option<Text<255>>,
    #[serde(rename = "type")]
    kind: Option<Text<255>>,
}

impl InstallationEvent {
    fn facts(self) -> Value {
        let stored = |text: &String| !text.contains('\0');
        let permissions: BTreeMap<_, _> = self
            .installation
            .permissions
            .iter()
            .filter(|(name, level)| stored(name) && stored(level))
            .collect();
        let events: Vec<_> = self
            .installation
            .events
            .iter()
            .filter(|event| stored(event))
            .collect();
        json!({
            "installation": {
                "id": self.installation.id,
                "account": self.installation.account.login,
                "account_type": self.installation.account.kind,
                "permissions": permissions,
                "events": events,
                "suspended_at": self.installation.suspended_at,
            },
            "repositories": self.repositories.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct InstallationRepositories {
    installation: IdOnly,
    #[serde(default)]
    repositories_added: Vec<Repository>,
    #[serde(default)]
    repositories_removed: Vec<Removed>,
}

/// Also of a repository whose name is gone.
#[derive(Deserialize)]
struct Removed {
    id: Id,
}

impl InstallationRepositories {
    fn facts(self) -> Value {
        let removed: Vec<Id> = self
            .repositories_removed
            .into_iter()
            .map(|removed| removed.id)
            .collect();
        json!({
            "installation": self.installation,
            "added": self.repositories_added,
            "removed": removed,
        })
    }
}

#[derive(Deserialize)]
struct Push {
    installation: Option<IdOnly>,
    repository: Repository,
    #[serde(rename = "ref")]
    reference: Text<1024>,
    before: Sha,
    after: Sha,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    #[serde(default)]
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: Sha,
    // Also where it is left out: then nobody has seen the commit before.
    #[serde(default = "is_distinct")]
    distinct: bool,
    #[serde(default)]
    timestamp: Moment,
    #[serde(default)]
    message: Text<1000>,
    author: Option<CommitAuthor>,
    #[serde(default)]
    added: Vec<IgnoredAny>,
    #[serde(default)]
    removed: Vec<IgnoredAny>,
    #[serde(default)]
    modified: Vec<IgnoredAny>,
}

fn is_distinct() -> bool {
    true
}

#[derive(Deserialize)]
struct CommitAuthor {
    username: Option<Text<255>>,
}

impl Push {
    fn facts(self) -> Value {
        let commits: Vec<Value> = self
            .commits
            .into_iter()
            .map(|commit| {
                json!({
                    "sha": commit.id,
                    "distinct": commit.distinct,
                    "at": commit.timestamp,
                    "message": commit.message.first_line(),
                    "author": commit.author.and_then(|author| author.username),
                    "added": commit.added.len(),
                    "removed": commit.removed.len(),
                    "modified": commit.modified.len(),
                })
            })
            .collect();
        json!({
            "installation": self.installation,
            "repository": self.repository,
            "ref": self.reference,
            "before": self.before,
            "after": self.after,
            "created": self.created,
            "deleted": self.deleted,
            "forced": self.forced,
            "commits": commits,
        })
    }
}

#[derive(Deserialize)]
struct PullRequestEvent {
    installation: Option<IdOnly>,
    repository: Repository,
    pull_request: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    number: Number,
    #[serde(default)]
    title: Text<1000>,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    merged: Option<bool>,
    user: Option<Account>,
    head: End,
    base: End,
    #[serde(default)]
    created_at: Moment,
    #[serde(default)]
    merged_at: Moment,
    merge_commit_sha: Option<Sha>,
}

#[derive(Deserialize)]
struct End {
    sha: Sha,
    #[serde(rename = "ref", default)]
    reference: Text<255>,
}

impl PullRequest {
    fn facts(self) -> Value {
        json!({
            "number": self.number,
            "title": self.title,
            "draft": self.draft.unwrap_or(false),
            "merged": self.merged.unwrap_or(false),
            "author": login(self.user),
            "head_sha": self.head.sha,
            "head": self.head.reference,
            "base_sha": self.base.sha,
            "base": self.base.reference,
            "created_at": self.created_at,
            "merged_at": self.merged_at,
            "merge_sha": self.merge_commit_sha,
        })
    }
}

impl PullRequestEvent {
    fn facts(self) -> Value {
        json!({
            "installation": self.installation,
            "repository": self.repository,
            "pull_request": self.pull_request.facts(),
        })
    }
}

#[derive(Deserialize)]
struct PullRequestReview {
    installation: Option<IdOnly>,
    repository: Repository,
    pull_request: ReviewedPullRequest,
    review: Review,
}

#[derive(Deserialize)]
struct ReviewedPullRequest {
    number: Number,
}

#[derive(Deserialize)]
struct Review {
    state: Text<100>,
    user: Option<Account>,
    commit_id: Option<Sha>,
    #[serde(default)]
    submitted_at: Moment,
}

impl PullRequestReview {
    fn facts(self) -> Value {
        json!({
            "installation": self.installation,
            "repository": self.repository,
            "review": {
                "number": self.pull_request.number,
                "state": self.review.state,
                "reviewer": login(self.review.user),
                "commit_sha": self.review.commit_id,
                "at": self.review.submitted_at,
            },
        })
    }
}

#[derive(Deserialize)]
struct WorkflowRunEvent {
    installation: Option<IdOnly>,
    repository: Repository,
    workflow: Option<Workflow>,
    workflow_run: WorkflowRun,
}

#[derive(Deserialize)]
struct Workflow {
    #[serde(default)]
    name: Text<255>,
}

#[derive(Deserialize)]
struct WorkflowRun {
    id: Id,
    name: Option<Text<255>>,
    conclusion: Option<Text<100>>,
    head_branch: Option<Text<255>>,
    head_sha: Sha,
    run_number: Option<Id>,
    run_attempt: Option<Id>,
    event: Option<Text<100>>,
    html_url: Option<Text<1000>>,
    #[serde(default)]
    updated_at: Moment,
}

impl WorkflowRunEvent {
    fn facts(self) -> Value {
        let run = self.workflow_run;
        // A run may have a name of its own; rules go by the workflow's.
        let workflow = self
            .workflow
            .map(|workflow| workflow.name)
            .filter(|name| !name.is_empty())
            .or(run.name);
        json!({
            "installation": self.installation,
            "repository": self.repository,
            "workflow_run": {
                "workflow": workflow,
                "conclusion": run.conclusion,
                "branch": run.head_branch,
                "head_sha": run.head_sha,
                "run_id": run.id,
                "run_number": run.run_number,
                "attempt": run.run_attempt,
                "trigger": run.event,
                "url": run.html_url,
                "finished_at": run.updated_at,
            },
        })
    }
}

#[derive(Deserialize)]
struct DeploymentStatusEvent {
    installation: Option<IdOnly>,
    repository: Repository,
    deployment: Deployment,
    deployment_status: DeploymentStatus,
}

#[derive(Deserialize)]
struct Deployment {
    id: Id,
    sha: Sha,
    #[serde(rename = "ref", default)]
    reference: Text<255>,
    #[serde(default)]
    environment: Text<255>,
}

#[derive(Deserialize)]
struct DeploymentStatus {
    state: Text<100>,
    #[serde(default)]
    created_at: Moment,
    target_url: Option<Text<1000>>,
}

impl DeploymentStatusEvent {
    fn facts(self) -> Value {
        json!({
            "installation": self.installation,
            "repository": self.repository,
            "deployment": {
                "deployment_id": self.deployment.id,
                "sha": self.deployment.sha,
                "ref": self.deployment.reference,
                "environment": self.deployment.environment,
                "state": self.deployment_status.state,
                "at": self.deployment_status.created_at,
                "url": self.deployment_status.target_url,
            },
        })
    }
}

#[derive(Deserialize)]
struct RepositoryEvent {
    installation: Option<IdOnly>,
    repository: Repository,
}

impl RepositoryEvent {
    fn facts(self) -> Value {
        json!({ "installation": self.installation, "repository": self.repository })
    }
}
