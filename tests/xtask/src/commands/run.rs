//! Running the programs that a chore consists of.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Says what is run, runs it with our terminal, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    // Not the path of the toolchain's cargo, but what a person types.
    let program = if program.ends_with("/cargo") { "cargo".into() } else { program };
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    settings(command).chain([program.into_owned()]).chain(words).collect::<Vec<_>>().join(" ")
}

/// The variables that are set for it alone.
fn settings(command: &Command) -> impl Iterator<Item = String> {
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    set.map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
}

/// Lets Ctrl-C end the program that we wait for but not us, so that we stop the services that we started. (A terminal
/// signals both. Who kills us alone leaves services behind, which the next start of any sweeps away.)
pub(crate) fn outlive_interrupts() {
    extern "C" fn ignore(_signal: libc::c_int) {}
    let handler = ignore as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGHUP] {
        #[allow(unsafe_code, reason = "the standard library cannot set a signal handler")]
        // SAFETY: the handler does nothing, so it is safe at any point. A handler, other than SIG_IGN, is not passed on
        // to the programs that we start.
        unsafe {
            libc::signal(signal, handler);
        }
    }
}
