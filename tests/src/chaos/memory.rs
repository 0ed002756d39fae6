//! How much memory a process has in each part of a run.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
const KIB_PER_MIB: u64 = 1 << 10;
/// What a later part may have above the first one: so many MiB, or three parts in ten.
const ABOVE_MIB: u64 = 64;

/// Looks at a process until it is dropped.
pub(super) struct Memory {
    parts: Arc<Mutex<Vec<Part>>>,
    is_over: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Part {
    name: String,
    most_mib: u64,
}

impl Memory {
    /// Of a process, in the part of a run that is called `name`.
    pub(super) fn of(process: u32, name: &str) -> Self {
        let parts = Arc::new(Mutex::new(vec![Part::new(name)]));
        let is_over = Arc::new(AtomicBool::new(false));
        let looking = std::thread::spawn({
            let (parts, is_over) = (Arc::clone(&parts), Arc::clone(&is_over));
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    let now = resident_mib(process).unwrap_or_default();
                    if let Some(part) = lock(&parts).last_mut() {
                        part.most_mib = part.most_mib.max(now);
                    }
                    std::thread::sleep(LOOK);
                }
            }
        });
        Self { parts, is_over, looking: Some(looking) }
    }

    /// Another part begins.
    pub(super) fn part(&self, name: &str) {
        lock(&self.parts).push(Part::new(name));
    }

    /// A line with the most of each part.
    ///
    /// # Errors
    /// When a later part has far more than the first one.
    pub(super) fn judge(&self) -> Result<String> {
        judge(&lock(&self.parts))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.looking.take().map(JoinHandle::join);
    }
}

impl Part {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), most_mib: 0 }
    }
}

fn lock(parts: &Mutex<Vec<Part>>) -> MutexGuard<'_, Vec<Part>> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn judge(parts: &[Part]) -> Result<String> {
    let each: Vec<String> = parts.iter().map(|Part { name, most_mib }| format!("{most_mib} {name}")).collect();
    let line = format!("memory at most, MiB: {}", each.join(", "));
    let first = parts.first().map_or(0, |part| part.most_mib);
    let most = parts.iter().map(|part| part.most_mib).max().unwrap_or_default();
    ensure!(first > 0 && most <= (first + ABOVE_MIB).max(first * 13 / 10), "it grew; {line}");
    Ok(line)
}

/// `VmRSS`; `None` when there is no such process any more.
fn resident_mib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / KIB_PER_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(most: [u64; 3]) -> Vec<Part> {
        most.map(|most_mib| Part { name: "then".to_owned(), most_mib }).to_vec()
    }

    #[test]
    fn memory_that_grows_by_more_than_three_in_ten_and_64_mib_is_told() {
        assert_eq!(judge(&parts([100, 164, 90])).unwrap(), "memory at most, MiB: 100 then, 164 then, 90 then");
        assert!(judge(&parts([100, 90, 165])).is_err());
        assert!(judge(&parts([1_000, 1_300, 0])).is_ok());
        assert!(judge(&parts([1_000, 1_301, 0])).is_err());
        assert!(judge(&parts([0, 10, 10])).is_err(), "nobody looked");
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_mib(std::process::id()).is_some_and(|mib| mib > 0));
        let memory = Memory::of(std::process::id(), "now");
        crate::pipeline::eventually("it was looked at", || memory.judge().is_ok());
    }
}
