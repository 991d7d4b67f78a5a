//! Work that is committed by itself, whatever becomes of the transaction that asks for it.
//!
//! A background worker is started for each job: it attaches to a segment of shared memory that holds the job,
//! does it as codeverify_owner in a transaction of its own, commits, leaves its reply in the segment and ends.
//! That needs no preloaded library, costs a process (5 to 15 ms, most of it CPU time), and one of
//! max_worker_processes for as long as the job takes.
//!
//! The job must not need a lock that its caller holds: the caller waits for the job, and the server sees no
//! deadlock in that. The worker gives up on a lock after half a second, and the caller is told [`Unavailable`].

mod execution;
pub mod job;
mod launch;
mod segment;
mod worker;

use job::{Job, Reply};
use thiserror::Error;

use super::owner::as_owner;
use super::settings;
use super::transaction::can_write;

/// Why a job was not seen to be done. It may have been done nevertheless, except where no worker was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unavailable {
    #[error("the transaction may only read, and codeverify.own_transactions is off")]
    ReadOnly,
    #[error("the server is a standby")]
    Standby,
    #[error("a parallel worker starts no other")]
    Parallel,
    #[error("no background worker was free (max_worker_processes)")]
    NoWorker,
    #[error("the background worker failed; the server's log says why")]
    Failed,
}

/// Does a job in a transaction of its own, and waits for its end.
///
/// A caller that is cancelled meanwhile leaves the job to its worker.
pub fn run(job: &Job) -> Result<Reply, Unavailable> {
    if !settings::own_transactions() {
        return run_here(job.clone());
    }
    let bytes = serde_json::to_vec(job).map_err(|_| Unavailable::Failed)?;
    let reply = launch::run(&bytes)?;
    serde_json::from_slice(&reply).map_err(|_| Unavailable::Failed)
}

/// Does a job in the caller's transaction.
fn run_here(job: Job) -> Result<Reply, Unavailable> {
    if !can_write() {
        return Err(Unavailable::ReadOnly);
    }
    Ok(as_owner(|| execution::execute(job)))
}
