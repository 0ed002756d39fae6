//! A tap's own task: from its queue to its client, a line for each step, and no faster than the client reads.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Connected, Taps, line};

/// How long nothing may be told before an empty line is, by which a client that went away is noticed.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// How long a client may read nothing before it is taken to be gone.
const STALLED_MAX: Duration = Duration::from_secs(60);

/// An answer that is not written to its end, until it is dropped.
struct Open(Arc<Taps>);

impl Open {
    fn new(taps: &Arc<Taps>) -> Self {
        taps.answers.send_modify(|open| *open += 1);
        Self(Arc::clone(taps))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.answers.send_modify(|open| *open -= 1);
    }
}

/// The lines of a tap, `first` before all others, until its limit, the pipeline's end, or the client's. Dropping it disconnects.
pub fn stream(connected: Connected, first: String) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let (client, lines) = mpsc::channel(1);
    let open = Open::new(&connected.seat.taps);
    tokio::spawn(serve(connected, first, client));
    unfold((lines, open), |(mut lines, open)| async move {
        lines.recv().await.map(|line: String| (Ok(Bytes::from(line)), (lines, open)))
    })
}

/// Tells the client what is in the queue until it or the pipeline goes away.
async fn serve(mut connected: Connected, first: String, client: mpsc::Sender<String>) {
    if client.send(first).await.is_err() {
        return;
    }
    let mut left = connected.limit;
    while left > 0 {
        let next = tokio::select! {
            biased;
            () = client.closed() => return,
            next = timeout(QUIET_MAX, connected.queue.recv()) => next,
        };
        let mut text = match connected.gauge.lost.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            events => line::lost(events),
        };
        match next {
            Ok(Some(told)) => {
                text.push_str(&line::lines(&told, &connected.redaction));
                left -= 1;
                if left == 0 {
                    text.push_str(&line::end("that is as many events as were asked for"));
                }
            }
            Ok(None) => {
                text.push_str(&line::end("the pipeline ended"));
                left = 0;
            }
            Err(_) => text.push('\n'),
        }
        if !matches!(timeout(STALLED_MAX, client.send(text)).await, Ok(Ok(()))) {
            return;
        }
    }
}
