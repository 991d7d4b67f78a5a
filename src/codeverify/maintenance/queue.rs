//! The segment of shared memory between a caller and the worker that runs for it: a header with what is asked for, then
//! a message queue, through which the rows come back one by one, however many there are.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::slice;

use pgrx::pg_sys;
use serde::{Deserialize, Serialize};

use super::report::Row;

/// Room of the queue; longer messages pass through it in pieces.
const QUEUE_BYTES: usize = 16 * 1024;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub only: Option<String>,
    /// The caller's codeverify.clock.
    pub clock: Option<String>,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    Row(Row),
    /// The last one.
    Done,
}

/// The queue follows it, at a multiple of what any type is aligned to; then the request.
#[repr(C, align(64))]
struct Header {
    database: u32,
    request_bytes: usize,
}

/// The caller's end.
pub struct Receiver {
    mapping: NonNull<pg_sys::dsm_segment>,
    queue: NonNull<pg_sys::shm_mq_handle>,
}

impl Receiver {
    /// Makes a segment with a request; None when the server has no room for another.
    pub fn create(request: &Request) -> Option<Receiver> {
        let request = serde_json::to_vec(request).ok()?;
        let bytes = size_of::<Header>() + QUEUE_BYTES + request.len();
        // SAFETY: the segment belongs to the current resource owner, which unmaps it after an error. All that is
        // written lies within it, and nobody else knows it yet. The queue's handle has to live as long as the
        // transaction, in which an error may find it.
        unsafe {
            let mapping = NonNull::new(pg_sys::dsm_create(
                bytes,
                pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS as i32,
            ))?;
            let address = pg_sys::dsm_segment_address(mapping.as_ptr()).cast::<u8>();
            address.cast::<Header>().write(Header {
                database: pg_sys::MyDatabaseId.to_u32(),
                request_bytes: request.len(),
            });
            address
                .add(size_of::<Header>() + QUEUE_BYTES)
                .copy_from_nonoverlapping(request.as_ptr(), request.len());
            let queue = pg_sys::shm_mq_create(address.add(size_of::<Header>()).cast(), QUEUE_BYTES);
            pg_sys::shm_mq_set_receiver(queue, pg_sys::MyProc);
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            let queue = pg_sys::shm_mq_attach(queue, mapping.as_ptr(), ptr::null_mut());
            pg_sys::MemoryContextSwitchTo(before);
            Some(Receiver {
                mapping,
                queue: NonNull::new(queue)?,
            })
        }
    }

    /// By which the worker finds it.
    pub fn handle(&self) -> pg_sys::dsm_handle {
        // SAFETY: the mapping is there until detach().
        unsafe { pg_sys::dsm_segment_handle(self.mapping.as_ptr()) }
    }

    /// Says who will send, so that its end is noticed; and has it stopped when this transaction is rolled back or the
    /// process ends before `detach()`.
    ///
    /// # Safety
    /// The worker's handle lives as long as the transaction.
    pub unsafe fn expect(&self, worker: *mut pg_sys::BackgroundWorkerHandle) {
        // SAFETY: as above; the callback takes such a handle.
        unsafe {
            pg_sys::shm_mq_set_handle(self.queue.as_ptr(), worker);
            pg_sys::on_dsm_detach(
                self.mapping.as_ptr(),
                Some(stop_worker),
                pg_sys::Datum::from(worker),
            );
        }
    }

    /// Waits for the next message; None when the worker has ended. An interruption of the caller is an error here.
    pub fn receive(&self) -> Option<Message> {
        let mut length = 0;
        let mut data: *mut c_void = ptr::null_mut();
        // SAFETY: a message stays where it is until the next one is received.
        let bytes = unsafe {
            let result = pg_sys::shm_mq_receive(self.queue.as_ptr(), &mut length, &mut data, false);
            if result != pg_sys::shm_mq_result::SHM_MQ_SUCCESS {
                return None;
            }
            slice::from_raw_parts(data.cast::<u8>(), length)
        };
        serde_json::from_slice(bytes).ok()
    }

    /// Unmaps the segment of a worker that is done or was never started, and leaves the worker alone.
    pub fn detach(self, worker: *mut pg_sys::BackgroundWorkerHandle) {
        // SAFETY: nothing refers to the mapping after this.
        unsafe {
            if !worker.is_null() {
                pg_sys::cancel_on_dsm_detach(
                    self.mapping.as_ptr(),
                    Some(stop_worker),
                    pg_sys::Datum::from(worker),
                );
            }
            pg_sys::shm_mq_detach(self.queue.as_ptr());
            pg_sys::dsm_detach(self.mapping.as_ptr());
        }
    }
}

/// The server calls it when the segment is unmapped before its time: the caller was cancelled, or is gone.
unsafe extern "C-unwind" fn stop_worker(_mapping: *mut pg_sys::dsm_segment, worker: pg_sys::Datum) {
    // SAFETY: the handle that expect() was given; one whose worker has ended is let pass.
    unsafe { pg_sys::TerminateBackgroundWorker(worker.cast_mut_ptr()) };
}

/// The worker's end.
pub struct Sender {
    queue: NonNull<pg_sys::shm_mq_handle>,
}

impl Sender {
    /// Maps the segment that a caller has made, for as long as the process lives. Returns what to do in which database
    /// too; None when the caller is gone.
    pub fn attach(handle: pg_sys::dsm_handle) -> Option<(Sender, u32, Request)> {
        // SAFETY: without a resource owner the mapping lasts as long as the process; the caller has filled the segment
        // before it started this process, and only its queue changes. The queue's handle lives as long, too.
        unsafe {
            let mapping = NonNull::new(pg_sys::dsm_attach(handle))?;
            let address = pg_sys::dsm_segment_address(mapping.as_ptr()).cast::<u8>();
            let header = address.cast::<Header>().read();
            let request = slice::from_raw_parts(
                address.add(size_of::<Header>() + QUEUE_BYTES),
                header.request_bytes,
            );
            let request = serde_json::from_slice(request).ok()?;
            let queue = address.add(size_of::<Header>()).cast::<pg_sys::shm_mq>();
            pg_sys::shm_mq_set_sender(queue, pg_sys::MyProc);
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let queue = pg_sys::shm_mq_attach(queue, mapping.as_ptr(), ptr::null_mut());
            pg_sys::MemoryContextSwitchTo(before);
            let sender = Sender {
                queue: NonNull::new(queue)?,
            };
            Some((sender, header.database, request))
        }
    }

    /// Waits while the queue is full. That nobody receives any more is no matter: whoever asked is gone, and the
    /// process is told to end.
    pub fn send(&self, message: &Message) {
        let Ok(bytes) = serde_json::to_vec(message) else {
            return;
        };
        // SAFETY: the bytes are copied before it returns.
        unsafe {
            pg_sys::shm_mq_send(
                self.queue.as_ptr(),
                bytes.len(),
                bytes.as_ptr().cast(),
                false,
                true,
            );
        }
    }
}
