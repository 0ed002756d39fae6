//! A process that is not necessarily our child: is it there, end it, wait for its end.
//!
//! A process is named by its id *and* its start time, since ids are reused: nothing here can end a process that it
//! did not mean.

use std::fs;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One process, for as long as the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    started: u64,
}

/// What can be sent to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: please end.
    Terminate,
    /// SIGINT: PostgreSQL's fast shutdown.
    Interrupt,
    /// SIGKILL: end at once.
    Kill,
}

/// How often a state is looked at again.
pub(super) const POLL: Duration = Duration::from_millis(20);

impl ProcessId {
    /// The process that has this id now, or `None` when there is none.
    pub fn of(pid: u32) -> Option<Self> {
        Stat::read(pid).map(|stat| Self { pid, started: stat.started })
    }

    /// This very process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, started: 0 })
    }

    /// Whether it still runs; one that was killed does not, though it may not be gone yet.
    pub fn is_running(self) -> bool {
        self.stat().is_some_and(|stat| !stat.zombie)
    }

    /// Whether nothing is left of it: no thread that still holds a port, and no entry that PostgreSQL would take for
    /// a living server. A child of ours whose threads have ended counts as gone, since we are who clears it up.
    pub fn is_gone(self) -> bool {
        let ours = |stat: &Stat| stat.zombie && stat.parent == std::process::id() && self.threads() <= 1;
        self.stat().is_none_or(|stat| ours(&stat))
    }

    /// Sends a signal, to this process or, when it has ended, to nobody.
    pub fn signal(self, signal: Signal) {
        if self.is_running() {
            send(self.pid, signal);
        }
    }

    /// Waits until it is gone, at most so long; `false` when it is still there then.
    pub fn wait_until_gone(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.is_gone() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// The processes that it started and that still run.
    pub fn children(self) -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|pid| Stat::read(pid).map(|stat| (pid, stat)))
            .filter(|(_, stat)| stat.parent == self.pid)
            .map(|(pid, stat)| Self { pid, started: stat.started })
            .collect()
    }

    /// Resident memory of it and its children in kB, shared pages counted once (proportional set size).
    pub fn memory_kb(self) -> u64 {
        let own = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap_or_default();
        let pss =
            own.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse::<u64>().ok());
        pss.unwrap_or(0) + self.children().into_iter().map(Self::memory_kb).sum::<u64>()
    }

    fn stat(self) -> Option<Stat> {
        Stat::read(self.pid).filter(|stat| stat.started == self.started)
    }

    fn threads(self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }
}

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    zombie: bool,
    parent: u32,
    started: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the name in parentheses, which may hold spaces and parentheses itself.
        let rest = &text[text.rfind(')')? + 1..];
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self {
            zombie: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[allow(unsafe_code, reason = "the standard library cannot signal a process that is not its child")]
fn send(pid: u32, signal: Signal) {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Interrupt => libc::SIGINT,
        Signal::Kill => libc::SIGKILL,
    };
    let Ok(target) = libc::pid_t::try_from(pid) else { return };
    if target > 1 {
        // SAFETY: kill takes two integers and touches no memory of ours. A positive target is one process.
        unsafe { libc::kill(target, number) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_running_until_it_is_killed() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(process.is_running());
        assert!(ProcessId::this().children().contains(&process));
        process.signal(Signal::Kill);
        assert!(process.wait_until_gone(Duration::from_secs(10)) && !process.is_running());
        child.wait().unwrap();
        assert_eq!(ProcessId::of(child.id()), None);
    }

    #[test]
    fn a_reused_id_is_another_process() {
        let other = ProcessId { started: 1, ..ProcessId::this() };
        assert!(!other.is_running() && other.is_gone());
        other.signal(Signal::Kill);
        assert!(ProcessId::this().is_running());
    }
}
