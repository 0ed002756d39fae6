//! What goes wrong in a chaos run, and when.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::load::{Load, Progress};
use super::outlets::Outlets;
use super::store::{Position, Reader};
use super::{Fault, Leave};
use crate::pipeline::{PATIENCE, Pipeline, Ran, Running};
use xtask::services::{Recipe, Server};

/// How often a condition is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(5);
/// The most lines of a worker's log in a message.
const LOG_LINES: usize = 60;
/// A kill that follows a start comes within this many milliseconds: in the set-up, while the group is joined, in the first
/// commits.
const EARLY_MS_MAX: u64 = 2_500;
/// A kill that follows a commit comes within this many milliseconds: anywhere in the next one.
const LATE_MS_MAX: u64 = 60;

/// A run, and what its faults need.
pub(super) struct Scene {
    pub(super) pipeline: Pipeline,
    pub(super) load: Load,
    pub(super) reader: Reader,
    pub(super) outlets: Outlets,
    pub(super) random: fastrand::Rng,
    /// Planned events.
    pub(super) events: u64,
    /// One line for each fault.
    pub(super) notes: Vec<String>,
    pub(super) began: Instant,
}

/// When a kill comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// Once so many events are committed.
    At(u64),
    /// Soon after the last kill.
    Early,
}

impl Scene {
    /// Has every fault come, and leaves one worker running.
    pub(super) fn suffer(&mut self, fault: Fault<'_>, times: usize) -> Result<Running> {
        match fault {
            Fault::Kill => self.kill(times),
            Fault::RestartDatabase(server) => self.restart("database", server, times),
            Fault::RestartBroker(server) => self.restart("broker", server, times),
            Fault::SecondWorker(leave) => self.second_worker(leave, times),
            Fault::TakeAway(away) => self.take_away(away, times),
            Fault::Swap(changes) => self.swap(times, changes),
        }
    }

    fn kill(&mut self, times: usize) -> Result<Running> {
        let mut worker = self.pipeline.start();
        for moment in self.kills(times) {
            let within_ms = match moment {
                Moment::At(committed) => {
                    // Its own commits at least, wherever the run is by now.
                    let goal = committed.max(self.load.progress().committed() + 1);
                    self.reach(&mut worker, goal)?;
                    LATE_MS_MAX
                }
                Moment::Early => EARLY_MS_MAX,
            };
            // No wait for a condition: the moment itself is what chance decides.
            std::thread::sleep(Duration::from_millis(self.random.u64(..=within_ms)));
            if !worker.is_running() {
                bail!("the worker ended by itself:\n{}", log_of(&worker.end()));
            }
            worker.kill();
            self.note(&format!("kill -9 ({})", if moment == Moment::Early { "early" } else { "under load" }));
            worker = self.pipeline.start();
        }
        Ok(worker)
    }

    /// Two thirds are spread over the run, and every second one of them is followed by one soon after the start.
    fn kills(&mut self, times: usize) -> Vec<Moment> {
        let early = times / 3;
        let mut moments = self.moments(times - early).into_iter().map(Moment::At).collect::<Vec<_>>();
        for number in 0..early {
            moments.insert((3 * number + 1).min(moments.len()), Moment::Early);
        }
        moments
    }

    /// Numbers of committed events, one by chance in each part of the run.
    pub(super) fn moments(&mut self, times: usize) -> Vec<u64> {
        let part = self.events * 9 / 10 / times.max(1) as u64;
        (0..times as u64).map(|number| number * part + self.random.u64(..part)).collect()
    }

    fn restart<R: Recipe>(&mut self, name: &str, server: &mut Server<R>, times: usize) -> Result<Running> {
        let mut worker = self.pipeline.start();
        for (number, moment) in self.moments(times).into_iter().enumerate() {
            self.reach(&mut worker, moment)?;
            let is_killed = number % 2 == 0;
            match is_killed {
                true => server.kill()?,
                false => server.stop()?,
            }
            self.note(&format!("{name} {}", if is_killed { "killed" } else { "stopped" }));
            server.restart()?;
            let goal = self.load.progress().committed() + 1;
            self.reach(&mut worker, goal)?;
            self.note(&format!("{name} back, commits go on"));
        }
        Ok(worker)
    }

