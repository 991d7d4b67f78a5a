//! Settings of passwords.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::hash::{
    Cost, LEAST_ITERATIONS, LEAST_MEMORY, MOST_ITERATIONS, MOST_MEMORY, MOST_PARALLELISM,
};

static ARGON2_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(LEAST_MEMORY as i32);
static ARGON2_ITERATIONS: GucSetting<i32> = GucSetting::<i32>::new(LEAST_ITERATIONS as i32);
static ARGON2_PARALLELISM: GucSetting<i32> = GucSetting::<i32>::new(1);
static MAX_CONCURRENT_HASHES: GucSetting<i32> = GucSetting::<i32>::new(4);

/// What a new hash costs.
pub fn cost() -> Cost {
    Cost {
        memory: ARGON2_MEMORY.get().unsigned_abs(),
        iterations: ARGON2_ITERATIONS.get().unsigned_abs(),
        parallelism: ARGON2_PARALLELISM.get().unsigned_abs(),
    }
}

/// How many sessions of the server may hash at the same time.
pub fn max_concurrent_hashes() -> i32 {
    MAX_CONCURRENT_HASHES.get()
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.argon2_memory",
        c"Memory that the hash of a password takes.",
        c"When it is raised, hashes are replaced as their owners log in. At most codeverify.max_concurrent_hashes times this is in use.",
        &ARGON2_MEMORY,
        LEAST_MEMORY as i32,
        MOST_MEMORY as i32,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"codeverify.argon2_iterations",
        c"Passes that the hash of a password makes over its memory.",
        c"When it is raised, hashes are replaced as their owners log in.",
        &ARGON2_ITERATIONS,
        LEAST_ITERATIONS as i32,
        MOST_ITERATIONS as i32,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"codeverify.argon2_parallelism",
        c"Lanes of the memory that the hash of a password takes.",
        c"They are filled one after the other: a server process has one thread.",
        &ARGON2_PARALLELISM,
        1,
        MOST_PARALLELISM as i32,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"codeverify.max_concurrent_hashes",
        c"Passwords that are hashed at the same time, in all databases of the server.",
        c"Others wait, so that a flood of log-ins takes no more memory than this many hashes.",
        &MAX_CONCURRENT_HASHES,
        1,
        1000,
        GucContext::Suset,
        GucFlags::default(),
    );
}
