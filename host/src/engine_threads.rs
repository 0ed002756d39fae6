//! The threads that run plugins: plain OS threads, so that no guest ever blocks a lane and WASI never meets an async
//! runtime.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// A pool of threads, each with a worker value `W` of its own. The queue needs no bound of its own: a lane waits for
/// its one job. Threads end when the last handle is dropped.
pub struct EngineThreads<W> {
    jobs: Sender<Job<W>>,
}

impl<W> Clone for EngineThreads<W> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

/// A job that panicked: a bug of ours. The thread goes on with a new worker.
#[derive(Debug, thiserror::Error)]
#[error("an engine thread failed inside the host; this is a bug of wasmill, please report it with the log lines above")]
pub struct JobLost;

impl<W: 'static> EngineThreads<W> {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(threads: usize, worker: impl Fn() -> W + Send + Clone + 'static) -> std::io::Result<Self> {
        let (jobs, queue) = channel::<Job<W>>();
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let worker = worker.clone();
            thread::Builder::new().name(format!("engine-{n}")).spawn(move || work(&queue, worker))?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` on a free thread and waits for its answer.
    ///
    /// # Errors
    /// When the job panicked.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut W) -> T + Send + 'static) -> Result<T, JobLost> {
        let (answer, answered) = oneshot::channel();
        let job: Job<W> = Box::new(move |worker| drop(answer.send(job(worker))));
        self.jobs.send(job).map_err(|_| JobLost)?;
        answered.await.map_err(|_| JobLost)
    }
}

fn work<W>(queue: &Mutex<Receiver<Job<W>>>, new_worker: impl Fn() -> W) {
    let mut worker = new_worker();
    loop {
        // The lock guards only the wait for the next job.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let survived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut worker)));
        if survived.is_err() {
            worker = new_worker();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn thread_survives_a_job_that_panics() {
        let threads = EngineThreads::start(1, || 0_u32).unwrap();
        assert!(threads.run(|_| panic!("expected by the test")).await.is_err());
        assert_eq!(threads.run(|n| *n + 1).await.unwrap(), 1);
    }
}
