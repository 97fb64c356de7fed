//! Boundaries at which a fault run can end, stop or upset the process. A build without the feature `failpoints`
//! has none of this.
//!
//! `FAILPOINTS`, in the environment of the process, says which of them acts and how, as the crate `fail` reads it:
//! `settle.committed=return` ends the process at the first pass, `settle.committed:slack=2*off->return` at the
//! third one of the stage `slack`. Beside `panic` and `sleep(ms)` there are
//!
//! - `return`: the process ends as by `kill -9`. Nothing is unwound, flushed or said to anybody.
//! - `return(stop)`: it stops until it is continued, as by `kill -STOP`.
//! - `return(eat)`: it takes memory until there is none, or it has [`MOST_EATEN`].

/// Names a boundary, and what passes it: the stage, the destination, the call. An action can be for the boundary
/// (`settle.committed`) or for what passes it there (`settle.committed:slack`).
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal $(, $of:expr)* $(,)?) => {
        $crate::failpoint::reached($name, &[$(&$of as &dyn std::fmt::Display),*])
    };
}

/// Names a boundary; in this build nothing happens there.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal $(, $of:expr)* $(,)?) => {};
}

#[cfg(feature = "failpoints")]
pub use on::{MOST_EATEN, reached, setup};

#[cfg(feature = "failpoints")]
mod on {
    use std::fmt::Display;
    use std::process::Command;

    /// A process without a limit of its own shall not take the machine down.
    pub const MOST_EATEN: usize = 8 * 1024 * 1024 * 1024;
    const BITE: usize = 16 * 1024 * 1024;

    /// Reads `FAILPOINTS`. Once, before anything else. Panics where it cannot be read.
    pub fn setup() {
        // Dropping it would switch everything off.
        std::mem::forget(fail::FailScenario::setup());
    }

    pub fn reached(name: &str, passing: &[&dyn Display]) {
        pass(name);
        for one in passing {
            pass(&format!("{name}:{one}"));
        }
    }

    fn pass(name: &str) {
        fail::fail_point!(name, |action| act(name, action.as_deref()));
    }

    fn act(name: &str, action: Option<&str>) {
        eprintln!("failpoint {name}: {}", action.unwrap_or("kill"));
        match action {
            None | Some("kill") => std::process::abort(),
            Some("stop") => stop(),
            Some("eat") => eat(),
            Some(other) => panic!("failpoint {name} has no action `{other}`"),
        }
    }

    fn stop() {
        let stopped = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
        assert!(stopped.is_ok_and(|status| status.success()), "a failpoint cannot stop its process");
    }

    fn eat() {
        let mut eaten = Vec::new();
        while eaten.len() * BITE < MOST_EATEN {
            // Written to, so that it is not only promised.
            eaten.push(vec![1_u8; BITE]);
        }
        panic!("a failpoint has eaten {MOST_EATEN} bytes, and nothing has stopped it");
    }
}
