//! Failpoints: places in the code at which a fault run can end, stop or disturb the process. A build without the
//! feature `failpoints` has none of them.
//!
//! The environment variable `FAILPOINTS` says which failpoint acts and how, in the syntax of the crate `fail`. For
//! example, `settle.committed=return` ends the process when it first reaches this failpoint, and
//! `settle.committed:slack=2*off->return` ends it when the stage `slack` reaches the failpoint for the third time.
//! Besides the actions `panic` and `sleep(ms)` there are these:
//!
//! - `return`: the process ends at once, as by `kill -9`. It does not unwind, flush or close anything.
//! - `return(stop)`: the process stops until it is continued, as by `kill -STOP`.
//! - `return(eat)`: the process takes memory until none is left, or until it has taken `MAX_TAKEN_BYTES`.

/// Marks a failpoint. The further arguments say what reaches it: the stage, the destination, the call. An action in
/// `FAILPOINTS` is either for everything that reaches the failpoint (`settle.committed`) or for one of these
/// (`settle.committed:slack`).
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal $(, $of:expr)* $(,)?) => {
        $crate::failpoint::reached($name, &[$(&$of as &dyn std::fmt::Display),*])
    };
}

/// Marks a failpoint. In a build without the feature `failpoints` nothing happens there.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal $(, $of:expr)* $(,)?) => {};
}

#[cfg(feature = "failpoints")]
pub use actions::{reached, setup};

#[cfg(feature = "failpoints")]
mod actions {
    use std::fmt::Display;
    use std::process::Command;

    /// The limit protects the machine when the process has no memory limit of its own.
    const MAX_TAKEN_BYTES: usize = 8 * 1024 * 1024 * 1024;
    const BLOCK_BYTES: usize = 16 * 1024 * 1024;

    /// Reads `FAILPOINTS`. A process calls this once, before anything else. It panics when the variable cannot be
    /// read.
    pub fn setup() {
        // Dropping the scenario would switch all failpoints off.
        std::mem::forget(fail::FailScenario::setup());
    }

    pub fn reached(name: &str, by: &[&dyn Display]) {
        act_if_configured(name);
        for one in by {
            act_if_configured(&format!("{name}:{one}"));
        }
    }

    fn act_if_configured(name: &str) {
        fail::fail_point!(name, |action| act(name, action.as_deref()));
    }

    fn act(name: &str, action: Option<&str>) {
        eprintln!("failpoint {name}: {}", action.unwrap_or("kill"));
        match action {
            None | Some("kill") => std::process::abort(),
            Some("stop") => stop(),
            Some("eat") => take_memory(),
            Some(other) => panic!("failpoint {name} has no action `{other}`"),
        }
    }

    fn stop() {
        let stopped = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
        assert!(stopped.is_ok_and(|status| status.success()), "a failpoint cannot stop its process");
    }

    fn take_memory() {
        let mut taken = Vec::new();
        while taken.len() * BLOCK_BYTES < MAX_TAKEN_BYTES {
            // The block is filled with ones, because the system gives no real memory for bytes that nobody writes.
            taken.push(vec![1_u8; BLOCK_BYTES]);
        }
        panic!("a failpoint has taken {MAX_TAKEN_BYTES} bytes of memory, and the system has not stopped it");
    }
}
