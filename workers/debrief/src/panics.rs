//! Reports a panic by its place in the code, without the data that was being worked on.
//!
//! The text of a panic can quote what was said in a call. For example, the panic about a cut in the middle of a
//! character shows the whole text. So the text is shown only where it is a constant of the code, without any value in
//! it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// Installs this way of reporting for every later panic of the process.
pub(crate) fn report() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(its text is not told)");
    // The backtrace is shown only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    if tracing::dispatcher::has_been_set() {
        tracing::error!(location, "panicked: {text}{backtrace}");
    } else {
        eprintln!("debrief: panicked at {location}: {text}; this is a mistake of ours{backtrace}");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Runs only the test `name` of this test program, and returns what it writes to standard error.
    fn said(name: &str) -> String {
        let test = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("panics::tests::{name}"), "--ignored", "--nocapture"])
            .output()
            .unwrap();
        assert!(!test.status.success());
        String::from_utf8(test.stderr).unwrap()
    }

    #[test]
    #[ignore = "it panics: the tests below run it as a process of its own"]
    fn panics_with_a_text_that_was_made() {
        super::report();
        let said_in_the_call = String::from("Zoë Marchetti");
        assert_eq!(&said_in_the_call[..3], "");
    }

    #[test]
    #[ignore = "it panics: the tests below run it as a process of its own"]
    fn panics_while_lines_are_logged() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        panics_with_a_text_that_was_made();
    }

    #[test]
    #[ignore = "it panics: the tests below run it as a process of its own"]
    fn panics_with_a_text_of_the_code() {
        super::report();
        panic!("the pipeline has no stage");
    }

    #[test]
    fn what_a_panic_quotes_is_not_told_and_where_it_was_is() {
        for name in ["panics_with_a_text_that_was_made", "panics_while_lines_are_logged"] {
            let said = said(name);
            assert!(!said.contains("Marchetti") && !said.contains("Zo"), "{said}");
            assert!(said.contains("panics.rs:"), "{said}");
        }
        assert!(said("panics_with_a_text_of_the_code").contains("the pipeline has no stage"));
    }
}
