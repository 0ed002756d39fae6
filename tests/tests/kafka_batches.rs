//! Where the batches of a partition are cut.

use std::time::Duration;

use anyhow::{Result, bail};
use wasmill::config::{BatchConfig, Start};
use wasmill::kafka::Read;
use wasmill_tests::kafka::rig::{BATCH, One, config, soon};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::services::{self, unique};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_cut_at_its_most_events_and_its_most_bytes() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("cut"));
    cluster.create(&topic, 1, &[]).await?;
    let sizes = [10, 10, 10, 10, 40, 41, 5];
    cluster.produce(&topic, 0, sizes.map(|size| Record::of(vec![b'x'; size])))?;
    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), None, false).await?;
    let limits = BatchConfig { events_max: 3, bytes_max: 40, event_bytes_max: 40, linger: Duration::ZERO };
    let mut cut = Vec::new();
    while cut.iter().sum::<usize>() < sizes.len() {
        let Read::Batch(batch) = soon("a batch", one.reader.next(&limits)).await? else {
            bail!("no end was asked for")
        };
        cut.push(batch.len());
    }
    // Three by number; one, since the next would pass 40 bytes; 40 alone; 41 is over the limit by itself; the rest.
    assert_eq!(cut, [3, 1, 1, 1, 1]);
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_lingers_until_it_is_full_or_its_time_is_over() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("linger"));
    cluster.create(&topic, 1, &[]).await?;
    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), None, false).await?;
    let long = BatchConfig { events_max: 5, linger: Duration::from_secs(60), ..BATCH };
    let produce = |count: usize| cluster.produce(&topic, 0, (0..count).map(|_| Record::of("x")));
    let (first, _) = tokio::join!(soon("a full batch", one.reader.next(&long)), async {
        produce(2)?;
        tokio::task::yield_now().await;
        produce(5)
    });
    let Read::Batch(first) = first? else { bail!("no end was asked for") };
    let short = BatchConfig { linger: Duration::from_millis(1), ..long };
    let Read::Batch(rest) = soon("what is there", one.reader.next(&short)).await? else {
        bail!("no end was asked for")
    };
    assert_eq!((first.len(), rest.len()), (5, 2));
    one.close().await;
    Ok(())
}
