//! The segment of shared memory between a caller and the worker that does its job: a header, then the job's
//! bytes, which the reply's replace.

use std::mem::size_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use pgrx::pg_sys;

/// What the shortest segment has room for.
const LEAST_CAPACITY: usize = 8 * 1024;

/// How far the worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Stage {
    /// No worker has the segment yet: it would be lost with the caller.
    Waiting = 0,
    /// A worker has it, and will see the job through.
    Attached = 1,
    /// The job is committed and the reply is there.
    Done = 2,
}

/// Zeros, which a new segment is full of, are a valid one.
#[repr(C)]
struct Header {
    stage: AtomicU32,
    database: AtomicU32,
    caller: AtomicI32,
    /// Length of the job, later of the reply.
    length: AtomicU32,
}

/// A mapped segment; both sides have one.
pub struct Segment {
    mapping: NonNull<pg_sys::dsm_segment>,
    header: NonNull<Header>,
    capacity: usize,
}

impl Segment {
    /// Makes one that holds `job`; None when the server has no room for another.
    pub fn create(job: &[u8]) -> Option<Segment> {
        let capacity = job.len().max(LEAST_CAPACITY);
        // SAFETY: the segment belongs to the current resource owner, which unmaps it after an error.
        let mapping = unsafe {
            pg_sys::dsm_create(
                size_of::<Header>() + capacity,
                pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS as i32,
            )
        };
        let segment = Segment::map(NonNull::new(mapping)?)?;
        let header = segment.header();
        // SAFETY: set once when the backend starts.
        let (database, caller) = unsafe { (pg_sys::MyDatabaseId, pg_sys::MyProcPid) };
        header.database.store(database.to_u32(), Ordering::Relaxed);
        header.caller.store(caller, Ordering::Relaxed);
        segment.write(job);
        Some(segment)
    }

    /// Maps the one that a caller has made; None when the caller is gone.
    pub fn attach(handle: pg_sys::dsm_handle) -> Option<Segment> {
        // SAFETY: without a resource owner the mapping lasts as long as the process.
        let mapping = unsafe { pg_sys::dsm_attach(handle) };
        Segment::map(NonNull::new(mapping)?)
    }

    fn map(mapping: NonNull<pg_sys::dsm_segment>) -> Option<Segment> {
        // SAFETY: the mapping is there until detach().
        let (address, length) = unsafe {
            (
                pg_sys::dsm_segment_address(mapping.as_ptr()),
                pg_sys::dsm_segment_map_length(mapping.as_ptr()),
            )
        };
        Some(Segment {
            mapping,
            header: NonNull::new(address.cast())?,
            capacity: length.checked_sub(size_of::<Header>())?,
        })
    }

    /// By which a worker finds it.
    pub fn handle(&self) -> pg_sys::dsm_handle {
        // SAFETY: the mapping is there until detach().
        unsafe { pg_sys::dsm_segment_handle(self.mapping.as_ptr()) }
    }

    pub fn stage(&self) -> Stage {
        match self.header().stage.load(Ordering::Acquire) {
            0 => Stage::Waiting,
            1 => Stage::Attached,
            _ => Stage::Done,
        }
    }

    pub fn set_stage(&self, stage: Stage) {
        self.header().stage.store(stage as u32, Ordering::Release);
    }

    pub fn database(&self) -> pg_sys::Oid {
        self.header().database.load(Ordering::Relaxed).into()
    }

    /// The process id of the backend that waits.
    pub fn caller(&self) -> i32 {
        self.header().caller.load(Ordering::Relaxed)
    }

    /// Replaces the content; false when it does not fit. Only the side whose turn it is may do it: the caller
    /// before it starts the worker, the worker before it is done.
    pub fn write(&self, bytes: &[u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else {
            return false;
        };
        if bytes.len() > self.capacity {
            return false;
        }
        // SAFETY: the length is within the mapping, nobody reads now, and `bytes` is not in there.
        unsafe {
            self.content()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        self.header().length.store(length, Ordering::Relaxed);
        true
    }

    /// A copy of the content.
    pub fn read(&self) -> Vec<u8> {
        let length = self.header().length.load(Ordering::Relaxed) as usize;
        // SAFETY: the length is within the mapping, and nobody writes now.
        unsafe { std::slice::from_raw_parts(self.content(), length.min(self.capacity)) }.to_vec()
    }

    /// Unmaps it. After an error the server does.
    pub fn detach(self) {
        // SAFETY: nothing refers to the mapping after this.
        unsafe { pg_sys::dsm_detach(self.mapping.as_ptr()) };
    }

    fn header(&self) -> &Header {
        // SAFETY: a mapping begins at a page; all fields are atomic, for the other side changes them.
        unsafe { self.header.as_ref() }
    }

    fn content(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than the header.
        unsafe { self.header.as_ptr().add(1).cast() }
    }
}
