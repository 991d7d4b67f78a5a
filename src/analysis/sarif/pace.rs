//! Calls the host now and then in a long loop, so that it can cancel.

/// Results or findings between two calls.
pub const RESULTS: usize = 256;

pub struct Pace<'i> {
    interrupt: &'i mut dyn FnMut(),
    every: usize,
    steps: usize,
}

impl<'i> Pace<'i> {
    pub fn new(every: usize, interrupt: &'i mut dyn FnMut()) -> Self {
        Pace {
            interrupt,
            every,
            steps: 0,
        }
    }

    pub fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(self.every) {
            (self.interrupt)();
        }
    }
}