    fn second_worker(&mut self, leave: Leave, times: usize) -> Result<Running> {
        let mut first = self.pipeline.start();
        for moment in self.moments(times) {
            self.reach(&mut first, moment)?;
            let before = self.reader.ledger()?;
            let mut second = self.pipeline.start();
            self.hand_over(&mut first, Some(&mut second), &before)?;
            self.note("a second worker has joined and commits");
            let before = self.reader.ledger()?;
            match leave {
                Leave::Stop => {
                    let ran = second.stop();
                    ensure!(ran.code == Some(0), "the second worker ended with {:?}:\n{}", ran.code, log_of(&ran));
                }
                Leave::Kill => drop(second.kill()),
            }
            self.hand_over(&mut first, None, &before)?;
            self.note(&format!("the second worker was {}, the first has taken over", leave.done()));
        }
        Ok(first)
    }

    /// Waits until a partition has changed hands and its new owner has committed.
    fn hand_over(&mut self, first: &mut Running, mut second: Option<&mut Running>, before: &[Position]) -> Result<()> {
        let mut taken: Vec<Position> = Vec::new();
        self.wait(first, "a partition changes hands and goes on", move |reader, _| {
            if second.as_mut().is_some_and(|second| !second.is_running()) {
                bail!("the second worker ended by itself");
            }
            let now = reader.ledger()?;
            for (old, new) in before.iter().zip(&now) {
                let is_known = taken.iter().any(|known| known.partition == new.partition && known.epoch == new.epoch);
                if new.epoch > old.epoch && !is_known {
                    taken.push(*new);
                }
            }
            let goes_on = |new: &Position| {
                taken.iter().any(|old| {
                    (old.partition, old.epoch) == (new.partition, new.epoch) && new.next_offset > old.next_offset
                })
            };
            Ok(now.iter().any(goes_on))
        })
    }

    /// Waits until so many events are committed.
    pub(super) fn reach(&mut self, worker: &mut Running, committed: u64) -> Result<()> {
        self.wait(worker, &format!("{committed} committed events"), |_, progress| Ok(progress.committed() >= committed))
    }

    /// Waits until everything is produced.
    pub(super) fn wait_for_load(&mut self, worker: &mut Running) -> Result<()> {
        let mut last = (0, Instant::now());
        while !self.load.has_ended() {
            self.patience(worker, "the last event is produced", &mut last)?;
        }
        Ok(())
    }

    pub(super) fn wait(
        &mut self,
        worker: &mut Running,
        what: &str,
        mut ready: impl FnMut(&mut Reader, &Progress) -> Result<bool>,
    ) -> Result<()> {
        let mut last = (0, Instant::now());
        while !ready(&mut self.reader, self.load.progress())? {
            self.patience(worker, what, &mut last)?;
        }
        Ok(())
    }

    /// One look's time; an error when the worker is gone, or nothing was committed for long.
    fn patience(&self, worker: &mut Running, what: &str, last: &mut (u64, Instant)) -> Result<()> {
        if self.load.progress().committed() != last.0 {
            *last = (self.load.progress().committed(), Instant::now());
        }
        let is_running = worker.is_running();
        if !is_running || last.1.elapsed() > PATIENCE {
            let why = if is_running { "nothing was committed for long" } else { "the worker ended by itself" };
            bail!("{why} while waiting for: {what}; {}; it said:\n{}", self.standing(), log_of(&worker.end()));
        }
        std::thread::sleep(LOOK);
        Ok(())
    }

    fn standing(&self) -> String {
        let progress = self.load.progress();
        format!("{} committed of {} produced", progress.committed(), progress.produced())
    }

    pub(super) fn note(&mut self, what: &str) {
        let line = format!("{:5.1} s  {what}: {}", self.began.elapsed().as_secs_f64(), self.standing());
        eprintln!("chaos: {line}");
        self.notes.push(line);
    }
}

/// The end of a log.
pub(super) fn log_of(ran: &Ran) -> String {
    let lines: Vec<&str> = ran.stderr.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
