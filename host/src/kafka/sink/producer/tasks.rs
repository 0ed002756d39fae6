//! The producer's tasks: one that looks where partitions are and asks for ids, and one for each broker that sends to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::{Broken, Connection};
use super::requests::{self, Metadata, Produced};
use super::state::{Gathered, Shared, UnderWay};
use crate::retry::Backoff;

/// Requests to one broker that may wait for their answers.
const FLIGHTS_MAX: usize = 5;
/// Between two looks at the topics at least, however much goes wrong.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Looks for the topics' partitions, for ever, and has a task for each broker that leads one.
pub(super) async fn control(shared: Arc<Shared>) {
    let mut brokers = JoinSet::new();
    let mut wait = Backoff::new(shared.settings.config.reconnect);
    loop {
        match any_broker(&shared).await {
            // When it fails, the next one says why.
            Ok(mut connection) => {
                while look(&shared, &mut connection, &mut brokers).await.is_ok() {
                    wait.reset();
                }
            }
            Err(broken) => shared.failed(&broken),
        }
        wait.wait().await;
    }
}

/// A connection to any broker; the reason of the last one if there is none.
async fn any_broker(shared: &Shared) -> Result<Connection<'_>, Broken> {
    let mut addresses = shared.addresses();
    fastrand::shuffle(&mut addresses);
    let mut last = Broken::Away("no broker is known".to_owned());
    for (host, port) in addresses {
        match Connection::open(&host, port, &shared.settings).await {
            Ok(connection) => return Ok(connection),
            Err(broken) => last = broken,
        }
    }
    Err(last)
}

/// One turn: a look at the topics, and then ids whenever one is wanted, until the next look is due.
async fn look(shared: &Arc<Shared>, connection: &mut Connection<'_>, brokers: &mut JoinSet<()>) -> Result<(), Broken> {
    let seen = connection.call(requests::METADATA, requests::metadata(&shared.topics)).await?;
    shared.look(Metadata::read(&seen)?);
    for (id, wake) in shared.take_new_brokers() {
        brokers.spawn(broker(Arc::clone(shared), id, wake));
    }
    let looked = Instant::now();
    loop {
        if shared.wants_producer() && !ask_for_id(shared, connection).await? {
            sleep(LOOK_PAUSE).await;
            return Ok(());
        }
        let due = if shared.wants_look() { LOOK_PAUSE } else { shared.settings.config.refresh };
        tokio::select! {
            () = sleep_until(looked + due) => return Ok(()),
            () = shared.control.notified() => {}
        }
    }
}

/// Whether there is an id, or none for good.
async fn ask_for_id(shared: &Shared, connection: &mut Connection<'_>) -> Result<bool, Broken> {
    let answer = connection.call(requests::INIT_PRODUCER_ID, requests::init_producer_id).await?;
    match requests::read_producer_id(&answer)? {
        Ok(producer) => shared.set_producer(producer),
        Err(code) if code.is_passing() || code.is_coordinators() => return Ok(false),
        Err(code) => shared.no_producer(code),
    }
    Ok(true)
}

/// Sends a broker what its partitions have, over one connection after the other.
async fn broker(shared: Arc<Shared>, id: i32, wake: Arc<Notify>) {
    let mut wait = Backoff::new(shared.settings.config.reconnect);
    loop {
        let address = shared.address(id).filter(|_| shared.has_work(id));
        let Some((host, port)) = address else {
            wake.notified().await;
            continue;
        };
        let broken = match Connection::open(&host, port, &shared.settings).await {
            Ok(connection) => serve(&shared, id, &wake, connection, &mut wait).await,
            Err(broken) => broken,
        };
        // A broker closes a connection that is idle; that is nothing to tell.
        if shared.has_work(id) {
            shared.failed(&broken);
            shared.want_look();
            wait.wait().await;
        }
    }
}

/// A request that waits for its answer.
struct Flight {
    correlation: i32,
    under_way: Vec<UnderWay>,
    due: Instant,
}

/// Sends until the connection fails.
async fn serve(shared: &Shared, id: i32, wake: &Notify, mut connection: Connection<'_>, wait: &mut Backoff) -> Broken {
    let api = match connection.produce_api() {
        Ok(api) => api,
        Err(broken) => return broken,
    };
    let mut flights = VecDeque::new();
    let (mut last, mut throttled) = (None, None);
    let broken = loop {
        let mut again = throttled.filter(|until| *until > Instant::now());
        if again.is_none() && flights.len() < FLIGHTS_MAX {
            let Gathered { sendings, under_way, again: later } = shared.gather(id, &mut last);
            if !sendings.is_empty() {
                let sent = connection.send(api, |body| requests::produce(body, &shared.topics, &sendings)).await;
                let correlation = *sent.as_ref().unwrap_or(&0);
                let due = Instant::now() + shared.settings.config.answer_timeout;
                flights.push_back(Flight { correlation, under_way, due });
                match sent {
                    Ok(_) => continue,
                    Err(broken) => break broken,
                }
            }
            again = later;
        }
        let late = flights.front().map(|flight: &Flight| flight.due);
        let until = again.into_iter().chain(late).min();
        tokio::select! {
            answer = connection.receive() => {
                let answered = answer.and_then(|answer| land(shared, &mut flights, answer, api));
                match answered {
                    Ok(throttled_for) => {
                        wait.reset();
                        throttled = Some(Instant::now() + throttled_for);
                    }
                    Err(broken) => break broken,
                }
            }
            () = wake.notified() => {}
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                if late.is_some_and(|late| late <= Instant::now()) {
                    break connection.late();
                }
            }
        }
    };
    flights.iter().for_each(|flight| shared.settle(&flight.under_way, None));
    broken
}

/// Gives the answer to the oldest request to those who wait for it. Answers how long the broker wants to be left alone.
fn land(
    shared: &Shared,
    flights: &mut VecDeque<Flight>,
    (correlation, answer): (i32, Vec<u8>),
    api: requests::Api,
) -> Result<Duration, Broken> {
    if flights.front().is_none_or(|flight| flight.correlation != correlation) {
        return Err(Broken::Away("an answer to no request".to_owned()));
    }
    let produced = Produced::read(&answer, api)?;
    if let Some(flight) = flights.pop_front() {
        shared.settle(&flight.under_way, Some(&produced));
    }
    Ok(Duration::from_millis(u64::try_from(produced.throttled_ms).unwrap_or_default()))
}
